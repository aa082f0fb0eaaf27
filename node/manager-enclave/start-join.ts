import { parseConstitution } from '@concordat/governance';
import { CodedError, fromUtf8, isHex64, toHeight, toNodeId, toView, utf8 } from '@concordat/std';
import { pause } from './enclave-sources.ts';
import { ManagerError } from './errors.ts';
import type { JoinReply, JoinRequest } from './join-desk.ts';
import type { Manager } from './manager.ts';
import type { PeerSession } from './peer-session.ts';

const retryMs = 500;
const joinTimeoutMs = 30_000;

/** What a restarted VN rejoins with, sealed by its previous launch. */
export interface RejoinRecord {
  readonly replaces: string;
  readonly peers: readonly string[];
  readonly networkCertificate: string;
}

/**
 * Joins a network (paper, "Adding a New Member or Participant"): asks until admitted, checks the
 * network in turn, then catches up as a learner until the leader makes it a voter.
 */
export async function startJoin(manager: Manager, rejoin?: RejoinRecord): Promise<void> {
  const { start, channel, peerDesk } = manager;
  const certificate = rejoin?.networkCertificate ?? start.networkCertificatePem;
  const peers = rejoin?.peers ?? start.peers;
  if (!certificate || peers.length === 0) {
    throw new ManagerError(
      'INVALID_START',
      'joining needs the network certificate and the address of at least one node',
    );
  }
  manager.belongTo({ id: manager.network.id, certificate }, '');
  peerDesk.beNewcomer();
  // A ledger of an earlier launch may have diverged: it is fetched anew.
  if (start.lastHeight > 0) await manager.truncateLedger();
  manager.enter('joining', 'looking for the network');
  const workers = manager.connectWorkers();
  const { reply, session } = await askUntilAdmitted(manager, peers, rejoin?.replaces);
  await workers;
  takeUp(manager, reply, session);
  session.close();
  const constitution = parseConstitution(reply.constitution);
  manager.configureWorkers(constitution);
  manager.enter('learning', 'catching up with the ledger');
  const trusted = manager.trusted();
  manager.startConsensus(
    {
      view: toView(0),
      lastHeight: toHeight(0),
      lastView: toView(0),
      committed: toHeight(0),
      configuration: reply.voters.map(toNodeId),
      configurationHeight: toHeight(0),
      viewHistory: [],
    },
    constitution.policies,
  );
  channel.targets = constitution.nodes
    .filter(({ nodeId, status }) => status === 'trusted' && nodeId !== manager.identity.nodeId)
    .map(({ nodeId, address }) => ({ nodeId, address }));
  await trusted;
  await manager.sealIdentity();
  await manager.records.put('rejoin', {});
  await manager.serve();
}

interface Admitted {
  readonly reply: JoinReply;
  readonly session: PeerSession;
}

async function askUntilAdmitted(
  manager: Manager,
  peers: readonly string[],
  replaces: string | undefined,
): Promise<Admitted> {
  const { start, identity } = manager;
  const request: JoinRequest = {
    name: start.node.name,
    address: start.addresses.node,
    adminAddress: start.addresses.admin,
    applicationAddresses: start.addresses.applications,
    encryptionKey: Buffer.from(identity.encryption.publicKey).toString('hex'),
    ...(replaces && { replaces }),
  };
  for (let attempt = 0; ; attempt++) {
    const address = peers[attempt % peers.length] as string;
    try {
      return await ask(manager, address, request);
    } catch (error) {
      if (!(error instanceof CodedError)) throw error;
      const reason = `${error.code}: ${error.message}`;
      manager.control.log('join.refused', { address, code: error.code, why: error.message });
      manager.enter('joining', reason);
    }
    await pause(retryMs);
  }
}

async function ask(manager: Manager, address: string, request: JoinRequest): Promise<Admitted> {
  const first = await manager.channel.dial(address);
  let session = first;
  try {
    const found = await first.request('leader', Buffer.alloc(0), joinTimeoutMs);
    const leader = (JSON.parse(fromUtf8(found)) as { address?: string }).address;
    if (!leader) throw new ManagerError('LEADER_UNKNOWN', 'the network has no leader at present');
    if (leader !== address) session = await manager.channel.dial(leader);
    const body = await session.request('join', utf8(JSON.stringify(request)), joinTimeoutMs);
    return { reply: JSON.parse(fromUtf8(body)) as JoinReply, session };
  } catch (error) {
    session.close();
    throw error;
  } finally {
    if (session !== first) first.close();
  }
}

/** Checks what the network says of itself, and takes up its keys. */
function takeUp(manager: Manager, reply: JoinReply, session: PeerSession): void {
  const constitution = parseConstitution(reply.constitution);
  if (reply.networkCertificate !== manager.network.certificate || !isHex64(reply.networkId)) {
    throw new ManagerError('WRONG_NETWORK', 'the network names another certificate than given');
  }
  manager.peerDesk.checkAdmitted(session.peer, constitution);
  manager.peerDesk.given(constitution);
  const network = { id: reply.networkId, certificate: reply.networkCertificate };
  manager.belongTo(network, reply.nodeCertificate);
  manager.sessionKeys.learnAll(reply.sessionKeys);
}
