import { erase, type HolderKey, type Scalar, timesBase, toScalar } from '@concordat/keys';
import { emptyBytes, equalBytes, fromHex, isHex64, toHex } from '@concordat/std';
import { ManagerError } from './errors.ts';
import type { ShareSource } from './key-sources.ts';
import type { SealedRecords } from './sealed-records.ts';

/** An actor's share of a shared key, as its decryption shares are made of it. */
export interface HeldShare {
  /** Where it lies on the polynomial: the holder's index in that sharing. */
  readonly index: number;
  readonly secret: Scalar;
}

/** Which share: of a key, and of one sharing of it. */
export interface SharePlace {
  /** Number of the shared key. */
  readonly key: number;
  /** Number of the ceremony that dealt it. */
  readonly sharing: number;
}

/** The sealed record's contents: bytes in hex. */
interface VaultRecord {
  readonly networkId: string;
  /** Secrets of holder keys, oldest first. */
  readonly holders: readonly string[];
  readonly shares: readonly (SharePlace & { readonly index: number; readonly secret: string })[];
}

const recordName = 'key-shares';
/** Holder keys that are kept: the one registered, and those whose registration may yet commit. */
const maxHolderKeys = 4;

/**
 * An actor's secrets on one of its nodes: its holder keys and its shares, in memory, and sealed by the
 * platform on the host's disk. The host can lose the record or bring back an old one, so nothing is
 * concluded from what it lacks: the ledger says which holder key is registered and which sharing counts.
 */
export class ShareVault implements ShareSource {
  readonly #records: Pick<SealedRecords, 'put'>;
  #networkId = '';
  readonly #holders: HolderKey[] = [];
  readonly #shares = new Map<string, SharePlace & HeldShare>();
  #lastWrite: Promise<void> = Promise.resolve();

  /** An empty one. */
  constructor(records: Pick<SealedRecords, 'put'>) {
    this.#records = records;
  }

  /**
   * Opens what the host has of it. A record that cannot be read, as after an upgrade of the code, is as
   * good as lost, and the actor's other nodes or a resharing make up for it.
   * @param onUnreadable told of such a record
   * @throws ManagerError CONTROL_CLOSED, HOST_FAULT
   */
  static async open(
    records: Pick<SealedRecords, 'get' | 'put'>,
    onUnreadable: (why: string) => void,
  ): Promise<ShareVault> {
    const vault = new ShareVault(records);
    try {
      vault.#take(await records.get<VaultRecord>(recordName));
    } catch (error) {
      if (!(error instanceof ManagerError) || error.code !== 'RECORD_UNREADABLE') throw error;
      onUnreadable(error.message);
    }
    return vault;
  }

  #take(record: VaultRecord | undefined): void {
    if (!record || !isHex64(record.networkId)) return;
    this.#networkId = record.networkId;
    for (const secret of record.holders) this.#holders.push(holderKeyOf(secret));
    for (const { key, sharing, index, secret } of record.shares) {
      const share = { key, sharing, index, secret: toScalar(bytesOf(secret)) };
      this.#shares.set(nameOf(share), share);
    }
  }

  /** Binds it to a network: what it holds of another one is none of this one's. */
  belongTo(networkId: string): void {
    if (networkId === this.#networkId) return;
    this.erase();
    this.#networkId = networkId;
  }

  /** The holder key drawn or received last; registered or about to be. */
  get newestHolder(): HolderKey | undefined {
    return this.#holders.at(-1);
  }

  /** The holder key of a registration, when this node knows its secret. */
  holderOf(encryptionKey: string): HolderKey | undefined {
    const wanted = bytesOf(encryptionKey);
    return this.#holders.find((holder) => equalBytes(holder.encryptionKey, wanted));
  }

  /** The secret behind a registered holder key. */
  holderSecret(encryptionKey: string): Scalar | undefined {
    return this.holderOf(encryptionKey)?.decryptionKey;
  }

  shareOf(keyNumber: number, sharing: number): HeldShare | undefined {
    return this.#shares.get(nameOf({ key: keyNumber, sharing }));
  }

  /** Shares held, by key and sharing. */
  get places(): readonly SharePlace[] {
    return Array.from(this.#shares.values(), ({ key, sharing }) => ({ key, sharing }));
  }

  /** Keeps a holder key; resolves once it would outlive a crash. @throws ManagerError HOST_FAULT */
  keepHolder(holder: HolderKey): Promise<void> {
    if (this.holderOf(toHex(holder.encryptionKey))) return this.#written();
    this.#holders.push(holder);
    const dropped = this.#holders.splice(0, Math.max(0, this.#holders.length - maxHolderKeys));
    for (const { decryptionKey } of dropped) erase(decryptionKey);
    return this.#write();
  }

  /** Keeps a share; resolves once it would outlive a crash. @throws ManagerError HOST_FAULT */
  keepShare(place: SharePlace, { index, secret }: HeldShare): Promise<void> {
    const known = this.#shares.get(nameOf(place));
    if (known?.index === index && equalBytes(known.secret, secret)) return this.#written();
    const { key, sharing } = place;
    this.#shares.set(nameOf(place), { key, sharing, index, secret });
    return this.#write();
  }

  /**
   * Forgets shares and holder keys that are of no more use.
   * @param still.newerThan a holder key; those that came after it may be about to be registered
   * @throws ManagerError HOST_FAULT
   */
  retain(still: {
    readonly share: (place: SharePlace) => boolean;
    readonly holder: (encryptionKey: string) => boolean;
    readonly newerThan: string;
  }): Promise<void> {
    const before = this.#shares.size + this.#holders.length;
    for (const [name, share] of this.#shares) {
      if (still.share(share)) continue;
      erase(share.secret);
      this.#shares.delete(name);
    }
    const registered = this.#holders.findIndex(({ encryptionKey }) =>
      equalBytes(encryptionKey, bytesOf(still.newerThan)),
    );
    for (const holder of this.#holders.slice(0, Math.max(0, registered))) {
      if (still.holder(toHex(holder.encryptionKey))) continue;
      erase(holder.decryptionKey);
      this.#holders.splice(this.#holders.indexOf(holder), 1);
    }
    return before === this.#shares.size + this.#holders.length ? this.#written() : this.#write();
  }

  /** What is held is durable; a write that failed is tried again. */
  #written(): Promise<void> {
    return this.#lastWrite.catch(() => this.#write());
  }

  /** One record after another: what is written last is what is held. */
  #write(): Promise<void> {
    const record: VaultRecord = {
      networkId: this.#networkId,
      holders: this.#holders.map(({ decryptionKey }) => toHex(decryptionKey)),
      shares: Array.from(this.#shares.values(), ({ key, sharing, index, secret }) => {
        return { key, sharing, index, secret: toHex(secret) };
      }),
    };
    const put = (): Promise<void> => this.#records.put(recordName, record);
    const written = this.#lastWrite.then(put, put);
    written.catch(() => undefined);
    this.#lastWrite = written;
    return written;
  }

  /** Zeroes everything in memory: what a node that ends does. */
  erase(): void {
    for (const { decryptionKey } of this.#holders.splice(0)) erase(decryptionKey);
    for (const { secret } of this.#shares.values()) erase(secret);
    this.#shares.clear();
  }
}

const bytesOf = (hex: string): Uint8Array => fromHex(hex) ?? emptyBytes;

const nameOf = ({ key, sharing }: SharePlace): string => `${key}/${sharing}`;

function holderKeyOf(secret: string): HolderKey {
  const decryptionKey = toScalar(bytesOf(secret));
  return { decryptionKey, encryptionKey: timesBase(decryptionKey) };
}
