import { controlSocket, decodeManagerStart, type ManagerStart } from '@concordat/bridge';
import { CodedError, equalBytes } from '@concordat/std';
import { localReportData, verifiedEvidence } from './admission.ts';
import { ControlLink } from './control-link.ts';
import { entropy } from './enclave-sources.ts';
import { ManagerError } from './errors.ts';
import { Manager } from './manager.ts';
import { createNodeIdentity, restoreNodeIdentity, type SealedIdentity } from './node-identity.ts';
import { RecordKeeper, type RejoinRecord } from './record-keeper.ts';
import { SealedRecords } from './sealed-records.ts';
import { startGenesis } from './start-genesis.ts';
import { startJoin } from './start-join.ts';
import { startResume } from './start-resume.ts';

/** Genesis data is complete when every part of every announced adapter has come. */
interface GenesisParts {
  readonly parts: Map<string, Uint8Array[]>;
  missing: Set<string>;
}

/** Time for the last log line to reach the host. */
const lastWordsMs = 50;

const endSoon = (): void => {
  setTimeout(() => process.exit(1), lastWordsMs);
};

/** Runs the manager enclave of one validating node over its bridge directory. */
export async function runManager(bridgeDirectory: string): Promise<void> {
  const started = Promise.withResolvers<ManagerStart>();
  const genesis: GenesisParts = { parts: new Map(), missing: new Set() };
  const genesisReady = Promise.withResolvers<void>();
  let manager: Manager | undefined;
  const control: ControlLink = new ControlLink(controlSocket(bridgeDirectory), {
    onStart: (json) => {
      const start = decodeManagerStart(json);
      // Set before the next frame is read: parts may follow in the same chunk.
      genesis.missing = new Set(start.genesisData);
      if (genesis.missing.size === 0) genesisReady.resolve();
      started.resolve(start);
    },
    onSynced: (height) => manager?.synced(height),
    onTruncated: () => manager?.truncated(),
    onGenesisData: (adapterId, part, last) => {
      const parts = genesis.parts.get(adapterId) ?? [];
      parts.push(Buffer.from(part));
      genesis.parts.set(adapterId, parts);
      if (last) genesis.missing.delete(adapterId);
      if (genesis.missing.size === 0) genesisReady.resolve();
    },
    onShutdown: () => void shutdown(manager),
    onFault: (code, message) => {
      // Without a disk nothing can be acknowledged: the VN stops rather than promise too much.
      manager?.lifeCycle.fail(new ManagerError('HOST_FAULT', `${code}: ${message}`));
    },
    onClose: () => process.exit(0),
  });
  endOnBugs(control);
  try {
    const start = await started.promise;
    const origin = await originOf(control, start);
    manager = await createManager(control, origin, bridgeDirectory);
    await manager.channel.listen();
    control.listening('node');
    manager.publishStatus();
    if (start.mode === 'genesis') await genesisReady.promise;
    for (const [adapterId, parts] of genesis.parts) manager.genesisData.set(adapterId, parts);
    await begin(manager, origin);
  } catch (error) {
    if (manager) manager.lifeCycle.fail(error as Error);
    else giveUp(control, error);
  }
}

/** A broken invariant ends the process, after saying which; the host starts a pristine one. */
function endOnBugs(control: ControlLink): void {
  const end = (error: unknown): void => {
    const stack = error instanceof Error ? error.stack : undefined;
    control.log('manager.crashed', { level: 'error', why: String(error), stack });
    control.flush();
    endSoon();
  };
  process.on('uncaughtException', end);
  process.on('unhandledRejection', end);
}

function giveUp(control: ControlLink, error: unknown): void {
  const code = error instanceof CodedError ? error.code : 'INTERNAL_ERROR';
  const why = error instanceof Error ? error.message : String(error);
  control.log('manager.failed', { level: 'error', code, why });
  control.status({ phase: 'failed', reason: `${code}: ${why}` });
  control.flush();
  endSoon();
}

/** What this launch comes from. */
interface Origin {
  readonly start: ManagerStart;
  readonly records: SealedRecords;
  /** Left by a launch that has to rejoin as a new node. */
  readonly rejoin?: RejoinRecord;
  /** Left by a launch that had its place in the network. */
  readonly identity?: SealedIdentity;
}

async function originOf(control: ControlLink, start: ManagerStart): Promise<Origin> {
  const records = new SealedRecords(control, await control.sealingKey(), entropy);
  const keeper = new RecordKeeper(records);
  try {
    const rejoin = await keeper.rejoin();
    if (rejoin) return { start, records, rejoin };
    const identity = start.mode === 'join' ? undefined : await keeper.identity();
    if (identity && start.mode === 'genesis') throw lostLedger(identity);
    return { start, records, ...(identity && { identity }) };
  } catch (error) {
    // After an upgrade the code cannot read what the code before it sealed: it joins as a new node.
    const unreadable = error instanceof ManagerError && error.code === 'RECORD_UNREADABLE';
    if (!unreadable || start.peers.length === 0) throw error;
    control.log('node.records-unreadable', { level: 'warn', why: error.message });
    return { start, records };
  }
}

/** A host that lost or hides the ledger of a network does not get that network begun a second time. */
const lostLedger = ({ networkId }: SealedIdentity): ManagerError =>
  new ManagerError(
    'LEDGER_TRUNCATED',
    'this host has no ledger, but a network was begun here: bring the ledger back, or use another data directory for a new network',
    { networkId },
  );

async function createManager(
  control: ControlLink,
  { start, records, identity: sealed }: Origin,
  bridgeDirectory: string,
): Promise<Manager> {
  const identity = sealed ? restoreNodeIdentity(sealed) : createNodeIdentity(entropy, Date.now());
  const reportData = localReportData('node', identity.signing.publicKeySpki);
  const verdict = verifiedEvidence(await control.attest(reportData), Date.now());
  if (!equalBytes(verdict.reportData, reportData)) {
    throw new ManagerError('EVIDENCE_INVALID', 'the host gave evidence of something else');
  }
  return new Manager({
    control,
    records,
    start,
    identity,
    verdict,
    bridgeDirectory,
    exit: endSoon,
  });
}

async function begin(manager: Manager, { start, rejoin, identity }: Origin): Promise<void> {
  if (rejoin) return startJoin(manager, rejoin);
  if (start.mode === 'genesis') return startGenesis(manager);
  if (identity) return startResume(manager, identity);
  // The launch before ended before it was part of a network: begin as if for the first time.
  if (start.mode === 'join' || start.peers.length > 0) return startJoin(manager);
  throw new ManagerError(
    'INVALID_START',
    'there is a ledger but no sealed identity of this platform and code: it cannot be resumed',
  );
}

let stopping = false;

async function shutdown(manager: Manager | undefined): Promise<void> {
  if (stopping) return;
  stopping = true;
  try {
    await manager?.shutdown();
  } finally {
    process.exit(0);
  }
}
