import type { EncryptionKey } from '@concordat/crypto';
import { SessionKeyring, unwrapSessionKey, wrapSessionKey } from '@concordat/keys';
import {
  decodeWriteSet,
  type ReadView,
  type TableDeclaration,
  type TransactionSet,
} from '@concordat/kv';
import type { SessionKey } from '@concordat/ledger';
import {
  type Epoch,
  equalBytes,
  fromHex,
  fromUtf8,
  type NodeId,
  toEpoch,
  utf8,
} from '@concordat/std';
import { ManagerError } from './errors.ts';

const wrapsTable = 'public:concordat.session-keys';
const epochTable = 'public:concordat.epoch';

/** Tables of the session keys: public, because a recovering owner must find its wrapped keys. */
export const sessionKeyTables: readonly TableDeclaration[] = [
  { name: wrapsTable, kind: 'ordered' },
  { name: epochTable, kind: 'hash' },
];

/** Someone session keys are wrapped to: a validating node or a key holder of the constitution. */
export interface KeyRecipient {
  /** Node id, or the key holder's name. */
  readonly name: string;
  /** P-256 public key, 65 bytes uncompressed. */
  readonly publicKey: Uint8Array;
}

const wrapKey = (epoch: number, recipient: string): string =>
  `${String(epoch).padStart(16, '0')}/${recipient}`;

/** The epoch in force in a state; 0 before the genesis block. */
export function currentEpoch(view: ReadView): Epoch {
  const value = view.table(epochTable).get('current');
  return toEpoch(value ? Number(fromUtf8(value)) : 0);
}

/** The wrapped session key of an epoch for a recipient, if the ledger holds one. */
export const wrappedKey = (
  view: ReadView,
  epoch: number,
  recipient: string,
): Uint8Array | undefined => view.table(wrapsTable).get(wrapKey(epoch, recipient));

/**
 * Session keys of the epochs this enclave may read. Until threshold keys exist a leader wraps each
 * epoch's key to the attested encryption key of every admitted node (paper, "Encrypting Persistent
 * State"); this class is the seam where collecting decryption shares takes over.
 */
export class SessionKeys {
  readonly #ring = new SessionKeyring();
  /** The wrap each held key came from, so that it is opened once. */
  readonly #opened = new Map<Epoch, Uint8Array>();
  /** Epochs whose key came with the block that began them, which may be taken back. */
  readonly #announced = new Set<Epoch>();
  readonly #owner: NodeId;
  readonly #encryption: EncryptionKey;
  #networkId = '';

  constructor(owner: NodeId, encryption: EncryptionKey) {
    this.#owner = owner;
    this.#encryption = encryption;
  }

  /** Binds wraps to the network; set once the network is known. */
  set networkId(networkId: string) {
    this.#networkId = networkId;
  }

  /** The key of an epoch, when this enclave holds it. */
  get(epoch: Epoch): SessionKey | undefined {
    return this.#ring.get(epoch);
  }

  /**
   * The key new blocks are sealed with.
   * @throws ManagerError SESSION_KEY_MISSING
   */
  current(view: ReadView): SessionKey {
    const epoch = currentEpoch(view);
    const key = this.#ring.get(epoch);
    if (!key) {
      throw new ManagerError('SESSION_KEY_MISSING', `no session key for epoch ${epoch}`, { epoch });
    }
    return key;
  }

  /** Starts the next epoch with a fresh key, wrapped to every recipient, in the open write set. */
  begin(
    set: TransactionSet,
    recipients: readonly KeyRecipient[],
    entropy: (bytes: number) => Uint8Array,
  ): SessionKey {
    const epoch = toEpoch(currentEpoch(set) + 1);
    // A block that was taken back may have announced another key under this number.
    this.#forget(epoch);
    const drawn = entropy(32);
    const session = this.#ring.add({ epoch, key: drawn });
    drawn.fill(0);
    this.#announced.add(epoch);
    for (const recipient of recipients) this.#wrap(set, session, recipient, entropy);
    set.table(epochTable).set('current', utf8(String(epoch)));
    return session;
  }

  /** Wraps every epoch's key to a node that joins, and records the wraps in the open write set. */
  shareWith(
    set: TransactionSet,
    recipient: KeyRecipient,
    entropy: (bytes: number) => Uint8Array,
  ): void {
    for (const epoch of this.#ring.epochs) {
      this.#wrap(set, this.#ring.get(epoch) as SessionKey, recipient, entropy);
    }
  }

  #wrap(
    set: TransactionSet,
    session: SessionKey,
    recipient: KeyRecipient,
    entropy: (bytes: number) => Uint8Array,
  ): void {
    const wrapped = wrapSessionKey({
      key32: session.key,
      epoch: session.epoch,
      networkId: this.#networkId,
      recipient: recipient.name,
      recipientPublicKey: recipient.publicKey,
      entropy32: entropy(32),
    });
    set.table(wrapsTable).set(wrapKey(session.epoch, recipient.name), wrapped);
  }

  /**
   * Opens a wrapped key that was handed over or read from the ledger's public part.
   * @throws KeysError UNWRAP_FAILED
   */
  learn(epoch: Epoch, wrapped: Uint8Array): void {
    const known = this.#opened.get(epoch);
    if (known && equalBytes(known, wrapped)) return;
    const key = unwrapSessionKey(
      { wrapped, epoch, networkId: this.#networkId, recipient: this.#owner },
      this.#encryption,
    );
    const held = this.#ring.get(epoch);
    if (held && !equalBytes(held.key, key)) this.#forget(epoch);
    this.#ring.add({ epoch, key });
    key.fill(0);
    this.#opened.set(epoch, Uint8Array.from(wrapped));
  }

  #forget(epoch: Epoch): void {
    this.#ring.forget(epoch);
    this.#opened.delete(epoch);
    this.#announced.delete(epoch);
  }

  /**
   * Takes up the key of the epoch a state says is in force.
   * @throws KeysError UNWRAP_FAILED
   */
  learnCurrent(view: ReadView): void {
    const current = currentEpoch(view);
    const wrapped = wrappedKey(view, current, this.#owner);
    if (!wrapped) return;
    if (!this.#ring.get(current)) this.#announced.add(current);
    this.learn(current, wrapped);
  }

  /**
   * Blocks were taken back to this state: epochs they began are void, and the next block to begin
   * one draws another key.
   * @throws KeysError UNWRAP_FAILED
   */
  rolledBack(view: ReadView): void {
    const current = currentEpoch(view);
    for (const epoch of [...this.#announced]) if (epoch > current) this.#forget(epoch);
    this.learnCurrent(view);
  }

  /**
   * Takes up every key wrapped to this node in the public writes of one block.
   * @throws KvError MALFORMED, KeysError UNWRAP_FAILED
   */
  learnFromWrites(publicWrites: readonly Uint8Array[]): void {
    for (const writes of publicWrites) {
      if (writes.length === 0) continue;
      for (const { table, key, value } of decodeWriteSet(writes)) {
        const [epoch, name] = key.split('/');
        if (table !== wrapsTable || name !== this.#owner || !value) continue;
        this.learn(toEpoch(Number(epoch)), value);
      }
    }
  }

  /**
   * Takes up every key a state has wrapped to this node.
   * @throws KeysError UNWRAP_FAILED
   */
  learnFromState(view: ReadView): void {
    for (const [key, wrapped] of view.table(wrapsTable).entries()) {
      const [epoch, name] = key.split('/');
      if (name === this.#owner) this.learn(toEpoch(Number(epoch)), wrapped);
    }
  }

  /** Wrapped keys of every epoch for a recipient, hex by epoch, as a join reply carries them. */
  wrapsFor(view: ReadView, recipient: string): Record<string, string> {
    const wraps: Record<string, string> = {};
    for (const epoch of this.#ring.epochs) {
      const wrapped = wrappedKey(view, epoch, recipient);
      if (wrapped) wraps[epoch] = Buffer.from(wrapped).toString('hex');
    }
    return wraps;
  }

  /** Takes up the wraps of a join reply. @throws KeysError UNWRAP_FAILED */
  learnAll(wraps: Readonly<Record<string, string>>): void {
    for (const [epoch, hex] of Object.entries(wraps)) {
      const wrapped = fromHex(hex);
      if (wrapped) this.learn(toEpoch(Number(epoch)), wrapped);
    }
  }

  /** Zeroes every key: what a node that ends does. */
  forgetAll(): void {
    this.#ring.forgetAll();
    this.#opened.clear();
  }
}
