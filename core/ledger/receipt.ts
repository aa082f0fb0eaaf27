import {
  CryptoError,
  fromPem,
  nodeIdOf,
  parseCertificate,
  verifyCertificateChain,
  verifySignature,
} from '@concordat/crypto';
import {
  fromBase64,
  isHex64,
  type NodeId,
  parseTransactionId,
  type Seqno,
  toHex,
  type View,
} from '@concordat/std';
import type { TransactionRecord } from './block-form.ts';
import { digestOf } from './digest.ts';
import { transactionLeaf, writeSetDigest } from './leaf.ts';
import { childrenBytes, followProof, hexOf, type ProofStep } from './merkle.ts';

/** A transaction receipt, in CCF's published JSON form. See docs/format/receipt.md. */
export interface ReceiptJson {
  /** PEM of the certificate of the node that signed, issued by the network certificate. */
  readonly cert: string;
  readonly leaf_components: {
    /** 64 hex digits. */
    readonly write_set_digest: string;
    /** `ce:<view>.<seqno>:<64 hex digits>`. */
    readonly commit_evidence: string;
    /** 64 hex digits; zeros when the transaction has no claims. */
    readonly claims_digest: string;
  };
  /** 64 hex digits: SHA-256 of the node's public key. */
  readonly node_id: string;
  /** From the transaction's leaf to the signed root. */
  readonly proof: readonly ProofStep[];
  /** Base64 of the DER ECDSA signature over the root. */
  readonly signature: string;
  /** PEM certificates from the present network identity back to the one that issued `cert`. */
  readonly service_endorsements?: readonly string[];
}

/** Why a receipt proves nothing. */
export type ReceiptRefusal =
  | 'MALFORMED'
  | 'WRONG_NODE_ID'
  | 'BAD_SIGNATURE'
  | 'UNTRUSTED_CERTIFICATE';

/** What a receipt proves: this transaction is in the ledger of the network. */
export type ReceiptVerdict =
  | {
      readonly ok: true;
      /** `view.seqno`. */
      readonly transactionId: string;
      readonly view: View;
      readonly seqno: Seqno;
      readonly nodeId: NodeId;
      /** 64 hex digits. Compare it with the digest of the claims you were shown. */
      readonly claimsDigest: string;
      /** 64 hex digits. Compare it with the digest of the write set you were shown. */
      readonly writeSetDigest: string;
      /** The signed history root, 64 hex digits. */
      readonly root: string;
    }
  | { readonly ok: false; readonly code: ReceiptRefusal; readonly why: string };

/** Steps of the deepest proof: 2^32 transactions in a block, 2^48 blocks. */
export const maxProofSteps = 80;
const maxEndorsements = 16;
/** Commit evidence; its first group is the transaction id. */
export const evidencePattern = /^ce:([0-9]{1,16}\.[0-9]{1,16}):[0-9a-f]{64}$/;

/**
 * Verifies a receipt offline by CCF's algorithm: leaf from its components, root by the path, the
 * node's signature over the root, the node's certificate from the network's. Certificates are
 * judged as of the day the node's began: a receipt does not expire with them.
 * @param receipt foreign: any JSON value is answered, none throws
 * @param networkCertificatePem the trusted network certificate
 */
export function verifyReceipt(receipt: unknown, networkCertificatePem: string): ReceiptVerdict {
  const parsed = parseReceipt(receipt);
  if (typeof parsed === 'string') return refused('MALFORMED', parsed);
  const { components, transactionId, signature, steps } = parsed;
  const id = parseTransactionId(transactionId);
  const branch = followProof(transactionLeaf(components), steps);
  if (id === undefined || branch === undefined) return refused('MALFORMED', 'no transaction id');

  const trust = trustNode(parsed, networkCertificatePem);
  if (!trust.ok) return trust;
  // The root is SHA-256(left ‖ right): verifying over its children with SHA-256 is verifying the
  // prehashed root, which node:crypto does not offer for ECDSA.
  if (!verifySignature(trust.spki, childrenBytes(branch), signature)) {
    return refused('BAD_SIGNATURE', 'the node did not sign the root that the proof leads to');
  }
  return {
    ok: true,
    transactionId,
    ...id,
    nodeId: trust.nodeId,
    claimsDigest: toHex(digestOf(components.claimsDigest)),
    writeSetDigest: toHex(digestOf(components.writeSetDigest)),
    root: toHex(digestOf(branch.digest)),
  };
}

/**
 * The write set digest of a transaction's writes, 64 hex digits: what to compare a receipt's
 * `writeSetDigest` with for writes that were shown.
 */
export const writeSetDigestOf = (
  writes: Pick<TransactionRecord, 'publicWrites' | 'privateWrites'>,
): string => hexOf(writeSetDigest(writes));

interface ParsedReceipt {
  readonly components: {
    readonly writeSetDigest: string;
    readonly commitEvidence: string;
    readonly claimsDigest: string;
  };
  readonly transactionId: string;
  readonly steps: ProofStep[];
  readonly signature: Uint8Array;
  readonly nodeId: string;
  readonly certificate: Uint8Array;
  readonly endorsements: Uint8Array[];
}

/** The receipt's parts, or what is wrong with its form. */
function parseReceipt(value: unknown): ParsedReceipt | string {
  if (!isObject(value)) return 'a receipt is an object';
  const { cert, leaf_components: leaf, node_id: nodeId, proof, service_endorsements } = value;
  if (!isObject(leaf)) return 'leaf_components is missing';
  const { write_set_digest: writes, commit_evidence: evidence, claims_digest: claims } = leaf;
  if (!isHex64(writes) || !isHex64(claims)) return 'a digest is not 64 hex digits';
  const match = typeof evidence === 'string' ? evidencePattern.exec(evidence) : null;
  if (match === null) return 'commit_evidence has another form';
  if (!isHex64(nodeId)) return 'node_id is not 64 hex digits';
  if (!Array.isArray(proof) || proof.length > maxProofSteps || !proof.every(isStep)) {
    return 'proof is not a list of steps';
  }
  if (proof.length === 0) return 'proof is empty';
  const signature = typeof value.signature === 'string' ? fromBase64(value.signature) : null;
  if (!signature) return 'signature is not base64';
  const endorsed = service_endorsements ?? [];
  if (!Array.isArray(endorsed) || endorsed.length > maxEndorsements) {
    return 'service_endorsements is not a short list';
  }
  const [certificate, ...endorsements] = [cert, ...endorsed].map(barePem);
  if (certificate === undefined || !endorsements.every((der) => der !== undefined)) {
    return 'a certificate is not PEM';
  }
  return {
    components: {
      writeSetDigest: Buffer.from(writes, 'hex').toString('latin1'),
      commitEvidence: match[0],
      claimsDigest: Buffer.from(claims, 'hex').toString('latin1'),
    },
    transactionId: match[1] as string,
    steps: proof,
    signature,
    nodeId,
    certificate,
    endorsements,
  };
}

const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

function isStep(value: unknown): value is ProofStep {
  if (!isObject(value)) return false;
  const keys = Object.keys(value);
  return (
    keys.length === 1 && (keys[0] === 'left' || keys[0] === 'right') && isHex64(value[keys[0]])
  );
}

/** As {@link onePem}, of a text with nothing before or after the certificate: a receipt has one form. */
function barePem(pem: unknown): Uint8Array | undefined {
  if (typeof pem !== 'string') return undefined;
  return pem.startsWith('-----BEGIN ') && pem.trimEnd().endsWith('-----') ? onePem(pem) : undefined;
}

/** The DER of a PEM text with exactly one certificate; undefined for anything else. */
export function onePem(pem: unknown): Uint8Array | undefined {
  if (typeof pem !== 'string') return undefined;
  try {
    const found = fromPem(pem);
    return found.length === 1 ? found[0] : undefined;
  } catch (error) {
    if (error instanceof CryptoError) return undefined;
    throw error;
  }
}

type Refused = Extract<ReceiptVerdict, { ok: false }>;
type Trusted = { readonly ok: true; readonly spki: Uint8Array; readonly nodeId: NodeId };

function trustNode(receipt: ParsedReceipt, networkCertificatePem: string): Trusted | Refused {
  const root = onePem(networkCertificatePem);
  if (root === undefined) {
    return refused('UNTRUSTED_CERTIFICATE', 'the network certificate is not one PEM certificate');
  }
  const certificate = parseOrUndefined(receipt.certificate);
  if (certificate === undefined) return refused('MALFORMED', 'cert is not a certificate');
  const nodeId = nodeIdOf(certificate.spki);
  if (nodeId !== receipt.nodeId) {
    return refused('WRONG_NODE_ID', 'node_id is not that of the certificate');
  }
  const verdict = verifyCertificateChain({
    leaf: receipt.certificate,
    intermediates: receipt.endorsements,
    roots: [root],
    atMs: certificate.notBeforeMs,
    usage: 'serverAuth',
  });
  // A leaf equal to the root would be a network certificate that signs blocks: no node's.
  if (verdict.ok && verdict.chain.length > 1) return { ok: true, spki: certificate.spki, nodeId };
  const code = verdict.ok ? 'it is the network certificate' : verdict.code;
  return refused('UNTRUSTED_CERTIFICATE', `the network did not issue the certificate: ${code}`);
}

function parseOrUndefined(der: Uint8Array): ReturnType<typeof parseCertificate> | undefined {
  try {
    return parseCertificate(der);
  } catch (error) {
    if (error instanceof CryptoError) return undefined;
    throw error;
  }
}

const refused = (code: ReceiptRefusal, why: string): Refused => ({ ok: false, code, why });
