import type { EncryptionKey } from '@concordat/crypto';
import { unwrapSessionKey, wrapSessionKey } from '@concordat/keys';
import {
  decodeWriteSet,
  type ReadView,
  type TableDeclaration,
  type TransactionSet,
} from '@concordat/kv';
import type { SessionKey } from '@concordat/ledger';
import { type Epoch, fromHex, fromUtf8, type NodeId, toEpoch, utf8 } from '@concordat/std';
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
  readonly #keys = new Map<number, SessionKey>();
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
    return this.#keys.get(epoch);
  }

  /**
   * The key new blocks are sealed with.
   * @throws ManagerError SESSION_KEY_MISSING
   */
  current(view: ReadView): SessionKey {
    const epoch = currentEpoch(view);
    const key = this.#keys.get(epoch);
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
    const session: SessionKey = { epoch: toEpoch(currentEpoch(set) + 1), key: entropy(32) };
    for (const recipient of recipients) this.#wrap(set, session, recipient, entropy);
    set.table(epochTable).set('current', utf8(String(session.epoch)));
    this.#keys.set(session.epoch, session);
    return session;
  }

  /** Wraps every epoch's key to a node that joins, and records the wraps in the open write set. */
  shareWith(
    set: TransactionSet,
    recipient: KeyRecipient,
    entropy: (bytes: number) => Uint8Array,
  ): void {
    for (const session of this.#keys.values()) this.#wrap(set, session, recipient, entropy);
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

  /** Opens a wrapped key that was handed over or read from the ledger's public part. */
  learn(epoch: Epoch, wrapped: Uint8Array): void {
    const key = unwrapSessionKey(
      { wrapped, epoch, networkId: this.#networkId, recipient: this.#owner },
      this.#encryption,
    );
    this.#keys.set(epoch, { epoch, key });
  }

  /**
   * Takes up the epoch a state says is in force, replacing a key that a rolled-back block had
   * announced under the same number.
   */
  learnCurrent(view: ReadView): void {
    const epoch = currentEpoch(view);
    const wrapped = wrappedKey(view, epoch, this.#owner);
    if (wrapped) this.learn(epoch, wrapped);
  }

  /** Takes up every key wrapped to a recipient in the public writes of one block. */
  learnFromWrites(publicWrites: readonly Uint8Array[], recipient: string): void {
    for (const writes of publicWrites) {
      if (writes.length === 0) continue;
      for (const { table, key, value } of decodeWriteSet(writes)) {
        const [epoch, name] = key.split('/');
        if (table !== wrapsTable || name !== recipient || !value) continue;
        this.learn(toEpoch(Number(epoch)), value);
      }
    }
  }

  /** Wrapped keys of every epoch for a recipient, hex by epoch, as a join reply carries them. */
  wrapsFor(view: ReadView, recipient: string): Record<string, string> {
    const wraps: Record<string, string> = {};
    for (const epoch of this.#keys.keys()) {
      const wrapped = wrappedKey(view, epoch, recipient);
      if (wrapped) wraps[epoch] = Buffer.from(wrapped).toString('hex');
    }
    return wraps;
  }

  /** Takes up the wraps of a join reply. */
  learnAll(wraps: Readonly<Record<string, string>>): void {
    for (const [epoch, hex] of Object.entries(wraps)) {
      const wrapped = fromHex(hex);
      if (wrapped) this.learn(toEpoch(Number(epoch)), wrapped);
    }
  }
}
