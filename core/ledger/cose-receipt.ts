import {
  type CborKey,
  type CborValue,
  CryptoError,
  coseHeaders,
  type DecodedCose,
  decodeCbor,
  decodeCose,
  encodeCbor,
  nodeIdOf,
  type SigningKey,
  signCose,
  spkiOf,
  verifyCose,
} from '@concordat/crypto';
import {
  assert,
  parseTransactionId,
  type Seqno,
  toHex,
  utf8,
  type View,
  viewOf,
} from '@concordat/std';
import { digestOf } from './digest.ts';
import { transactionLeaf } from './leaf.ts';
import { followProof, hexOf, type ProofStep } from './merkle.ts';
import { evidencePattern, maxProofSteps, onePem, type ReceiptJson } from './receipt.ts';

/** What a COSE receipt is made from. */
export interface CoseReceiptRequest {
  /** One that verifies: its proof is carried over, its signature is not. */
  readonly receipt: ReceiptJson;
  /** The network's key. Secret. */
  readonly networkKey: SigningKey;
  /** 64 hex digits. */
  readonly networkId: string;
  /** When it is made, milliseconds since 1970; kept in seconds. */
  readonly issuedAtMs: number;
}

/** Why a COSE receipt proves nothing. */
export type CoseReceiptRefusal =
  | 'MALFORMED'
  | 'UNTRUSTED_CERTIFICATE'
  | 'WRONG_KEY'
  | 'BAD_SIGNATURE'
  | 'WRONG_TRANSACTION';

/** What a COSE receipt proves: this transaction is in the ledger of the network. */
export type CoseReceiptVerdict =
  | {
      readonly ok: true;
      /** `view.seqno`. */
      readonly transactionId: string;
      readonly view: View;
      readonly seqno: Seqno;
      /** 64 hex digits. Compare it with the digest of the claims you were shown. */
      readonly claimsDigest: string;
      /** 64 hex digits. Compare it with the digest of the write set you were shown. */
      readonly writeSetDigest: string;
      /** The history root up to the transaction's block, 64 hex digits. */
      readonly root: string;
      /** Id of the network that issued it, 64 hex digits, as it says itself. */
      readonly networkId: string;
      /** When it was issued, milliseconds since 1970, by the clock of the node that did. */
      readonly issuedAtMs: number;
      /** SHA-256 of the DER SPKI of the network's key, 64 hex digits. */
      readonly keyId: string;
    }
  | { readonly ok: false; readonly code: CoseReceiptRefusal; readonly why: string };

/** Labels of RFC 9942 (395, 396, -1), RFC 9597 (15), RFC 8392 (1, 2, 6) and CCF's profile. */
const labels = { cwt: 15, vds: 395, vdp: 396, inclusion: -1, leaf: 1, path: 2 } as const;
const cwt = { iss: 1, sub: 2, iat: 6 } as const;
/** Verifiable data structure of CCF's profile: its Merkle tree with evidence in the leaves. */
const ccfLedger = 2;
const subject = 'ledger.receipt';
const profile = 'ccf.v1';
/** Bytes: 80 steps of 37, evidence and headers take less than 4 KiB. */
const maxBytes = 8_192;
const networkIdForm = /^[0-9a-f]{64}$/;

/**
 * The COSE form of a receipt (RFC 9942 with CCF's profile; docs/format/receipt.md): the same proof,
 * the root it leads to signed as detached payload by the network's key.
 */
export function encodeCoseReceipt(request: CoseReceiptRequest): Uint8Array {
  const { receipt, networkKey, networkId, issuedAtMs } = request;
  const { write_set_digest, commit_evidence, claims_digest } = receipt.leaf_components;
  const transactionId = evidencePattern.exec(commit_evidence)?.[1];
  const leaf = {
    writeSetDigest: Buffer.from(write_set_digest, 'hex').toString('latin1'),
    commitEvidence: commit_evidence,
    claimsDigest: Buffer.from(claims_digest, 'hex').toString('latin1'),
  };
  const branch = followProof(transactionLeaf(leaf), receipt.proof);
  assert(branch !== undefined && transactionId !== undefined, 'a receipt that does not verify');
  const path = receipt.proof.map((step): CborValue => {
    return 'left' in step
      ? [true, Buffer.from(step.left, 'hex')]
      : [false, Buffer.from(step.right, 'hex')];
  });
  const components = [digestOf(leaf.writeSetDigest), commit_evidence, digestOf(leaf.claimsDigest)];
  const proof = encodeCbor(
    new Map<CborKey, CborValue>([
      [labels.leaf, components],
      [labels.path, path],
    ]),
  );
  return signCose({
    protectedHeaders: new Map<CborKey, CborValue>([
      [coseHeaders.kid, utf8(nodeIdOf(networkKey.publicKeySpki))],
      [labels.cwt, cwtClaims(networkId, Math.floor(issuedAtMs / 1000))],
      [labels.vds, ccfLedger],
      [profile, new Map([['txid', transactionId]])],
    ]),
    unprotectedHeaders: new Map([[labels.vdp, new Map([[labels.inclusion, [proof]]])]]),
    payload: digestOf(branch.digest),
    detached: true,
    key: networkKey,
  });
}

const cwtClaims = (networkId: string, seconds: number): Map<CborKey, CborValue> =>
  new Map<CborKey, CborValue>([
    [cwt.iss, networkId],
    [cwt.sub, subject],
    [cwt.iat, seconds],
  ]);

/**
 * Verifies a COSE receipt offline: leaf from its components, root by the path, the network's
 * signature over the root.
 * @param receipt foreign: any bytes are answered, none throws
 * @param networkCertificatePem the trusted network certificate
 */
export function verifyCoseReceipt(
  receipt: Uint8Array,
  networkCertificatePem: string,
): CoseReceiptVerdict {
  const parsed = parse(receipt);
  if (typeof parsed === 'string') return refused('MALFORMED', parsed);
  const spki = keyOf(networkCertificatePem);
  if (spki === undefined) {
    const why = 'the network certificate is not one PEM certificate';
    return refused('UNTRUSTED_CERTIFICATE', why);
  }
  const { components, steps, facts } = parsed;
  const keyId = nodeIdOf(spki);
  if (facts.keyId !== keyId) {
    return refused('WRONG_KEY', 'it names the key of another network, or of no network');
  }
  const branch = followProof(transactionLeaf(components), steps);
  assert(branch !== undefined, 'a proof that was parsed has a step');
  const root = digestOf(branch.digest);
  if (!verifyCose(decodeCose(receipt, { maxBytes, detachedPayload: root }), spki)) {
    return refused('BAD_SIGNATURE', 'the network did not sign the root that the proof leads to');
  }
  const transactionId = evidencePattern.exec(components.commitEvidence)?.[1] ?? '';
  const id = parseTransactionId(transactionId);
  if (id === undefined || transactionId !== facts.transactionId) {
    return refused('WRONG_TRANSACTION', 'the signed header names another transaction');
  }
  return {
    ok: true,
    transactionId,
    ...id,
    claimsDigest: hexOf(components.claimsDigest),
    writeSetDigest: hexOf(components.writeSetDigest),
    root: toHex(root),
    networkId: facts.networkId,
    issuedAtMs: facts.issuedAtSeconds * 1000,
    keyId,
  };
}

interface Parsed {
  readonly components: {
    readonly writeSetDigest: string;
    readonly commitEvidence: string;
    readonly claimsDigest: string;
  };
  readonly steps: ProofStep[];
  readonly facts: Facts;
}

/** What the signed header says. */
interface Facts {
  readonly keyId: string;
  readonly networkId: string;
  readonly issuedAtSeconds: number;
  readonly transactionId: string;
}

/** The receipt's parts, or what is wrong with its form. */
function parse(bytes: Uint8Array): Parsed | string {
  let message: DecodedCose;
  let proof: CborValue;
  try {
    message = decodeCose(bytes, { maxBytes, detachedPayload: new Uint8Array(0) });
    const encoded = inclusionProof(message);
    if (encoded === undefined) return 'it does not carry exactly one inclusion proof';
    proof = decodeCbor(encoded, { keyOrder: 'any' });
  } catch (error) {
    if (error instanceof CryptoError) return error.message;
    throw error;
  }
  const facts = readFacts(message);
  if (facts === undefined) return 'the protected headers are not those of a receipt';
  if (!hasOnly(proof, labels.leaf, labels.path)) return 'the inclusion proof is not leaf and path';
  const components = readLeaf(proof.get(labels.leaf));
  if (components === undefined) return 'the leaf is not that of a transaction';
  const steps = readPath(proof.get(labels.path));
  return steps === undefined ? 'the path is not a list of steps' : { components, steps, facts };
}

/** The one inclusion proof: nothing else may stand among what is not signed. */
function inclusionProof({ unprotectedHeaders }: DecodedCose): Uint8Array | undefined {
  if (!hasOnly(unprotectedHeaders, labels.vdp)) return undefined;
  const proofs = unprotectedHeaders.get(labels.vdp);
  if (!hasOnly(proofs, labels.inclusion)) return undefined;
  const list = proofs.get(labels.inclusion);
  if (!Array.isArray(list) || list.length !== 1) return undefined;
  return list[0] instanceof Uint8Array ? list[0] : undefined;
}

function readFacts({ protectedHeaders }: DecodedCose): Facts | undefined {
  if (protectedHeaders.get(labels.vds) !== ccfLedger) return undefined;
  const claims = protectedHeaders.get(labels.cwt);
  const ccf = protectedHeaders.get(profile);
  const kid = protectedHeaders.get(coseHeaders.kid);
  if (!(claims instanceof Map) || !(ccf instanceof Map)) return undefined;
  if (!(kid instanceof Uint8Array) || kid.length !== 64) return undefined;
  const [networkId, issuedAtSeconds] = [claims.get(cwt.iss), claims.get(cwt.iat)];
  const transactionId = ccf.get('txid');
  if (typeof networkId !== 'string' || !networkIdForm.test(networkId)) return undefined;
  if (typeof issuedAtSeconds !== 'number' || issuedAtSeconds < 0) return undefined;
  if (claims.get(cwt.sub) !== subject || typeof transactionId !== 'string') return undefined;
  return { keyId: viewOf(kid).toString('latin1'), networkId, issuedAtSeconds, transactionId };
}

function readLeaf(value: CborValue | undefined): Parsed['components'] | undefined {
  if (!Array.isArray(value) || value.length !== 3) return undefined;
  const [writes, evidence, claims] = value as CborValue[];
  if (!isDigest(writes) || !isDigest(claims) || typeof evidence !== 'string') return undefined;
  if (!evidencePattern.test(evidence)) return undefined;
  return {
    writeSetDigest: viewOf(writes).toString('latin1'),
    commitEvidence: evidence,
    claimsDigest: viewOf(claims).toString('latin1'),
  };
}

function readPath(value: CborValue | undefined): ProofStep[] | undefined {
  if (!Array.isArray(value) || value.length === 0 || value.length > maxProofSteps) return undefined;
  const steps: ProofStep[] = [];
  for (const step of value as readonly CborValue[]) {
    if (!Array.isArray(step) || step.length !== 2) return undefined;
    const [isLeft, digest] = step as CborValue[];
    if (typeof isLeft !== 'boolean' || !isDigest(digest)) return undefined;
    steps.push(isLeft ? { left: toHex(digest) } : { right: toHex(digest) });
  }
  return steps;
}

const isDigest = (value: CborValue | undefined): value is Uint8Array =>
  value instanceof Uint8Array && value.length === 32;

/** Whether the value is a map of exactly these integer labels. */
const hasOnly = (
  value: CborValue | undefined,
  ...keys: readonly number[]
): value is ReadonlyMap<CborKey, CborValue> =>
  value instanceof Map && value.size === keys.length && keys.every((key) => value.has(key));

function keyOf(networkCertificatePem: string): Uint8Array | undefined {
  const der = onePem(networkCertificatePem);
  if (der === undefined) return undefined;
  try {
    return spkiOf(der);
  } catch (error) {
    if (error instanceof CryptoError) return undefined;
    throw error;
  }
}

type Refused = Extract<CoseReceiptVerdict, { ok: false }>;

const refused = (code: CoseReceiptRefusal, why: string): Refused => ({ ok: false, code, why });
