import { type Constitution, parseConstitution } from '@concordat/governance';
import { isHex64, type NodeId, toNodeId } from '@concordat/std';
import { ManagerError } from './errors.ts';
import type { NodeIdentity, SealedIdentity } from './node-identity.ts';
import type { SealedRecords } from './sealed-records.ts';

/** What a restarted VN rejoins with, sealed by its previous launch. */
export interface RejoinRecord {
  readonly replaces: NodeId;
  /** Node channel addresses. */
  readonly peers: readonly string[];
  /** PEM. */
  readonly networkCertificate: string;
  readonly networkId: string;
  /** The local ledger was found damaged: nothing of it is used. */
  readonly discardLedger?: boolean;
}

/** A snapshot on this host that this node can open. */
export interface KeptSnapshot {
  /** 64 hex digits. */
  readonly networkId: string;
  readonly height: number;
  /** Hex, 32 bytes: digest of its manifest. */
  readonly digest: string;
  /** Number of chunks, the manifest included. */
  readonly chunks: number;
  /** Plaintext bytes of all chunks. */
  readonly bytes: number;
  /** Another node gave it, and the ledger has not confirmed it yet. */
  readonly given?: boolean;
  /** Hex, 32 bytes: what manifest, history summary and public governance are sealed with. */
  readonly key: string;
  /** Hex: what all else is sealed with, under the session key of the snapshot's epoch. */
  readonly closedKey?: string;
}

/** How far a node's ledger is final. */
export interface Progress {
  /** Height. */
  readonly committed: number;
  /** Hex, 32 bytes: root of the history up to that block, where it was at hand. */
  readonly historyRoot?: string;
}

/** Consensus's hard state as a resumption finds it. */
export interface HardState {
  readonly view: number;
  readonly votedFor?: NodeId;
}

/** The sealed records of a node by their meaning. */
export class RecordKeeper {
  readonly #records: SealedRecords;
  #constitution: Constitution | undefined;
  #progress: Progress | undefined;

  constructor(records: SealedRecords) {
    this.#records = records;
  }

  /** Seals what the whole network can be started again with. */
  async sealIdentity(
    identity: NodeIdentity,
    belonging: Omit<SealedIdentity, 'signing' | 'encryption'>,
  ): Promise<void> {
    await this.#records.put('identity', {
      signing: identity.signing.toPkcs8Pem(),
      encryption: identity.encryption.toPkcs8Pem(),
      ...belonging,
    } satisfies SealedIdentity);
  }

  /** Keeps the constitution in force: what workers are judged by before a replay feeds them. */
  async keepConstitution(constitution: Constitution): Promise<void> {
    if (constitution === this.#constitution) return;
    this.#constitution = constitution;
    await this.#records.put('constitution', constitution);
  }

  /** @throws ManagerError RECORD_UNREADABLE also when it is not there; GovernanceError */
  async constitution(): Promise<Constitution> {
    const kept = await this.#records.get<unknown>('constitution');
    if (kept !== undefined) return parseConstitution(kept);
    throw new ManagerError('RECORD_UNREADABLE', 'the host has lost the record constitution');
  }

  /** Remembers how far the ledger is final: less than that, or another one, is not resumed. */
  async keepProgress({ committed, historyRoot }: Progress): Promise<void> {
    const last = this.#progress;
    if (committed === last?.committed && historyRoot === last.historyRoot) return;
    this.#progress = { committed, ...(historyRoot && { historyRoot }) };
    await this.#records.put('progress', this.#progress);
  }

  /** How far the ledger was final when it was last remembered; nowhere when never. */
  async progress(): Promise<Progress> {
    return (await this.#records.get<Progress>('progress')) ?? { committed: 0 };
  }

  /** The hard state kept last. */
  async hardState(): Promise<HardState | undefined> {
    return this.#records.get<HardState>('hard-state');
  }

  /** Keeps the keys of the snapshots on this host, newest first. */
  async keepSnapshots(snapshots: readonly KeptSnapshot[]): Promise<void> {
    await this.#records.put('snapshots', { snapshots });
  }

  /** Snapshots this node can open, if its host still has them, newest first. */
  async snapshots(): Promise<readonly KeptSnapshot[]> {
    const record = await this.#records.get<{ snapshots: readonly KeptSnapshot[] }>('snapshots');
    return record?.snapshots ?? [];
  }

  /** Leaves what the next launch rejoins with. */
  async keepRejoin(record: RejoinRecord): Promise<void> {
    await this.#records.put('rejoin', record);
  }

  /** The node has its place: the next launch need not rejoin. */
  async clearRejoin(): Promise<void> {
    await this.#records.put('rejoin', {});
  }

  /** What the launch before left to rejoin with. */
  async rejoin(): Promise<RejoinRecord | undefined> {
    const record = await this.#records.get<Partial<RejoinRecord>>('rejoin');
    if (!record || !isHex64(record.replaces)) return undefined;
    return { ...(record as RejoinRecord), replaces: toNodeId(record.replaces) };
  }

  /** The identity a whole network can be started again with. */
  async identity(): Promise<SealedIdentity | undefined> {
    return this.#records.get<SealedIdentity>('identity');
  }
}
