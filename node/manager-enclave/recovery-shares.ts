import { setImmediate as nextTurn } from 'node:timers/promises';
import { maxSharesHolders } from '@concordat/api';
import {
  type Constitution,
  currentEpoch,
  type RecordedSharing,
  recordedSharings,
  thresholdKeyOf,
} from '@concordat/governance';
import {
  combineDecryptionShares,
  type DecryptionShare,
  decodeDecryptionShare,
  type Element,
  isCiphertextValid,
  isDecryptionShareValid,
  KeysError,
  recoveryRequester,
  type ShareRequest,
  toElement,
} from '@concordat/keys';
import type { SessionKey } from '@concordat/ledger';
import { type Epoch, emptyBytes, fromBase64, fromHex, fromUtf8, toEpoch } from '@concordat/std';
import { ManagerError } from './errors.ts';
import type { Survey } from './former-ledger.ts';
import { wantedKey } from './share-collection.ts';

/** Shares that are checked before others get a turn: one takes about half a millisecond. */
const sharesPerTurn = 8;

/** Shares of one actor that were checked, and may be taken up. */
export interface CheckedShares {
  readonly first: Epoch;
  readonly last: Epoch;
  readonly shares: readonly {
    readonly epoch: Epoch;
    readonly sharing: number;
    readonly share: DecryptionShare;
  }[];
}

/** Epochs that still cannot be read, and who could help. */
export interface MissingShares {
  readonly from: number;
  readonly to: number;
  /** Actors whose shares it takes. */
  readonly needed: number;
  /** Names of actors that gave theirs. */
  readonly given: readonly string[];
  /** Names of those that hold one and did not. */
  readonly missing: readonly string[];
}

interface WantedEpoch {
  readonly request: ShareRequest;
  readonly keyNumber: number;
  /** By sharing, then by holder. */
  readonly shares: Map<number, Map<number, DecryptionShare>>;
}

/**
 * Decryption shares by which the session keys of a former network become readable to this node. They
 * count by sharing: shares of two sharings of one key do not go together.
 */
export class RecoveryShares {
  readonly #epochs = new Map<Epoch, WantedEpoch>();
  readonly #sharings = new Map<string, RecordedSharing>();
  readonly #verificationKeys = new Map<string, Element>();
  readonly #names: ReadonlyMap<string, string>;
  readonly #requester: string;

  /**
   * @param nodeId the recovering node: shares for another are none for it
   * @throws ManagerError LEDGER_CORRUPT when an epoch has no key that anybody could read
   */
  constructor({ state, former, constitution }: Survey, nodeId: string) {
    const requester = recoveryRequester(nodeId);
    this.#requester = fromUtf8(requester);
    this.#names = namesOf(constitution);
    const view = state;
    for (const sharing of recordedSharings(view)) {
      this.#sharings.set(sharing.row.ceremonyId, sharing);
      for (const { index, verificationKey } of sharing.row.holders) {
        const bytes = fromHex(verificationKey) ?? emptyBytes;
        this.#verificationKeys.set(`${sharing.number}/${index}`, toElement(bytes));
      }
    }
    const { networkId } = former;
    for (let number = 1; number <= currentEpoch(view); number++) {
      const epoch = toEpoch(number);
      const { request, key } = wantedKey(view, epoch, { networkId, requester });
      this.#epochs.set(epoch, { request, keyNumber: key, shares: new Map() });
    }
  }

  /**
   * Checks what an actor gave: every share is of its own place in a sharing the ledger has, for this
   * node, and proved. Takes up nothing.
   * @param bytes a file of decryption shares (docs/format/recovery-files.md)
   * @throws ManagerError RECOVERY_SHARES_REFUSED with details.reason
   */
  async check(actorId: string, networkId: string, bytes: Uint8Array): Promise<CheckedShares> {
    const file = readFile(bytes);
    if (file.networkId !== networkId) throw refused('WRONG_NETWORK', 'shares of another network');
    if (file.requester !== this.#requester) {
      throw refused('OTHER_REQUESTER', `shares that were made for ${String(file.requester)}`);
    }
    const shares: { epoch: Epoch; sharing: number; share: DecryptionShare }[] = [];
    for (const holder of listOf(file.holders, maxSharesHolders)) {
      const sharing = this.#sharings.get(String(holder.ceremonyId));
      const listed = sharing?.row.holders.find(({ index }) => index === holder.index);
      if (!sharing || listed?.actorId !== actorId) {
        throw refused('UNKNOWN_SHARING', 'the ledger has no such place of this actor in a sharing');
      }
      for (const item of listOf(holder.shares, this.#epochs.size)) {
        shares.push(this.#checkOne(sharing, listed.index, item));
        if (shares.length % sharesPerTurn === 0) await nextTurn();
      }
    }
    const epochs = shares.map(({ epoch }) => epoch);
    if (epochs.length === 0) throw refused('TOO_FEW_SHARES', 'there is no share in it');
    const ascending = epochs.map(Number).sort((a, b) => a - b);
    const first = toEpoch(ascending[0] as number);
    return { first, last: toEpoch(ascending.at(-1) as number), shares };
  }

  #checkOne(sharing: RecordedSharing, index: number, item: Record<string, unknown>) {
    const epoch = toEpoch(Number.isSafeInteger(item.epoch) ? Math.max(0, Number(item.epoch)) : 0);
    const wanted = this.#epochs.get(epoch);
    if (wanted?.keyNumber !== sharing.row.key) {
      throw refused('UNKNOWN_EPOCH', `a share for epoch ${epoch}, which its key does not read`);
    }
    const share = readShare(item.share);
    const key = this.#verificationKeys.get(`${sharing.number}/${index}`);
    const isProved =
      share.index === index && key && isDecryptionShareValid(wanted.request, share, key);
    if (isProved) return { epoch, sharing: sharing.number, share };
    throw refused('INVALID_SHARE', `the share for epoch ${epoch} is not proved`);
  }

  /** Takes up what was checked. */
  take({ shares }: CheckedShares): void {
    for (const { epoch, sharing, share } of shares) {
      const wanted = this.#epochs.get(epoch);
      if (!wanted) continue;
      const known = wanted.shares.get(sharing) ?? new Map<number, DecryptionShare>();
      wanted.shares.set(sharing, known.set(share.index, share));
    }
  }

  /** Runs of epochs that cannot be read yet; none when all can. */
  missing(): MissingShares[] {
    const runs: { from: number; to: number; needed: number; given: string[]; missing: string[] }[] =
      [];
    for (const [epoch, wanted] of this.#epochs) {
      const best = this.#best(wanted);
      if (best.given.length >= best.needed) continue;
      const last = runs.at(-1);
      const isSame = last?.to === epoch - 1 && JSON.stringify(best) === JSON.stringify(said(last));
      if (last && isSame) last.to = epoch;
      else runs.push({ from: epoch, to: epoch, ...best });
    }
    return runs;
  }

  /** The newest sharing of an epoch's key, or one that shares were given of and that lacks fewer. */
  #best({ keyNumber, shares }: WantedEpoch) {
    let best = { needed: Number.POSITIVE_INFINITY, given: [] as string[], missing: [] as string[] };
    for (const { number, row } of this.#sharings.values()) {
      if (row.key !== keyNumber) continue;
      const here = shares.get(number);
      const names = (isGiven: boolean): string[] =>
        row.holders
          .filter(({ index }) => (here?.has(index) ?? false) === isGiven)
          .map(({ actorId }) => this.#names.get(actorId) ?? actorId);
      const found = { needed: row.threshold, given: names(true), missing: names(false) };
      const lacks = ({ needed, given }: typeof best): number => needed - given.length;
      // The last is the newest; of a sharing that nobody gave shares of, its copies may be long gone.
      const isBegun = best.given.length > 0;
      if (!isBegun || lacks(found) <= lacks(best)) best = found;
    }
    return best;
  }

  /**
   * The session key of every epoch.
   * @throws ManagerError RECOVERY_SHARES_REFUSED when a ciphertext of the ledger does not hold
   */
  async combine(): Promise<Map<Epoch, SessionKey>> {
    const keys = new Map<Epoch, SessionKey>();
    try {
      for (const [epoch, wanted] of this.#epochs) {
        const key = this.#combineOne(wanted);
        if (!key) throw refused('TOO_FEW_SHARES', `epoch ${epoch} cannot be read`);
        keys.set(epoch, { epoch, key });
        await nextTurn();
      }
      return keys;
    } catch (error) {
      for (const { key } of keys.values()) key.fill(0);
      throw error;
    }
  }

  /** @throws ManagerError LEDGER_CORRUPT with the first epoch whose ciphertext nobody could open */
  async requireValid(): Promise<void> {
    let checked = 0;
    for (const [epoch, { request }] of this.#epochs) {
      if (!isCiphertextValid(request.ciphertext, request.label)) {
        const why = `the session key of epoch ${epoch} is in no ciphertext that holds for its label`;
        throw new ManagerError('LEDGER_CORRUPT', why, { epoch });
      }
      checked += 1;
      if (checked % sharesPerTurn === 0) await nextTurn();
    }
  }

  #combineOne({ keyNumber, request, shares }: WantedEpoch): Uint8Array | undefined {
    for (const { number, row } of this.#sharings.values()) {
      const here = shares.get(number);
      if (row.key !== keyNumber || !here || here.size < row.threshold) continue;
      return coded(() =>
        combineDecryptionShares(request, [...here.values()], {
          threshold: thresholdKeyOf(row).threshold,
          verificationKey: (index) => this.#verificationKeys.get(`${number}/${index}`),
        }),
      );
    }
    return undefined;
  }
}

/**
 * Checks, before any member is asked for shares, that with enough of them every epoch could be read.
 * @throws ManagerError LEDGER_CORRUPT
 */
export async function requireReadable(survey: Survey): Promise<void> {
  try {
    // Whoever it is for has no part in it.
    await new RecoveryShares(survey, '0'.repeat(64)).requireValid();
  } catch (error) {
    const isOfLedger = error instanceof KeysError || error instanceof ManagerError;
    if (!isOfLedger || error.code === 'LEDGER_CORRUPT') throw error;
    throw new ManagerError('LEDGER_CORRUPT', error.message, { cause: error.code });
  }
}

const said = ({ needed, given, missing }: MissingShares) => ({ needed, given, missing });

const namesOf = ({ actors }: Constitution): Map<string, string> =>
  new Map(actors.map(({ actorId, name }) => [actorId as string, name]));

function readFile(bytes: Uint8Array): Record<string, unknown> {
  let value: unknown;
  try {
    value = JSON.parse(fromUtf8(bytes));
  } catch {
    throw refused('MALFORMED', 'not a file of decryption shares');
  }
  const file = recordOf(value);
  if (file.format === 'concordat decryption shares' && file.version === 1) return file;
  throw refused('MALFORMED', 'not a file of decryption shares of version 1');
}

function recordOf(value: unknown): Record<string, unknown> {
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) {
    return value as Record<string, unknown>;
  }
  throw refused('MALFORMED', 'not a file of decryption shares');
}

function listOf(value: unknown, max: number): Record<string, unknown>[] {
  if (Array.isArray(value) && value.length <= max) return value.map(recordOf);
  throw refused('MALFORMED', `no list of at most ${max} entries`);
}

function readShare(value: unknown): DecryptionShare {
  const bytes = typeof value === 'string' && value.length <= 400 ? fromBase64(value) : undefined;
  return coded(() => decodeDecryptionShare(bytes ?? emptyBytes));
}

function coded<Result>(body: () => Result): Result {
  try {
    return body();
  } catch (error) {
    if (!(error instanceof KeysError)) throw error;
    throw refused(error.code, error.message);
  }
}

/** @returns ManagerError RECOVERY_SHARES_REFUSED */
export const refused = (reason: string, why: string): ManagerError =>
  new ManagerError('RECOVERY_SHARES_REFUSED', why, { reason });
