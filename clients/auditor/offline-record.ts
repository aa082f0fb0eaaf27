import {
  type Constitution,
  currentEpoch,
  epochKeyRows,
  type RecordedSharing,
  readConstitution,
  recordedSharings,
  type ShareHolder,
  thresholdKeyOf,
} from '@concordat/governance';
import {
  decodeCiphertext,
  type Element,
  KeysError,
  offlineRequester,
  sessionKeyLabel,
  type ThresholdCiphertext,
  type ThresholdKey,
  toElement,
} from '@concordat/keys';
import { decodeWriteSet } from '@concordat/kv';
import { type ActorId, type Epoch, emptyBytes, fromHex, fromUtf8, toEpoch } from '@concordat/std';
import { AuditorError } from './errors.ts';
import { isFormError } from './form-error.ts';
import { LedgerDamage } from './ledger-damage.ts';
import type { LedgerReading } from './ledger-reading.ts';
import { type OfflineLedger, readLedger } from './offline-reading.ts';
import type { LedgerCount } from './tally.ts';

const actorsTable = 'public:concordat.actors';
/** What governance allows as a name; a ledger that says otherwise is not printed. */
const printable = /^[^\p{C}\p{Zl}\p{Zp}]{1,64}$/u;

/** A sharing of a key, with what decryption shares of it are checked against. */
export interface KeySharing {
  /** Number of the ceremony that dealt it. */
  readonly number: number;
  /** Number of the key. */
  readonly keyNumber: number;
  /** Hex, 32 bytes. */
  readonly ceremonyId: string;
  readonly key: ThresholdKey;
  /** By index. */
  readonly holders: readonly ShareHolder[];
  /** The verification key of a holder; undefined when there is none of this index. */
  verificationKey(index: number): Element | undefined;
}

/** A session key as the ledger has it: encrypted to a shared key. */
export interface SealedEpoch {
  readonly epoch: Epoch;
  /** Number of the shared key. */
  readonly keyNumber: number;
  readonly ciphertext: ThresholdCiphertext;
  readonly label: Uint8Array;
}

/** What the public part of a ledger says of its keys: all that combining shares needs. */
export interface KeyRecord {
  /** 64 lowercase hex digits. */
  readonly networkId: string;
  readonly networkName: string;
  /** After the last block. */
  readonly constitution: Constitution;
  /** Ascending by epoch, then by key; only those that have their form. */
  readonly epochs: readonly SealedEpoch[];
  /** The newest epoch, 0 when none was begun. */
  readonly newestEpoch: number;
  /** Every sharing there ever was, oldest first. */
  readonly sharings: readonly KeySharing[];
  readonly count: LedgerCount;
  /** Committed transactions are known to follow: from where, in words; absent when none are known. */
  readonly missing?: string;
  /** Name of an actor, present or past; its id when the ledger does not name it. */
  nameOf(actorId: string): string;
}

/**
 * Reads what a ledger says of its keys, verifying chain and signatures of every block. Needs no key.
 * @throws AuditorError LEDGER_UNREADABLE, INVALID_NETWORK_CERTIFICATE, INVALID_PARAMETER;
 *   LEDGER_DAMAGED with details.height, code, file
 */
export async function readKeyRecord(ledger: OfflineLedger): Promise<KeyRecord> {
  const names = new Map<string, string>();
  const none = (): undefined => undefined;
  const { reading, networkId, networkName, count, missing } = await readLedger(
    ledger,
    none,
    (block) => {
      if (block.header.source !== 0) return undefined;
      for (const writes of block.publicWrites) if (writes.length > 0) learnNames(names, writes);
      return undefined;
    },
  );
  try {
    const { state } = reading.replay;
    return {
      networkId,
      networkName,
      constitution: readConstitution(state),
      epochs: epochsOf(reading, networkId),
      newestEpoch: newestEpochOf(reading),
      sharings: Array.from(recordedSharings(state), keySharing),
      count,
      ...(missing && { missing }),
      nameOf: (actorId) => names.get(actorId) ?? actorId,
    };
  } catch (error) {
    if (!isFormError(error)) throw error;
    const why = `the record of the shared keys has no such form: ${error.message}`;
    const height = reading.files.height;
    throw new AuditorError('LEDGER_DAMAGED', why, { height, code: 'MALFORMED_GOVERNANCE' });
  }
}

/** Whom decryption shares are bound to that are combined outside the framework. */
export const offlineRequesterOf = ({ networkId }: KeyRecord): string =>
  Buffer.from(offlineRequester(networkId)).toString('utf8');

/** Names of actors as blocks bring them: who left is in no constitution any more. */
function learnNames(names: Map<string, string>, writes: Uint8Array): void {
  for (const { table, key, value } of decodeWriteSet(writes)) {
    if (table !== actorsTable || !value || names.has(key)) continue;
    try {
      const { name } = JSON.parse(fromUtf8(value)) as { name?: unknown };
      if (typeof name === 'string' && printable.test(name)) names.set(key, name);
    } catch (error) {
      // A row that is no actor's names nobody.
      if (!isFormError(error)) throw error;
    }
  }
}

/** Each epoch is begun by a block of its own: a number beyond that would keep every reader busy. */
function newestEpochOf({ replay: { state }, files }: LedgerReading): number {
  const newest = currentEpoch(state);
  if (newest <= files.height) return newest;
  const why = `the ledger claims epoch ${newest} after ${files.height} blocks`;
  throw new LedgerDamage('MALFORMED_GOVERNANCE', files.height, why);
}

function epochsOf(reading: LedgerReading, networkId: string): SealedEpoch[] {
  const { state } = reading.replay;
  const keyIds = new Map<number, ThresholdKey>();
  for (const { row } of recordedSharings(state)) {
    if (!keyIds.has(row.key)) keyIds.set(row.key, thresholdKeyOf(row));
  }
  const epochs: SealedEpoch[] = [];
  const newest = newestEpochOf(reading);
  for (let number = 1; number <= newest; number++) {
    const epoch = toEpoch(number);
    for (const { keyNumber, ciphertext } of epochKeyRows(state, epoch)) {
      const keyId = keyIds.get(keyNumber)?.id;
      if (!keyId) continue;
      try {
        const label = sessionKeyLabel({ networkId, epoch, keyId });
        epochs.push({ epoch, keyNumber, ciphertext: decodeCiphertext(ciphertext), label });
      } catch (error) {
        // A leader that wrote no ciphertext wrote no key: the epoch goes without.
        if (!(error instanceof KeysError)) throw error;
      }
    }
  }
  return epochs;
}

function keySharing({ number, row }: RecordedSharing): KeySharing {
  const keys = new Map<number, Element>();
  for (const { index, verificationKey } of row.holders) {
    keys.set(index, toElement(fromHex(verificationKey) ?? emptyBytes));
  }
  return {
    number,
    keyNumber: row.key,
    ceremonyId: row.ceremonyId,
    key: thresholdKeyOf(row),
    holders: row.holders,
    verificationKey: (index) => keys.get(index),
  };
}

/** An actor as a record names it. */
export const holderAt = (sharing: KeySharing, index: number): ActorId | undefined =>
  sharing.holders.find((holder) => holder.index === index)?.actorId;
