import { setImmediate as nextTurn } from 'node:timers/promises';
import {
  createDecryptionShare,
  type DecryptionShare,
  erase,
  KeysError,
  openRecoveryShare,
  type RecoveryOpener,
  type RecoveryShare,
  type Scalar,
  scalarEntropyBytes,
} from '@concordat/keys';
import { type ActorId, type Epoch, toHex, utf8 } from '@concordat/std';
import { AuditorError } from './errors.ts';
import type { OfflineProgress } from './offline-reading.ts';
import { holderAt, type KeyRecord, type KeySharing, type SealedEpoch } from './offline-record.ts';

/** A recovery copy that was opened: one actor's share of one sharing. */
export interface OpenedCopy {
  readonly actorId: ActorId;
  readonly index: number;
  readonly sharing: KeySharing;
  /** Secret: to be erased as soon as the decryption shares are made. */
  readonly secret: Scalar;
}

/** One actor's decryption shares for the epochs of one key, from its share of one sharing. */
export interface HolderShares {
  readonly actorId: ActorId;
  readonly index: number;
  readonly sharing: KeySharing;
  readonly shares: ReadonlyMap<Epoch, DecryptionShare>;
}

/** Epochs worked on before other work is let go on. */
export const epochsPerTurn = 16;

/**
 * Opens an actor's recovery copy, checked against what the ledger says of that very sharing: also one
 * of an earlier sharing, or of an earlier key, is good for what the ledger has of it.
 * @throws AuditorError WRONG_NETWORK, UNKNOWN_SHARING; KeysError RECOVERY_NOT_OPENED, INVALID_SHARE,
 *   WEAK_PASSPHRASE
 */
export function openCopy(
  record: KeyRecord,
  share: RecoveryShare,
  opener: RecoveryOpener,
): OpenedCopy {
  const { actor, index, ceremonyId } = share;
  if (share.networkId !== record.networkId) {
    const why = `the recovery copy of ${record.nameOf(actor)} is of network ${share.networkId}`;
    throw new AuditorError('WRONG_NETWORK', why, { networkId: share.networkId });
  }
  const ceremony = toHex(ceremonyId);
  const sharing = record.sharings.find((one) => one.ceremonyId === ceremony);
  if (!sharing) {
    const why = `this ledger knows no sharing ${ceremony}, of which ${record.nameOf(actor)} has a copy`;
    throw new AuditorError('UNKNOWN_SHARING', why, { ceremonyId: ceremony });
  }
  if (holderAt(sharing, index) !== actor) {
    const why = `in sharing ${sharing.number} ${record.nameOf(actor)} is not holder ${index}`;
    throw new AuditorError('UNKNOWN_SHARING', why, { ceremonyId: ceremony, index });
  }
  const secret = openRecoveryShare(share, opener, sharing.key);
  return { actorId: actor as ActorId, index, sharing, secret };
}

/** Zeroes the secrets of copies. */
export const eraseCopies = (copies: readonly OpenedCopy[]): void =>
  erase(...copies.map(({ secret }) => secret));

/** The epochs whose session keys are encrypted to a key. */
export const epochsUnder = (record: KeyRecord, { keyNumber }: KeySharing): readonly SealedEpoch[] =>
  record.epochs.filter((sealed) => sealed.keyNumber === keyNumber);

/** Who decryption shares are made for, and with what. */
export interface ShareMaking {
  /** What they are bound to, for example `offline:` and the network's id. */
  readonly requester: string;
  readonly entropy: (bytes: number) => Uint8Array;
  readonly onProgress?: (progress: OfflineProgress) => void;
}

/**
 * Makes an actor's decryption shares for every epoch of its copy's key. They read those epochs
 * together with others' and say nothing of the share itself. An epoch whose ciphertext is not valid
 * gets none: a share for it would be an oracle.
 */
export async function makeShares(
  record: KeyRecord,
  copy: OpenedCopy,
  { requester, entropy, onProgress }: ShareMaking,
): Promise<HolderShares> {
  const { actorId, index, sharing, secret } = copy;
  const epochs = epochsUnder(record, sharing);
  const shares = new Map<Epoch, DecryptionShare>();
  for (const [at, { epoch, ciphertext, label }] of epochs.entries()) {
    const request = { ciphertext, label, requester: utf8(requester) };
    try {
      const share = createDecryptionShare(request, { index, secret }, entropy(scalarEntropyBytes));
      shares.set(epoch, share);
    } catch (error) {
      if (!(error instanceof KeysError) || error.code !== 'INVALID_CIPHERTEXT') throw error;
    }
    if ((at + 1) % epochsPerTurn !== 0 && at + 1 < epochs.length) continue;
    onProgress?.({ stage: 'sharing', done: at + 1, total: epochs.length, transactions: 0 });
    await nextTurn();
  }
  return { actorId, index, sharing, shares };
}
