import {
  type CborValue,
  coseHeaders,
  type DecodedCose,
  decodeCose,
  isEncryptionPublicKey,
  kidOf,
  type SigningKey,
  signCose,
  spkiOf,
  verifyCose,
} from '@concordat/crypto';
import { CodedError, equalBytes, fromHex, fromUtf8, isHex64, toHex, utf8 } from '@concordat/std';
import { canonicalJson } from './canonical-json.ts';
import { GovernanceError } from './errors.ts';

/** Bytes of an endorsement, at most. */
export const maxRequestKeyBytes = 2_048;
/** An endorsement is relied on for so long after it was signed, seconds. */
export const requestKeyLifetimeSeconds = 600;
/** How far ahead of a client's clock it may have been signed, seconds. */
const leadSeconds = 60;

const labels = {
  type: 'concordat.type',
  network: 'concordat.network',
  createdAt: 'concordat.created-at',
} as const;
const type = 'request-key';
const headerCount = 5;

/** The key that requests are sealed to during an epoch. */
export interface RequestKey {
  /** Hex, 32 bytes. */
  readonly networkId: string;
  /** From 1. */
  readonly epoch: number;
  /** Uncompressed point of P-256, 65 bytes. */
  readonly publicKey: Uint8Array;
  /** When the network's key signed it, seconds since the Unix epoch. */
  readonly createdAtSeconds: number;
}

/** What the network's key says of a request key, as COSE_Sign1 bytes. */
export function endorseRequestKey(
  requestKey: RequestKey,
  network: { readonly key: SigningKey; readonly certificateDer: Uint8Array },
): Uint8Array {
  const { networkId, epoch, publicKey, createdAtSeconds } = requestKey;
  const protectedHeaders = new Map<number | string, CborValue>([
    [coseHeaders.kid, kidOf(network.certificateDer)],
    [labels.type, type],
    [labels.network, networkId],
    [labels.createdAt, createdAtSeconds],
  ]);
  const payload = utf8(canonicalJson({ epoch, publicKey: toHex(publicKey) }));
  return signCose({ protectedHeaders, payload, key: network.key });
}

const bad = (why: string): GovernanceError => new GovernanceError('MALFORMED_MESSAGE', why);

/**
 * The key that an endorsement is of, if the key of the network's certificate signed it, and lately.
 * @param by.certificateDer of the network
 * @param by.atSeconds the verifier's clock, seconds since the Unix epoch
 * @throws GovernanceError MALFORMED_MESSAGE, BAD_SIGNATURE, CREATED_TOO_LONG_AGO, CREATED_IN_FUTURE
 */
export function verifyRequestKey(
  bytes: Uint8Array,
  by: { readonly certificateDer: Uint8Array; readonly atSeconds: number },
): RequestKey {
  const cose = decode(bytes);
  const headers = cose.protectedHeaders;
  const kid = headers.get(coseHeaders.kid);
  const networkId = headers.get(labels.network);
  const createdAtSeconds = headers.get(labels.createdAt);
  const isFormed =
    headers.size === headerCount &&
    cose.unprotectedHeaders.size === 0 &&
    headers.get(labels.type) === type &&
    kid instanceof Uint8Array &&
    isHex64(networkId) &&
    typeof createdAtSeconds === 'number';
  if (!isFormed) throw bad('not the headers of an endorsed request key');
  const isSigned =
    equalBytes(kid, kidOf(by.certificateDer)) && verifyCose(cose, spkiOf(by.certificateDer));
  if (!isSigned) {
    throw new GovernanceError('BAD_SIGNATURE', "the network's key did not sign the request key");
  }
  if (by.atSeconds - createdAtSeconds > requestKeyLifetimeSeconds) {
    throw new GovernanceError('CREATED_TOO_LONG_AGO', 'the request key was endorsed too long ago');
  }
  if (createdAtSeconds - by.atSeconds > leadSeconds) {
    throw new GovernanceError('CREATED_IN_FUTURE', 'the request key was endorsed in the future');
  }
  return { networkId, createdAtSeconds, ...readPayload(cose.payload) };
}

function decode(bytes: Uint8Array): DecodedCose {
  try {
    return decodeCose(bytes, { maxBytes: maxRequestKeyBytes });
  } catch (error) {
    throw bad(error instanceof CodedError ? error.message : 'not COSE_Sign1');
  }
}

function readPayload(bytes: Uint8Array): Pick<RequestKey, 'epoch' | 'publicKey'> {
  let payload: Record<string, unknown> = {};
  try {
    payload = JSON.parse(fromUtf8(bytes)) as Record<string, unknown>;
  } catch {
    throw bad('the payload is not JSON');
  }
  const { epoch, publicKey: hex } = payload ?? {};
  const publicKey = typeof hex === 'string' ? fromHex(hex) : undefined;
  const isKey = publicKey !== undefined && isEncryptionPublicKey(publicKey);
  if (!Number.isSafeInteger(epoch) || (epoch as number) < 1 || !isKey) {
    throw bad('the payload is no request key');
  }
  return { epoch: epoch as number, publicKey };
}
