import {
  createConfirmation,
  createDealing,
  encodeConfirmation,
  encodeDealing,
  type HolderKey,
  receiveShare,
  type Scalar,
} from '@concordat/keys';
import type { TransactionSet } from '@concordat/kv';
import { assert, type Seqno } from '@concordat/std';
import { openCeremony, openCeremonyOf } from './key-ceremony.ts';
import { closeCeremony } from './key-ceremony-close.ts';
import { recordConfirmation, recordDealing, resumeCeremony } from './key-ceremony-record.ts';
import { registerHolder } from './key-holders.ts';
import type { HolderRegistration } from './key-rows.ts';

/** The member that begins a network, as the first holder of its shared key. */
export interface FoundingHolder {
  /** Number 1, signed by the first node. */
  readonly registration: HolderRegistration;
  readonly holderKey: HolderKey;
}

/** The share that a founding ceremony gave its only holder. */
export interface FoundingShare {
  /** Number of the key. */
  readonly key: number;
  /** Number of the ceremony. */
  readonly sharing: number;
  readonly index: number;
  readonly secret: Scalar;
}

/**
 * Holds the first key ceremony of a network, of the founder alone, whole within the genesis transaction:
 * there is never an epoch without a shared key. That key is 1 of 1; the fresh one that is due as soon
 * as others hold shares takes its place for every epoch after.
 * @param at.seqno position of the genesis transaction
 * @throws GovernanceError NOT_A_HOLDER, BAD_NODE_SIGNATURE; KeysError INVALID_HOLDER_KEY
 */
export function foundSharedKey(
  set: TransactionSet,
  { registration, holderKey }: FoundingHolder,
  at: { readonly seqno: Seqno; readonly entropy: (bytes: number) => Uint8Array },
): FoundingShare {
  const { seqno, entropy } = at;
  const { decryptionKey } = holderKey;
  registerHolder(set, registration);
  const opened = openCeremony(set, { seqno });
  const { terms } = resumeCeremony(set, opened);
  const [receiver] = terms.receivers;
  assert(receiver !== undefined && terms.receivers.length === 1, 'the founder is alone');
  const { index } = receiver;
  const dealing = createDealing(terms, { dealer: index, authorKey: decryptionKey }, entropy);
  recordDealing(set, encodeDealing(dealing), { seqno });
  const received = receiveShare(terms, [dealing], { index, decryptionKey });
  assert('secret' in received, 'the founder does not cheat itself');
  const { counting } = resumeCeremony(set, openCeremonyOf(set) ?? opened);
  const confirming = { index, decryptionKey };
  const confirmation = createConfirmation(terms, counting, confirming, entropy(64));
  recordConfirmation(set, encodeConfirmation(confirmation), { seqno });
  const outcome = closeCeremony(set, { seqno });
  assert(outcome.state === 'done', 'a ceremony of one holder is done once it confirmed');
  return { key: outcome.key.number, sharing: opened.number, index, secret: received.secret };
}
