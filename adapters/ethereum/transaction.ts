import { toMinimalBytes } from '@concordat/evm';
import { RecentMap, toLatin1, viewOf } from '@concordat/std';
import type { AccessListEntry, AuthorizationView, TransactionFields } from './chain-reader.ts';
import { curveOrder, greatestLowS, keccak256, recoverAddress } from './crypto.ts';
import { EthereumError } from './errors.ts';
import { encodeRlp, RlpCursor, wrapRlpList } from './rlp.ts';

/** A transaction read from its canonical bytes, with its sender. */
export interface DecodedTransaction {
  readonly raw: Uint8Array;
  /** keccak256 of `raw`, 32 bytes. */
  readonly hash: Uint8Array;
  readonly fields: TransactionFields;
  /** Recovered from the signature, 20 bytes. */
  readonly from: Uint8Array;
}

/** Which transactions a chain takes. */
export interface DecodingRules {
  readonly chainId: bigint;
  /** Highest typed transaction of the fork (0 before Berlin), and whether blobs are let in. */
  readonly highestType: number;
  readonly blobs: boolean;
  /** EIP-2: refuse the upper half of `s`. */
  readonly lowS: boolean;
  /** Bytes; go-ethereum's 128 KiB unless a chain says otherwise. */
  readonly maxBytes: number;
  /** Name of the chain; senders are remembered for each, as a preparation remembers them. */
  readonly chain?: string;
}

/** go-ethereum's limit of one transaction's bytes. */
export const defaultMaxTransactionBytes = 131_072;

const empty = new Uint8Array(0);
const noEntries: readonly AccessListEntry[] = [];
const noAuthorizations: readonly AuthorizationView[] = [];
const noHashes: readonly Uint8Array[] = [];
const hexDigits = 64;

// Recovery costs ten times what decoding does, and wallets resend.
const senders = new RecentMap<string, Uint8Array>(16_384);

/** Who signed a transaction, as found beforehand. */
export interface KnownSigners {
  /** keccak256 of the transaction, 32 bytes. */
  readonly hash: Uint8Array;
  /** 20 bytes; undefined when no key fits the signature. */
  readonly from: Uint8Array | undefined;
  /** Of the first authorizations, in their order; undefined: not a valid signature. */
  readonly authorities: readonly (Uint8Array | undefined)[];
}

/**
 * Decodes canonical bytes once and recovers the sender, unless it is known.
 * @throws EthereumError OVERSIZED, UNDECODABLE, TRANSACTION_TYPE_NOT_SUPPORTED, WRONG_CHAIN_ID,
 *   INVALID_SIGNATURE
 */
export function decodeTransaction(
  raw: Uint8Array,
  rules: DecodingRules,
  known?: KnownSigners,
): DecodedTransaction {
  if (raw.length > rules.maxBytes) {
    throw new EthereumError('OVERSIZED', `transaction of ${raw.length} bytes`, {
      maximum: rules.maxBytes,
    });
  }
  const parsed = parseTransaction(raw, rules);
  const { fields } = parsed;
  checkSignatureForm(fields, rules);
  if (known === undefined) {
    const hash = parsed.hash();
    return {
      raw,
      hash,
      fields,
      from: rememberedSender((rules.chain ?? '') + toLatin1(hash), parsed),
    };
  }
  const { hash, from, authorities } = known;
  if (from === undefined) throw noKeyFits();
  for (let at = 0; at < authorities.length; at++) {
    const authorization = fields.authorizationList[at];
    if (authorization !== undefined) knownAuthorities.set(authorization, authorities[at]);
  }
  return { raw, hash, fields, from };
}

/**
 * Reads canonical bytes, whatever they are signed with.
 * @throws EthereumError UNDECODABLE, TRANSACTION_TYPE_NOT_SUPPORTED, INVALID_SIGNATURE
 */
export function parseTransaction(
  raw: Uint8Array,
  rules: Pick<DecodingRules, 'highestType' | 'blobs'>,
): ParsedTransaction {
  const first = raw[0];
  if (first === undefined) throw new EthereumError('UNDECODABLE', 'transaction of no bytes');
  const parsed = first >= 0xc0 ? parseLegacy(raw) : parseTyped(raw, first, rules);
  let hash: Uint8Array | undefined;
  const { fields, signingDigest } = parsed;
  return {
    fields,
    signingDigest,
    hash: () => {
      hash ??= keccak256(raw);
      return hash;
    },
  };
}

/** A transaction read from its bytes; whoever needs its hashes pays for them. */
export interface ParsedTransaction extends Parsed {
  /** keccak256 of its bytes, 32 bytes. */
  readonly hash: () => Uint8Array;
}

interface Parsed {
  readonly fields: TransactionFields;
  /** What its sender signed, 32 bytes. */
  readonly signingDigest: () => Uint8Array;
}

function parseLegacy(raw: Uint8Array): Parsed {
  const list = RlpCursor.open(raw);
  const start = list.position;
  const nonce = list.integer(8, 'nonce');
  const gasPrice = list.integer(32, 'gas price');
  const gasLimit = list.integer(8, 'gas limit');
  const to = destination(list);
  const value = list.integer(32, 'value');
  const data = list.bytes();
  const unsigned = list.between(start, list.position);
  const v = list.integer(32, 'v');
  const r = list.integer(32, 'r');
  const s = list.integer(32, 's');
  list.end('a legacy transaction');
  const isProtected = v >= 35n;
  if (!isProtected && v !== 27n && v !== 28n) {
    throw new EthereumError('INVALID_SIGNATURE', 'v is neither 27, 28 nor of EIP-155');
  }
  const yParity = Number(isProtected ? (v - 35n) % 2n : v - 27n) as 0 | 1;
  const chainId = isProtected ? (v - 35n) / 2n : undefined;
  const fields: TransactionFields = {
    type: 0,
    chainId,
    nonce,
    maxFeePerGas: gasPrice,
    maxPriorityFeePerGas: gasPrice,
    gasLimit,
    to,
    value,
    data,
    accessList: noEntries,
    authorizationList: noAuthorizations,
    blobVersionedHashes: noHashes,
    maxFeePerBlobGas: 0n,
    v,
    yParity,
    r,
    s,
  };
  return {
    fields,
    signingDigest: () => {
      if (chainId === undefined) return keccak256(wrapRlpList([unsigned]));
      const id = encodeRlp(toMinimalBytes(chainId));
      return keccak256(wrapRlpList([unsigned, id, twoZeros]));
    },
  };
}

const twoZeros = Uint8Array.of(0x80, 0x80);

function parseTyped(
  raw: Uint8Array,
  type: number,
  rules: Pick<DecodingRules, 'highestType' | 'blobs'>,
): Parsed {
  if (type < 1 || type > 4) {
    throw new EthereumError('TRANSACTION_TYPE_NOT_SUPPORTED', `type 0x${type.toString(16)}`);
  }
  if (type > rules.highestType || (type === 3 && !rules.blobs)) {
    throw new EthereumError(
      'TRANSACTION_TYPE_NOT_SUPPORTED',
      type === 3 ? 'this chain carries no blobs' : `type ${type} is not active on this chain`,
    );
  }
  const list = RlpCursor.open(raw, 1);
  const start = list.position;
  const chainId = list.integer(32, 'chain id');
  const nonce = list.integer(8, 'nonce');
  const maxPriorityFeePerGas = list.integer(32, 'priority fee');
  const maxFeePerGas = type === 1 ? maxPriorityFeePerGas : list.integer(32, 'fee cap');
  const gasLimit = list.integer(8, 'gas limit');
  const to = destination(list);
  const value = list.integer(32, 'value');
  const data = list.bytes();
  const accessList = readAccessList(list.list());
  const maxFeePerBlobGas = type === 3 ? list.integer(32, 'blob fee cap') : 0n;
  const blobVersionedHashes = type === 3 ? readHashes(list.list()) : noHashes;
  const authorizationList = type === 4 ? readAuthorizations(list.list()) : noAuthorizations;
  const unsigned = list.between(start, list.position);
  const v = list.integer(32, 'parity');
  const r = list.integer(32, 'r');
  const s = list.integer(32, 's');
  list.end(`a transaction of type ${type}`);
  if (v > 1n) throw new EthereumError('INVALID_SIGNATURE', 'parity is neither 0 nor 1');
  if (to === undefined && type >= 3) {
    throw new EthereumError('UNDECODABLE', `a transaction of type ${type} creates no contract`);
  }
  if (type === 3 && blobVersionedHashes.length === 0) {
    throw new EthereumError('UNDECODABLE', 'a blob transaction without blobs');
  }
  if (type === 4 && authorizationList.length === 0) {
    throw new EthereumError('UNDECODABLE', 'a type 4 transaction without authorizations');
  }
  return {
    fields: {
      type: type as 1 | 2 | 3 | 4,
      chainId,
      nonce,
      maxFeePerGas,
      maxPriorityFeePerGas,
      gasLimit,
      to,
      value,
      data,
      accessList,
      authorizationList,
      blobVersionedHashes,
      maxFeePerBlobGas,
      v,
      yParity: Number(v) as 0 | 1,
      r,
      s,
    },
    signingDigest: () => keccak256(wrapRlpList([unsigned], type)),
  };
}

function destination(list: RlpCursor): Uint8Array | undefined {
  const to = list.bytes();
  if (to.length === 0) return undefined;
  if (to.length !== 20) throw new EthereumError('UNDECODABLE', `address of ${to.length} bytes`);
  return to;
}

function readAccessList(list: RlpCursor): readonly AccessListEntry[] {
  if (list.done) return noEntries;
  const entries: AccessListEntry[] = [];
  while (!list.done) {
    const entry = list.list();
    const address = entry.fixed(20, 'access list address');
    const storageKeys = readHashes(entry.list());
    entry.end('an access list entry');
    entries.push({ address, storageKeys });
  }
  return entries;
}

function readHashes(list: RlpCursor): readonly Uint8Array[] {
  const hashes: Uint8Array[] = [];
  while (!list.done) hashes.push(list.fixed(32, 'hash'));
  return hashes;
}

function readAuthorizations(list: RlpCursor): readonly AuthorizationView[] {
  const authorizations: AuthorizationView[] = [];
  while (!list.done) {
    const entry = list.list();
    const chainId = entry.integer(32, 'authorization chain id');
    const address = entry.fixed(20, 'authorization address');
    const nonce = entry.integer(8, 'authorization nonce');
    const yParity = Number(entry.integer(1, 'authorization parity'));
    const r = entry.integer(32, 'authorization r');
    const s = entry.integer(32, 'authorization s');
    entry.end('an authorization');
    authorizations.push({ chainId, address, nonce, yParity, r, s });
  }
  return authorizations;
}

function checkSignatureForm(fields: TransactionFields, rules: DecodingRules): void {
  if (fields.chainId !== undefined && fields.chainId !== rules.chainId) {
    throw new EthereumError(
      'WRONG_CHAIN_ID',
      `signed for chain ${fields.chainId}, this is ${rules.chainId}`,
    );
  }
  if (fields.r === 0n || fields.s === 0n || fields.r >= curveOrder || fields.s >= curveOrder) {
    throw new EthereumError('INVALID_SIGNATURE', 'r or s is out of range');
  }
  if (rules.lowS && fields.s > greatestLowS) {
    throw new EthereumError('INVALID_SIGNATURE', 's is in the upper half (EIP-2)');
  }
}

function rememberedSender(key: string, parsed: Parsed): Uint8Array {
  const known = senders.get(key);
  if (known !== undefined) return known;
  const from = recoverSender(parsed);
  if (from === undefined) throw noKeyFits();
  senders.set(key, from);
  return from;
}

/** Who signed a transaction, 20 bytes; undefined when no key fits. */
export function recoverSender({ fields, signingDigest }: Parsed): Uint8Array | undefined {
  const { r, s, yParity } = fields;
  if (r >= curveOrder || s >= curveOrder) return undefined;
  return recoverAddress(signingDigest(), joinSignature(r, s), yParity);
}

const noKeyFits = (): EthereumError =>
  new EthereumError('INVALID_SIGNATURE', 'no key fits the signature');

/** r‖s, 64 bytes. */
function joinSignature(r: bigint, s: bigint): Uint8Array {
  const digits = r.toString(16).padStart(hexDigits, '0') + s.toString(16).padStart(hexDigits, '0');
  return Buffer.from(digits, 'hex');
}

const authorizationMagic = 5;

/** What was recovered beforehand. */
const knownAuthorities = new WeakMap<AuthorizationView, Uint8Array | undefined>();

/** Who signed an EIP-7702 authorization, or undefined when its signature is not valid. */
export function authorityOf(authorization: AuthorizationView): Uint8Array | undefined {
  if (knownAuthorities.has(authorization)) return knownAuthorities.get(authorization);
  const { chainId, address, nonce, yParity, r, s } = authorization;
  if (yParity > 1 || r === 0n || r >= curveOrder || s === 0n || s > greatestLowS) return undefined;
  const digest = keccak256(
    encodeRlp([toMinimalBytes(chainId), address, toMinimalBytes(nonce)], authorizationMagic),
  );
  return recoverAddress(digest, joinSignature(r, s), yParity);
}

/** A transaction that nobody has signed yet. */
export type UnsignedTransaction = Omit<TransactionFields, 'v' | 'r' | 's' | 'yParity'>;

/** Type 2, an account's first, with nothing given, asked for or paid. */
export const blankTransaction: Omit<UnsignedTransaction, 'gasLimit'> = {
  type: 2,
  nonce: 0n,
  maxFeePerGas: 0n,
  maxPriorityFeePerGas: 0n,
  value: 0n,
  data: empty,
  accessList: noEntries,
  authorizationList: noAuthorizations,
  blobVersionedHashes: [],
  maxFeePerBlobGas: 0n,
};

/**
 * Canonical bytes of a transaction, signed; what is left out is as in {@link blankTransaction}. For
 * wallets in tests and tools.
 */
export function signedTransaction(
  fields: Partial<UnsignedTransaction> & Pick<UnsignedTransaction, 'gasLimit'>,
  sign: (digest: Uint8Array) => { readonly signature: Uint8Array; readonly yParity: 0 | 1 },
): Uint8Array {
  const unsigned = { ...blankTransaction, ...fields };
  const body = unsignedFields(unsigned);
  const legacyId = unsigned.type === 0 ? unsigned.chainId : undefined;
  const type = unsigned.type === 0 ? undefined : unsigned.type;
  const tail = legacyId === undefined ? [] : [toMinimalBytes(legacyId), empty, empty];
  const { signature, yParity } = sign(keccak256(encodeRlp([...body, ...tail], type)));
  const legacyV = legacyId === undefined ? 27n : legacyId * 2n + 35n;
  const v = unsigned.type === 0 ? legacyV + BigInt(yParity) : BigInt(yParity);
  const signed = [v, wordAt(signature, 0), wordAt(signature, 32)].map(toMinimalBytes);
  return encodeRlp([...body, ...signed], type);
}

const wordAt = (bytes: Uint8Array, at: number): bigint =>
  BigInt(`0x${viewOf(bytes).toString('hex', at, at + 32)}`);

function unsignedFields(fields: UnsignedTransaction) {
  const { type } = fields;
  const fees =
    type <= 1 ? [fields.maxFeePerGas] : [fields.maxPriorityFeePerGas, fields.maxFeePerGas];
  const body: (Uint8Array | readonly unknown[])[] = [
    ...(type === 0 ? [] : [toMinimalBytes(fields.chainId ?? 0n)]),
    toMinimalBytes(fields.nonce),
    ...fees.map(toMinimalBytes),
    toMinimalBytes(fields.gasLimit),
    fields.to ?? empty,
    toMinimalBytes(fields.value),
    fields.data,
  ];
  if (type >= 1) body.push(fields.accessList.map((e) => [e.address, e.storageKeys]));
  if (type === 3) body.push(toMinimalBytes(fields.maxFeePerBlobGas), fields.blobVersionedHashes);
  if (type === 4) {
    body.push(
      fields.authorizationList.map((a) => [
        toMinimalBytes(a.chainId),
        a.address,
        toMinimalBytes(a.nonce),
        toMinimalBytes(BigInt(a.yParity)),
        toMinimalBytes(a.r),
        toMinimalBytes(a.s),
      ]),
    );
  }
  return body as Uint8Array[];
}

/** Signs an EIP-7702 authorization; for wallets in tests and tools. */
export function signedAuthorization(
  unsigned: Pick<AuthorizationView, 'chainId' | 'address' | 'nonce'>,
  sign: (digest: Uint8Array) => { readonly signature: Uint8Array; readonly yParity: 0 | 1 },
): AuthorizationView {
  const { chainId, address, nonce } = unsigned;
  const digest = keccak256(
    encodeRlp([toMinimalBytes(chainId), address, toMinimalBytes(nonce)], authorizationMagic),
  );
  const { signature, yParity } = sign(digest);
  return { ...unsigned, yParity, r: wordAt(signature, 0), s: wordAt(signature, 32) };
}

/** Fields of canonical bytes of any type, for what was checked when it was executed. */
export function transactionFields(raw: Uint8Array): TransactionFields {
  const first = raw[0] ?? 0;
  if (first >= 0xc0) return parseLegacy(raw).fields;
  return parseTyped(raw, first, { highestType: 4, blobs: true }).fields;
}
