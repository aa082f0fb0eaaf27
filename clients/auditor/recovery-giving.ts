import {
  type RecoveryGift,
  type RecoveryOffer,
  type RecoveryStatement,
  recoveryGiftInfo,
} from '@concordat/api';
import {
  checkAgainst,
  isRefusal,
  reportData,
  verifyEvidence,
  virtualVerifier,
} from '@concordat/attestation';
import { nodeIdOf, sealTo, sha256 } from '@concordat/crypto';
import {
  buildRecoveryConsent,
  canonicalJson,
  constitutionDigest,
  type MessageOptions,
  type MessageSigner,
} from '@concordat/governance';
import { recoveryRequester } from '@concordat/keys';
import {
  emptyBytes,
  equalBytes,
  fromBase64,
  fromHex,
  fromUtf8,
  isHex64,
  toBase64,
  toDigest,
  toEpoch,
  toHex,
  utf8,
} from '@concordat/std';
import { AuditorError } from './errors.ts';
import type { KeyRecord } from './offline-record.ts';
import { encodeSharesFile, sharesFileOf } from './offline-share-file.ts';
import {
  type HolderShares,
  makeShares,
  type OpenedCopy,
  type ShareMaking,
} from './offline-shares.ts';

/** What an actor checks a recovering node's offer against. */
export interface OfferCheck {
  /** 64 hex digits: what the offer was asked for with. */
  readonly nonce: string;
  /** What the actor's own copy of the former ledger says, every block of it verified. */
  readonly record: KeyRecord;
  /** Milliseconds since the Unix epoch. */
  readonly nowMs: number;
}

/**
 * Checks that a recovering node may be given shares: fresh evidence over this very statement, of code
 * and a TEE that the manifests of the former constitution list, about this very ledger. The node's
 * word counts for nothing else.
 * @throws AuditorError OFFER_REFUSED with details.reason
 */
export function requireOffer({ statement, evidence }: RecoveryOffer, check: OfferCheck): void {
  const { nonce, record, nowMs } = check;
  requireForm(statement);
  if (statement.nonce !== nonce) throw refused('STALE', 'it answers another question');
  requireSameLedger(statement, record);
  const publicKeySpki = fromHex(statement.publicKey) ?? emptyBytes;
  if (nodeIdOf(publicKeySpki) !== statement.nodeId) {
    throw refused('WRONG_NODE', 'the node is not that of the key it names');
  }
  const verdict = verifyEvidence(fromBase64(evidence) ?? emptyBytes, {
    atMs: nowMs,
    verifiers: [virtualVerifier],
  });
  if (isRefusal(verdict)) throw refused(verdict.code, 'the evidence does not hold');
  const bound = reportData({
    domain: 'node',
    networkId: statement.networkId,
    publicKeySpki,
    ledgerRoot: toDigest(sha256(utf8(canonicalJson({ ...statement })))),
    epoch: toEpoch(0),
  });
  if (!equalBytes(verdict.reportData, bound)) {
    throw refused('UNBOUND', 'the evidence is of something else than what the node states');
  }
  const { codeManifest, teeManifest } = record.constitution;
  const admission = checkAgainst(verdict, { codeManifest, teeManifest, role: 'manager' });
  if (!admission.ok) throw refused(admission.code, admission.message);
}

function requireForm(statement: RecoveryStatement): void {
  const isFormed =
    statement?.type === 'concordat.recovery-offer.v1' &&
    isHex64(statement.networkId) &&
    isHex64(statement.nodeId) &&
    /^[0-9a-f]{1,1000}$/.test(String(statement.publicKey)) &&
    /^[0-9a-f]{130}$/.test(String(statement.encryptionKey)) &&
    typeof statement.former === 'object' &&
    statement.former !== null;
  if (!isFormed) throw refused('MALFORMED', 'it is no offer of a recovering node');
}

/** A node that has less than this actor would lose something; one that has more shows it first. */
function requireSameLedger({ former }: RecoveryStatement, record: KeyRecord): void {
  const last = record.count.last;
  if (former.networkId !== record.networkId) {
    throw refused('WRONG_NETWORK', `the node recovers network ${former.networkId}`);
  }
  if (former.historyRoot !== last?.historyRoot || former.lastHeight !== last.height) {
    const theirs = `block ${former.lastHeight} (${former.lastTransaction})`;
    const ours = `block ${last?.height} (${last?.transactionId})`;
    const why = `the node recovers a ledger up to ${theirs}, this one goes up to ${ours}: use the same one, the longest there is`;
    throw refused('OTHER_LEDGER', why);
  }
  if (former.constitutionDigest !== constitutionDigest(record.constitution)) {
    throw refused('OTHER_LEDGER', 'the node names another constitution than the ledger has');
  }
}

/** What an actor gives to a node whose offer was checked. */
export interface Giving {
  readonly offer: RecoveryOffer;
  readonly record: KeyRecord;
  /** The actor's opened copies, of different sharings. */
  readonly copies: readonly OpenedCopy[];
  /** Signs the consent; the network is the new one. */
  readonly signer: MessageSigner & Pick<MessageOptions, 'certificateDer' | 'createdAtSeconds'>;
  readonly entropy: (bytes: number) => Uint8Array;
  readonly onProgress?: ShareMaking['onProgress'];
}

/**
 * Makes an actor's decryption shares for a recovering node, bound and sealed to it, with the actor's
 * signed consent to what they are for.
 * @throws AuditorError NO_SHARES when its copies read no epoch of this ledger
 */
export async function makeRecoveryGift(giving: Giving): Promise<RecoveryGift> {
  const { offer, record, copies, signer, entropy, onProgress } = giving;
  const { networkId, nodeId, encryptionKey, former } = offer.statement;
  const requester = fromUtf8(recoveryRequester(nodeId));
  const making = { requester, entropy, ...(onProgress && { onProgress }) };
  const made: HolderShares[] = [];
  for (const copy of copies) made.push(await makeShares(record, copy, making));
  const epochs = made.flatMap(({ shares }) => [...shares.keys()]).sort((a, b) => a - b);
  const [first, last] = [epochs[0], epochs.at(-1)];
  if (first === undefined || last === undefined) {
    throw new AuditorError('NO_SHARES', 'these recovery copies read no epoch of this ledger');
  }
  const file = utf8(encodeSharesFile(sharesFileOf(record, requester, made)));
  const point = fromHex(encryptionKey) ?? emptyBytes;
  const sealed = sealTo(point, file, recoveryGiftInfo({ networkId, nodeId }), entropy(32));
  const message = buildRecoveryConsent({
    ...signer,
    networkId,
    requester,
    former: former.historyRoot,
    epochs: [first, last],
    shares: toHex(sha256(sealed)),
  });
  return { message: toBase64(message), sealed: toBase64(sealed) };
}

const refused = (reason: string, why: string): AuditorError =>
  new AuditorError('OFFER_REFUSED', `the recovering node is given nothing: ${why}`, { reason });
