import { decodeManagerStart, type ManagerStart } from '@concordat/bridge';
import { CodedError, equalBytes, toHex } from '@concordat/std';
import { localReportData, verifiedEvidence } from './admission.ts';
import { ControlLink } from './control-link.ts';
import { entropy } from './enclave-sources.ts';
import { ManagerError } from './errors.ts';
import { Manager } from './manager.ts';
import { createNodeIdentity, restoreNodeIdentity, type SealedIdentity } from './node-identity.ts';
import type { ConnectToHost } from './ports.ts';
import { RecordKeeper, type RejoinRecord } from './record-keeper.ts';
import { SealedRecords } from './sealed-records.ts';
import { ShareVault } from './share-vault.ts';
import { startGenesis } from './start-genesis.ts';
import { startJoin } from './start-join.ts';
import { startRecover } from './start-recover.ts';
import { startResume } from './start-resume.ts';
import type { ManagerWays } from './ways.ts';

/** What one launch of a manager is given. */
export interface LaunchOptions {
  readonly connect: ConnectToHost;
  readonly bridgeDirectory: string;
  readonly ways: ManagerWays;
  /** Ends this launch after its failure, with this code, has been told. */
  readonly exit: (code: string) => void;
  /** The host asks it to end in good order. */
  readonly onShutdown: () => void;
  /** The host is gone: the enclave must end. */
  readonly onClose: () => void;
}

/** Left by the launch before this one. */
interface Origin {
  /** It has to rejoin as a new node. */
  readonly rejoin?: RejoinRecord;
  /** It had its place in the network. */
  readonly identity?: SealedIdentity;
}

/** One launch of a manager enclave, from the host's start frame on: found, join, resume or recover. */
export class Launch {
  readonly control: ControlLink;
  readonly #options: LaunchOptions;
  readonly #started = Promise.withResolvers<ManagerStart>();
  /** Parts of the genesis data by adapter; complete when those of every announced one have come. */
  readonly #genesisData = new Map<string, Uint8Array[]>();
  readonly #genesisReady = Promise.withResolvers<void>();
  #genesisMissing = new Set<string>();
  #manager: Manager | undefined;

  constructor(options: LaunchOptions) {
    this.#options = options;
    this.control = new ControlLink(options.connect, {
      onStart: (json) => this.#start(decodeManagerStart(json)),
      onSynced: (height) => this.#manager?.synced(height),
      onTruncated: () => this.#manager?.truncated(),
      onEarlierSynced: (height) => this.#manager?.backfill.synced(height),
      onGenesisData: (adapterId, part, last) => this.#genesisPart(adapterId, part, last),
      onApprove: (terms) => this.#manager?.peerDesk.approval.approve(toHex(terms)),
      onShutdown: options.onShutdown,
      onFault: (code, message) => {
        // Without a disk nothing can be acknowledged: the VN stops rather than promise too much.
        this.#manager?.lifeCycle.fail(new ManagerError('HOST_FAULT', `${code}: ${message}`));
      },
      onClose: options.onClose,
    });
  }

  /** The manager, once this launch knows who it is. */
  get manager(): Manager | undefined {
    return this.#manager;
  }

  /** Waits for the start frame and begins; a failure is told to the host and ends the launch. */
  async run(): Promise<void> {
    try {
      const start = await this.#started.promise;
      const records = new SealedRecords(this.control, await this.control.sealingKey(), entropy);
      const origin = await originOf(this.control, start, records);
      const manager = await this.#createManager(start, records, origin);
      this.#manager = manager;
      await manager.channel.listen();
      this.control.listening('node');
      manager.publishStatus();
      if (start.mode === 'genesis') await this.#genesisReady.promise;
      for (const [adapterId, parts] of this.#genesisData) manager.genesisData.set(adapterId, parts);
      await begin(manager, origin);
    } catch (error) {
      if (this.#manager) this.#manager.lifeCycle.fail(error as Error);
      else this.#giveUp(error);
    }
  }

  #start(start: ManagerStart): void {
    // Set before the next frame is read: parts may follow in the same chunk.
    this.#genesisMissing = new Set(start.genesisData);
    if (this.#genesisMissing.size === 0) this.#genesisReady.resolve();
    this.#started.resolve(start);
  }

  #genesisPart(adapterId: string, part: Uint8Array, last: boolean): void {
    const parts = this.#genesisData.get(adapterId) ?? [];
    parts.push(Buffer.from(part));
    this.#genesisData.set(adapterId, parts);
    if (last) this.#genesisMissing.delete(adapterId);
    if (this.#genesisMissing.size === 0) this.#genesisReady.resolve();
  }

  async #createManager(
    start: ManagerStart,
    records: SealedRecords,
    { identity: sealed }: Origin,
  ): Promise<Manager> {
    const { control } = this;
    const identity = sealed ? restoreNodeIdentity(sealed) : createNodeIdentity(entropy, Date.now());
    const reportData = localReportData('node', identity.signing.publicKeySpki);
    const verdict = verifiedEvidence(await control.attest(reportData), Date.now());
    if (!equalBytes(verdict.reportData, reportData)) {
      throw new ManagerError('EVIDENCE_INVALID', 'the host gave evidence of something else');
    }
    const vault = await ShareVault.open(records, (why) => {
      control.log('key.shares-unreadable', { level: 'warn', why });
    });
    return new Manager({ control, records, vault, start, identity, verdict, ...this.#options });
  }

  #giveUp(error: unknown): void {
    const code = error instanceof CodedError ? error.code : 'INTERNAL_ERROR';
    const why = error instanceof Error ? error.message : String(error);
    this.control.log('manager.failed', { level: 'error', code, why });
    this.control.status({ phase: 'failed', reason: `${code}: ${why}` });
    this.control.flush();
    this.#options.exit(code);
  }
}

async function originOf(
  control: ControlLink,
  start: ManagerStart,
  records: SealedRecords,
): Promise<Origin> {
  const keeper = new RecordKeeper(records);
  try {
    const rejoin = await keeper.rejoin();
    if (rejoin) return { rejoin };
    const identity = start.mode === 'join' ? undefined : await keeper.identity();
    const begins = start.mode === 'genesis' || start.mode === 'recover';
    if (identity && begins) throw lostLedger(identity);
    return identity ? { identity } : {};
  } catch (error) {
    // After an upgrade the code cannot read what the code before it sealed: it joins as a new node.
    const unreadable = error instanceof ManagerError && error.code === 'RECORD_UNREADABLE';
    if (!unreadable || start.peers.length === 0) throw error;
    control.log('node.records-unreadable', { level: 'warn', why: error.message });
    return {};
  }
}

/** A host that lost or hides the ledger of a network does not get that network begun a second time. */
const lostLedger = ({ networkId }: SealedIdentity): ManagerError =>
  new ManagerError(
    'LEDGER_TRUNCATED',
    'this host has no ledger, but a network was begun here: bring the ledger back, or use another data directory for a new network',
    { networkId },
  );

async function begin(manager: Manager, { rejoin, identity }: Origin): Promise<void> {
  const { start } = manager;
  if (rejoin) return startJoin(manager, rejoin);
  if (start.mode === 'genesis') return startGenesis(manager);
  if (identity) return startResume(manager, identity);
  if (start.former) return startRecover(manager, start.former);
  // The launch before ended before it was part of a network: begin as if for the first time.
  if (start.mode === 'join' || start.peers.length > 0) return startJoin(manager);
  throw new ManagerError(
    'INVALID_START',
    'there is a ledger but no sealed identity of this platform and code: it cannot be resumed',
  );
}
