import {
  type CborValue,
  type DecodedCose,
  decodeCose,
  sha256,
  signCose,
  signCoseWith,
} from '@concordat/crypto';
import { CodedError, isHex64, toHex } from '@concordat/std';
import { GovernanceError } from './errors.ts';
import type { MessageSigner } from './message.ts';

/** Header of a certificate and those above it, leaf first (RFC 9360, section 2). */
const x5chain = 33;
/** Labels of the protected headers beside `alg` and `x5chain`. */
const labels = {
  type: 'concordat.type',
  network: 'concordat.network',
  worker: 'concordat.worker',
  createdAt: 'concordat.created-at',
  ephemeral: 'concordat.ephemeral',
} as const;
const type = 'sealed-request';
const headerCount = 7;
/** Worker enclaves of a node, at most. */
const maxWorkers = 15;
const pointBytes = 65;

/** Certificates a message carries, at most; and the bytes of each. */
const maxCertificates = 8;
const maxCertificateBytes = 16 * 1024;

/** What a message inside a sealed request states. */
export interface SealedMessageContent {
  /** Hex, 32 bytes. */
  readonly networkId: string;
  /** Which worker of a node it is for, from 1: applications of others may have the same paths. */
  readonly worker: number;
  /** Seconds since the Unix epoch. */
  readonly createdAtSeconds: number;
  /** DER: the signer's certificate, then those above it. */
  readonly certificates: readonly Uint8Array[];
  /** Ephemeral point of the context it is sealed in, 65 bytes: nobody seals it anew for a reply. */
  readonly ephemeral: Uint8Array;
  readonly payload: Uint8Array;
}

/** What an actor signs before it is sealed, as COSE_Sign1 bytes. */
export function buildSealedMessage(options: SealedMessageContent & MessageSigner): Uint8Array {
  const { certificates, payload } = options;
  const [leaf = new Uint8Array(0)] = certificates;
  const protectedHeaders = new Map<number | string, CborValue>([
    [x5chain, certificates.length === 1 ? leaf : [...certificates]],
    [labels.type, type],
    [labels.network, options.networkId],
    [labels.worker, options.worker],
    [labels.createdAt, options.createdAtSeconds],
    [labels.ephemeral, options.ephemeral],
  ]);
  const content = { protectedHeaders, payload };
  return 'key' in options
    ? signCose({ ...content, key: options.key })
    : signCoseWith({ ...content, sign: options.sign });
}

/** Such a message in good form; nothing of it is verified yet. */
export interface SealedMessage extends SealedMessageContent {
  /** Hex SHA-256 of the bytes the signature covers: whoever has no key makes no second one. */
  readonly digest: string;
  /** For `verifyCose`. */
  readonly cose: DecodedCose;
}

const bad = (why: string): GovernanceError => new GovernanceError('MALFORMED_MESSAGE', why);

/**
 * Reads a message strictly: exactly the headers above, all of them protected.
 * @throws GovernanceError MALFORMED_MESSAGE
 */
export function decodeSealedMessage(bytes: Uint8Array): SealedMessage {
  const cose = decode(bytes);
  const headers = cose.protectedHeaders;
  if (headers.size !== headerCount || cose.unprotectedHeaders.size !== 0) {
    throw bad('headers beyond alg, x5chain and those of sealed requests');
  }
  if (headers.get(labels.type) !== type) throw bad(`header ${labels.type} is not ${type}`);
  const networkId = headers.get(labels.network);
  if (!isHex64(networkId)) throw bad(`header ${labels.network} is not 64 lowercase hex digits`);
  const worker = headers.get(labels.worker);
  if (typeof worker !== 'number' || worker < 1 || worker > maxWorkers) {
    throw bad(`header ${labels.worker} is not a number from 1 to ${maxWorkers}`);
  }
  const createdAtSeconds = headers.get(labels.createdAt);
  if (typeof createdAtSeconds !== 'number' || !isSeconds(createdAtSeconds)) {
    throw bad(`header ${labels.createdAt} is not a time in seconds`);
  }
  const ephemeral = headers.get(labels.ephemeral);
  if (!(ephemeral instanceof Uint8Array) || ephemeral.length !== pointBytes) {
    throw bad(`header ${labels.ephemeral} is not ${pointBytes} bytes`);
  }
  const { payload } = cose;
  const certificates = readChain(headers.get(x5chain));
  const digest = toHex(sha256(cose.tbs));
  return { networkId, worker, createdAtSeconds, certificates, ephemeral, payload, digest, cose };
}

/** One certificate is a byte string, several are a list (RFC 9360, section 2). */
function readChain(value: CborValue | undefined): readonly Uint8Array[] {
  const list = value instanceof Uint8Array ? [value] : value;
  const isList = Array.isArray(list) && list.length >= 1 && list.length <= maxCertificates;
  if (!isList || (value === list && list.length === 1)) throw bad('x5chain is no chain');
  for (const one of list) {
    if (!(one instanceof Uint8Array) || one.length > maxCertificateBytes) {
      throw bad('x5chain holds what is no certificate');
    }
  }
  return list as Uint8Array[];
}

const isSeconds = (value: number): boolean =>
  Number.isSafeInteger(value) && value >= 0 && value < 1e12;

function decode(bytes: Uint8Array): DecodedCose {
  try {
    return decodeCose(bytes, { maxBytes: bytes.length });
  } catch (error) {
    throw bad(error instanceof CodedError ? error.message : 'not COSE_Sign1');
  }
}
