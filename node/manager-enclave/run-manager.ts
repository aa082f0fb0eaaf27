import { controlSocket, decodeManagerStart, type ManagerStart } from '@concordat/bridge';
import { localReportData, verifiedEvidence } from './admission.ts';
import { ControlLink } from './control-link.ts';
import { entropy } from './enclave-sources.ts';
import { ManagerError } from './errors.ts';
import { Manager } from './manager.ts';
import { createNodeIdentity, restoreNodeIdentity, type SealedIdentity } from './node-identity.ts';
import { SealedRecords } from './sealed-records.ts';
import { startGenesis } from './start-genesis.ts';
import { type RejoinRecord, startJoin } from './start-join.ts';
import { startResume } from './start-resume.ts';

/** Genesis data is complete when every part of every announced adapter has come. */
interface GenesisParts {
  readonly parts: Map<string, Uint8Array[]>;
  missing: Set<string>;
}

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
    onSynced: (height) => {
      if (manager?.takesPart) manager.driver.synced(height);
    },
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
      manager?.fail(new ManagerError('HOST_FAULT', `${code}: ${message}`));
    },
    onClose: () => process.exit(0),
  });
  const start = await started.promise;
  try {
    manager = await createManager(control, start, bridgeDirectory);
    await manager.channel.listen();
    control.listening('node');
    manager.publishStatus();
    if (start.mode === 'genesis') await genesisReady.promise;
    for (const [adapterId, parts] of genesis.parts) manager.genesisData.set(adapterId, parts);
    await begin(manager);
  } catch (error) {
    if (!manager) {
      control.log('manager.failed', { why: String(error) });
      control.flush();
      setTimeout(() => process.exit(1), 50);
      return;
    }
    manager.fail(error as Error);
  }
}

const sealedOf = new WeakMap<Manager, SealedIdentity>();

async function createManager(
  control: ControlLink,
  start: ManagerStart,
  bridgeDirectory: string,
): Promise<Manager> {
  const records = new SealedRecords(control, await control.sealingKey(), entropy);
  const rejoin = await records.get<Partial<RejoinRecord>>('rejoin');
  const resumes = start.mode === 'resume' && !rejoin?.replaces;
  const sealed = resumes ? await records.get<SealedIdentity>('identity') : undefined;
  const identity = sealed ? restoreNodeIdentity(sealed) : createNodeIdentity(entropy, Date.now());
  const evidence = await control.attest(localReportData('node', identity.signing.publicKeySpki));
  const verdict = verifiedEvidence(evidence, Date.now());
  const manager = new Manager({ control, records, start, identity, verdict, bridgeDirectory });
  if (sealed) sealedOf.set(manager, sealed);
  return manager;
}

async function begin(manager: Manager): Promise<void> {
  const { start, records } = manager;
  if (start.mode === 'genesis') return startGenesis(manager);
  if (start.mode === 'join') return startJoin(manager);
  const rejoin = await records.get<Partial<RejoinRecord>>('rejoin');
  if (rejoin?.replaces) return startJoin(manager, rejoin as RejoinRecord);
  const sealed = sealedOf.get(manager);
  if (sealed) return startResume(manager, sealed);
  // The launch before ended before it was part of a network: begin as if for the first time.
  if (start.peers.length > 0) return startJoin(manager);
  throw new ManagerError(
    'INVALID_START',
    'there is a ledger but no sealed identity of this platform and code: it cannot be resumed',
  );
}

let stopping = false;

async function shutdown(manager: Manager | undefined): Promise<void> {
  if (stopping) return;
  stopping = true;
  await manager?.shutdown();
  process.exit(0);
}
