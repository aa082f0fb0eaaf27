import {
  buildProposal,
  buildVote,
  constitutionTerms,
  parseConstitution,
} from '@concordat/governance';
import { type Height, type NodeId, toHex } from '@concordat/std';
import { type AdmittedPeer, reportDataFor } from '../admission.ts';
import type { JoinDesk } from '../join-desk.ts';
import {
  decodeJoinOffer,
  decodeJoinReply,
  encodeJoinMessage,
  type JoinReply,
  type JoinRequest,
} from '../join-messages.ts';
import { type Genesis, prepareGenesis } from '../network-genesis.ts';
import { entropyOf, genesisOf, type Organisation, organisation } from './parties.ts';
import { TestNode, World } from './world.ts';

export {
  batch,
  entropyOf,
  FakeLink,
  genesisOf,
  managerCode,
  type Organisation,
  organisation,
  platform,
  verdictOf,
} from './parties.ts';
export { TestNode, World };

/** A network of one node that has its genesis block, owned by the first of its members. */
export async function newNetwork(members: readonly Organisation[], world = new World()) {
  const first = world.add(members[0] as Organisation, genesisOf(members));
  const genesis: Genesis = prepareGenesis({
    start: first.start,
    identity: first.identity,
    verdict: first.verdict,
    entropy: entropyOf('genesis'),
    nowMs: Date.now(),
  });
  const { networkId, networkCertificate } = genesis;
  first.belongTo({ id: networkId, certificate: networkCertificate });
  first.begin({ configuration: { voters: [first.id] } });
  await world.elect();
  const { evidence } = await attested(first, genesis.challenge);
  await first.vault.keepHolder(genesis.holderKey);
  const { result } = await world.until(
    first.queue.administer((set) => genesis.write(set, first, evidence)),
  );
  await first.vault.keepShare(result, result);
  await world.settle();
  return { world, first, genesis };
}

/** Signs and submits a governance action at a node, and has every member but the first vote. */
export async function decide(
  world: World,
  at: TestNode,
  members: readonly Organisation[],
  actions: readonly { name: string; args: unknown }[],
) {
  const signer = ({ key, der }: Organisation) => ({
    networkId: at.network.id,
    createdAtSeconds: Math.floor(Date.now() / 1000),
    key,
    certificateDer: der,
  });
  const [proposer, ...others] = members as [Organisation, ...Organisation[]];
  const proposal = buildProposal({ ...signer(proposer), actions: actions as never });
  let answer = await world.until(at.governance.submit(proposal));
  for (const member of [proposer, ...others]) {
    if (answer.state !== 'open') break;
    const { proposalId } = answer;
    const vote = buildVote({ ...signer(member), proposalId, accept: true });
    answer = await world.until(at.governance.submit(vote));
  }
  await world.settle();
  return answer;
}

/** Admits a node by vote, lets it join, catch up, and become a voter. */
export async function grow(
  world: World,
  members: readonly Organisation[],
  owner: Organisation,
): Promise<TestNode> {
  const leader = await world.elect();
  const node = world.add(owner);
  await decide(world, leader, members, [{ name: 'add_node', args: node.tuple }]);
  const reply = await join(world, leader, node);
  takeUp(node, reply);
  node.begin({ configuration: reply.configuration }, world.nodes.length / 10);
  await world.tick(3);
  for (let round = 0; round < 20; round++) {
    leader.joinDesk?.promote();
    await world.tick(2);
    if (leader.administration.committedConstitution.nodes.some(isTrusted(node))) break;
  }
  await world.tick(2);
  return node;
}

const isTrusted =
  (node: TestNode) =>
  ({ nodeId, status }: { nodeId: NodeId; status: string }): boolean =>
    nodeId === node.id && status === 'trusted';

/** A node as one that has answered a challenge is admitted. */
export async function attested(
  node: TestNode,
  challenge: Genesis['challenge'],
): Promise<AdmittedPeer> {
  const evidence = await node.host.attest(reportDataFor(node.asPeer.publicKey, challenge));
  const record = { ...challenge, evidence, verifiedAtMs: Date.now() };
  return { verdict: node.verdict, role: 'joiner', evidence: record };
}

/** Asks a leader's join desk on behalf of a node. */
export async function join(
  world: World,
  leader: TestNode,
  node: TestNode,
  replaces?: NodeId,
): Promise<JoinReply> {
  if (replaces) return decodeJoinReply(await askToJoin(world, leader, node, { replaces }));
  const { constitution } = decodeJoinOffer(await askToJoin(world, leader, node, {}));
  const terms = constitutionTerms(parseConstitution(constitution), { nodeId: node.id });
  return decodeJoinReply(await askToJoin(world, leader, node, { approved: { terms } }));
}

/** One request of a newcomer. */
export async function askToJoin(
  world: World,
  leader: TestNode,
  node: TestNode,
  request: Omit<JoinRequest, 'encryptionKey'>,
): Promise<Uint8Array> {
  const encryptionKey = toHex(node.identity.encryption.publicKey);
  const body = encodeJoinMessage({ encryptionKey, ...request });
  const challenge = { networkId: leader.network.id, ledgerRoot: leader.log.root, epoch: 1 };
  const admitted = await attested(node, challenge);
  const desk = leader.joinDesk as JoinDesk;
  return world.until(desk.join(node.asPeer, admitted, Buffer.from(body)));
}

/** A node takes up what a join reply says. */
export function takeUp(node: TestNode, reply: JoinReply): void {
  node.belongTo({ id: reply.networkId, certificate: reply.networkCertificate });
  node.given = parseConstitution(reply.constitution);
}

/** Heights of every node's ledger. */
export const heights = (world: World): Height[] =>
  world.running.map(({ log }) => log.committedHeight);

/** A network of three nodes of three members. */
export async function threeNodes(world = new World()) {
  const members = [1, 2, 3].map((n) => organisation(`org ${n}`));
  const { first } = await newNetwork(members, world);
  const second = await grow(world, members, members[1] as Organisation);
  const third = await grow(world, members, members[2] as Organisation);
  return { world, members, first, second, third };
}

/** Gives a later launch of a node what its vault has of shares. */
export async function keepShares(node: TestNode, of: TestNode): Promise<void> {
  const { newestHolder, places } = of.vault;
  if (newestHolder) await node.vault.keepHolder(newestHolder);
  for (const place of places) {
    const share = of.vault.shareOf(place.key, place.sharing);
    if (share) await node.vault.keepShare(place, share);
  }
}
