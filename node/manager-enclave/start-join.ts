import type { Constitution } from '@concordat/governance';
import { CodedError, toHeight } from '@concordat/std';
import { unknownNetwork } from './admission.ts';
import { pause } from './enclave-sources.ts';
import { ManagerError } from './errors.ts';
import {
  type ApprovedTerms,
  decodeJoinOffer,
  decodeJoinReply,
  decodeLeaderAddress,
  encodeJoinMessage,
  type JoinOffer,
  type JoinReply,
  type JoinRequest,
} from './join-messages.ts';
import { replayLedger } from './ledger-replay.ts';
import type { Manager } from './manager.ts';
import { checkNetwork } from './network-check.ts';
import type { DialledPeer } from './ports.ts';
import type { RejoinRecord } from './record-keeper.ts';
import { requireProven } from './rejoining.ts';
import { beginFrom, findStartBase, publicPartOf, type StartBase } from './start-base.ts';

const retryMs = 500;
const maxRetryMs = 4_000;
const durableCheckMs = 5;
const joinTimeoutMs = 30_000;

/**
 * Joins a network (paper, "Adding a New Member or Participant"): asks until it is listed, checks the
 * network in turn, waits until its operator has approved the constitution, then catches up as a learner until the leader makes it a voter. A restarted VN
 * keeps its newest snapshot, and of its local ledger what was final, once it has opened and checked
 * it again.
 * @throws ManagerError INVALID_START, LEDGER_CORRUPT, SNAPSHOT_CORRUPT, SNAPSHOT_UNPROVEN
 */
export async function startJoin(manager: Manager, rejoin?: RejoinRecord): Promise<void> {
  const { start, channel, peerDesk, lifeCycle, keeper, workers, identity } = manager;
  const certificate = rejoin?.networkCertificate ?? start.networkCertificatePem;
  const peers = rejoin?.peers.length ? rejoin.peers : start.peers;
  if (!certificate || peers.length === 0) {
    throw new ManagerError(
      'INVALID_START',
      'joining needs the network certificate and the address of at least one node',
    );
  }
  manager.belongTo({ id: rejoin?.networkId ?? unknownNetwork, certificate }, '');
  peerDesk.beNewcomer();
  lifeCycle.enter('joining', 'looking for the network');
  const connected = manager.connectWorkers();
  const { reply, constitution } = await askUntilAdmitted(manager, peers, rejoin);
  const next = {
    replaces: identity.nodeId,
    peers: peersOf(constitution, manager, peers),
    networkCertificate: certificate,
    networkId: reply.networkId,
  };
  // From here on this identity is in the node list: a crash must not leave it orphaned.
  await keeper.keepRejoin(rejoin?.discardLedger ? { ...next, discardLedger: true } : next);
  // Only now is it certain that others have what may be dropped.
  const kept = await keepFinalPart(manager, rejoin);
  if (rejoin?.discardLedger) await keeper.keepRejoin(next);
  await connected;
  workers.configure(constitution);
  lifeCycle.enter('learning', 'catching up with the ledger');
  // Who gives the keys to what was kept, and later the blocks that are missing.
  channel.targets = constitution.nodes
    .filter(({ nodeId, status }) => status === 'trusted' && nodeId !== identity.nodeId)
    .map(({ nodeId, address }) => ({ nodeId, address }));
  const replayed = await bringBack(manager, kept, next);
  const { log } = manager;
  manager.startConsensus(
    {
      view: log.lastView,
      lastHeight: log.lastHeight,
      lastView: log.lastView,
      committed: log.committedHeight,
      configuration: replayed?.configuration ?? reply.configuration,
      configurationHeight: replayed?.configurationHeight ?? toHeight(0),
      viewHistory: log.viewHistory(),
    },
    constitution.policies,
  );
  await lifeCycle.trusted;
  await requireProven(manager);
  // A later start looks for this identity in what was final by then.
  await keeper.keepProgress(manager.log.progressAt(toHeight(await durablyTrusted(manager))));
  await manager.sealIdentity();
  await keeper.clearRejoin();
  await manager.serve();
}

/** Waits until the block that made this node a voter is on its own disk; answers how far all is. */
async function durablyTrusted({ driver, log }: Manager): Promise<number> {
  const trusted = log.committedHeight;
  while (driver.durableHeight < trusted) await pause(durableCheckMs);
  return driver.durableHeight;
}

/** What a launch has of the network it rejoins: a snapshot, blocks, both or neither. */
interface Kept {
  readonly base?: StartBase;
  /** The ledger is kept up to here. */
  readonly upTo: number;
}

/** Cuts the local ledger to what was final when this VN stopped. */
async function keepFinalPart(manager: Manager, rejoin: RejoinRecord | undefined): Promise<Kept> {
  const { start, keeper, control, held } = manager;
  const isKept = rejoin && !rejoin.discardLedger;
  if (!isKept) await dropSnapshots(manager);
  const base = isKept ? await findStartBase(manager) : undefined;
  // After an upgrade what the code before it sealed cannot be read: nothing is kept, so nothing is asked.
  const progress = isKept ? await keeper.progress() : { committed: 0 };
  const final = isKept ? Math.max(progress.committed, base?.height ?? 0) : 0;
  // Without a snapshot to begin from, a ledger that lacks its first blocks is of no use.
  const usable = base || start.firstHeight === 1 ? final : 0;
  const upTo = Math.min(usable, start.lastHeight);
  if (isKept && upTo === 0 && start.lastHeight > 0) {
    control.log('ledger.not-kept', { level: 'warn', firstHeight: start.firstHeight });
  }
  const committed = Math.max(upTo, base?.height ?? 0);
  await keeper.keepProgress(committed === progress.committed ? progress : { committed });
  if (start.lastHeight > upTo) {
    held.cutAfter(upTo);
    await manager.truncateLedger(upTo);
  }
  return { upTo, ...(base && { base }) };
}

async function dropSnapshots({ start, keeper, control }: Manager): Promise<void> {
  for (const { height } of start.snapshots) control.snapshotDrop(height);
  if (start.snapshots.length > 0) await keeper.keepSnapshots([]);
}

/** What is not the fault of the blocks that were kept. */
const otherFaults: ReadonlySet<string> = new Set(['SNAPSHOT_CORRUPT', 'KEY_SHARES_MISSING']);

/**
 * Takes up what was kept: checks what is public of it, gathers the keys by that, and reads it. Blocks
 * that do not hold are thrown away by the next launch.
 */
async function bringBack(manager: Manager, { base, upTo }: Kept, next: RejoinRecord) {
  const { keeper, epochs } = manager;
  const committed = Math.max(upTo, base?.height ?? 0);
  if (committed === 0) return undefined;
  try {
    const progress = await keeper.progress();
    const ledger = await publicPartOf(manager, base, { upTo, progress });
    await epochs.obtain(ledger.epochs, ledger.administration.head);
    if (base) await beginFrom(manager, base, upTo);
    return await replayLedger(manager, { upTo, committed, ...(base && { base }) });
  } catch (error) {
    if (error instanceof CodedError && !otherFaults.has(error.code)) {
      await keeper.keepRejoin({ ...next, discardLedger: true });
    }
    throw error;
  }
}

function peersOf(
  { nodes }: Constitution,
  { identity }: Manager,
  known: readonly string[],
): readonly string[] {
  const listed = nodes
    .filter(({ nodeId, status }) => status === 'trusted' && nodeId !== identity.nodeId)
    .map(({ address }) => address);
  return [...new Set([...listed, ...known])];
}

interface Admitted {
  readonly reply: JoinReply;
  readonly constitution: Constitution;
}

async function askUntilAdmitted(
  manager: Manager,
  peers: readonly string[],
  rejoin: RejoinRecord | undefined,
): Promise<Admitted> {
  const { identity, lifeCycle, control } = manager;
  const request: JoinRequest = {
    encryptionKey: Buffer.from(identity.encryption.publicKey).toString('hex'),
    ...(rejoin && { replaces: rejoin.replaces }),
  };
  let waitMs = retryMs;
  for (let attempt = 0; ; attempt++) {
    const address = peers[attempt % peers.length] as string;
    try {
      return await ask(manager, address, request);
    } catch (error) {
      if (!(error instanceof CodedError)) throw error;
      const { code, message } = error;
      const reason = `${code}: ${message}`;
      const isNew = reason !== lifeCycle.reason;
      if (isNew) control.log('join.refused', { address, code, why: message });
      // What takes a vote, or an operator, is not asked for as often as what passes by itself.
      waitMs = isNew || !lasting.has(code) ? retryMs : Math.min(2 * waitMs, maxRetryMs);
      const isShown = code === 'CONSTITUTION_NOT_APPROVED';
      lifeCycle.enter(isShown ? 'awaiting-approval' : 'joining', reason);
    }
    await Promise.race([pause(waitMs), manager.peerDesk.approval.decision]);
  }
}

/** Refusals that last until somebody has decided something. */
const lasting: ReadonlySet<string> = new Set([
  'NODE_TOO_EARLY',
  'NODE_NOT_ADMITTED',
  'NODE_NOT_AS_ADMITTED',
  'REJOIN_REFUSED',
  'UNLISTED_MEASUREMENT',
  'UNLISTED_TEE',
  'WRONG_NETWORK',
  'CONSTITUTION_NOT_APPROVED',
]);

async function ask(manager: Manager, address: string, request: JoinRequest): Promise<Admitted> {
  const first = await manager.channel.dial(address);
  let session = first;
  try {
    const found = await first.request('leader', Buffer.alloc(0), joinTimeoutMs);
    const leader = decodeLeaderAddress(found);
    if (!leader) throw new ManagerError('LEADER_UNKNOWN', 'the network has no leader at present');
    if (leader !== address) session = await manager.channel.dial(leader);
    const say = (message: JoinRequest): Promise<Uint8Array> =>
      (session as DialledPeer).request('join', encodeJoinMessage(message), joinTimeoutMs);
    if (request.replaces) return takeUp(manager, decodeJoinReply(await say(request)), session);
    const approved = approvedOf(manager, decodeJoinOffer(await say(request)), session);
    const reply = decodeJoinReply(await say({ ...request, approved }));
    const admitted = checked(manager, reply, session);
    // It may have changed between the admission and the answer: nothing has been downloaded yet.
    manager.peerDesk.approval.require(admitted, reply.networkId);
    return takeUp(manager, reply, session);
  } finally {
    session.close();
    first.close();
  }
}

/** The constitution the network shows, once it is checked and approved. @throws as {@link checked} */
function approvedOf(manager: Manager, offer: JoinOffer, session: DialledPeer): ApprovedTerms {
  const { approval } = manager.peerDesk;
  const constitution = checked(manager, offer, session);
  const { actorId } = approval.newcomer;
  const terms = approval.require(constitution, offer.networkId);
  return { terms, ...(actorId && { actorId }) };
}

/** What the network shows, checked against what this newcomer knows. @throws as {@link checkNetwork} */
function checked(manager: Manager, offer: JoinOffer, { peer }: DialledPeer): Constitution {
  const { network, peerDesk, identity } = manager;
  const requireCode = (constitution: Constitution): void =>
    peerDesk.checkAdmitted(peer, constitution);
  return checkNetwork({ network, nodeId: identity.nodeId, requireCode }, offer);
}

/** Takes up what the network gives a node that it admitted. @throws as {@link checked}; KeysError */
function takeUp(manager: Manager, reply: JoinReply, session: DialledPeer): Admitted {
  const constitution = checked(manager, reply, session);
  manager.peerDesk.given(constitution);
  const { networkId: id, networkCertificate: certificate } = reply;
  manager.belongTo({ id, certificate }, reply.nodeCertificate);
  return { reply, constitution };
}
