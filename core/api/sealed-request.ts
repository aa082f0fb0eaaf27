import {
  BinaryReader,
  BinaryWriter,
  concatBytes,
  DecodeError,
  fromHex,
  utf8,
} from '@concordat/std';

// Requests that only an enclave of the network reads, whoever ends TLS before it. Bytes:
// docs/format/sealed-request.md.

/** Paths of every application port. */
export const sealedPaths = {
  /** POST application/vnd.concordat.sealed-request; an answer of the same name's reply type */
  request: '/.well-known/concordat/sealed-request',
  /** GET application/cose: the key that requests are sealed to, endorsed by the network's */
  key: '/.well-known/concordat/request-key',
} as const;

/** Media type of a request that is sealed to the network. */
export const sealedRequestMediaType = 'application/vnd.concordat.sealed-request';
/** Media type of the reply that is sealed to who sent such a request. */
export const sealedReplyMediaType = 'application/vnd.concordat.sealed-reply';

/** How long after its creation a sealed request is taken, seconds. */
export const sealedRequestLifetimeSeconds = 300;
/** How far ahead of a node's clock the creation may lie, seconds. */
export const sealedRequestLeadSeconds = 60;

const version = 1;
const pointBytes = 65;
const tagBytes = 16;
/** Bytes of a sealed request before its ciphertext. */
const headBytes = 9 + pointBytes;

/** What the label of the exported secret is that replies are sealed with. */
export const sealedReplyLabel: Uint8Array = utf8('concordat sealed reply v1');

/** What a sealed request's context is bound to. @param networkId 64 hex digits */
export const sealedRequestInfo = (networkId: string): Uint8Array =>
  concatBytes(utf8('concordat sealed request v1'), fromHex(networkId) ?? new Uint8Array(0));

/** A request as it travels. */
export interface SealedRequest {
  /** Epoch of the key it is sealed to. */
  readonly epoch: number;
  /** Uncompressed point, 65 bytes: `enc` of RFC 9180. */
  readonly ephemeral: Uint8Array;
  readonly ciphertext: Uint8Array;
}

/** What is authenticated beside the ciphertext: u8 1 | u64 epoch. */
export const sealedRequestHeader = (epoch: number): Uint8Array =>
  new BinaryWriter(9).u8(version).u64(epoch).take();

/** u8 1 | u64 epoch | ephemeral (65) | ciphertext. */
export const encodeSealedRequest = (sealed: SealedRequest): Uint8Array =>
  concatBytes(sealedRequestHeader(sealed.epoch), sealed.ephemeral, sealed.ciphertext);

/** Reads what {@link encodeSealedRequest} wrote. @throws DecodeError */
export function decodeSealedRequest(bytes: Uint8Array): SealedRequest {
  if (bytes.length < headBytes + tagBytes) {
    throw new DecodeError('INVALID', 'a sealed request shorter than its header and tag');
  }
  const reader = new BinaryReader(bytes);
  if (reader.u8() !== version) throw new DecodeError('INVALID', 'unknown version');
  const epoch = reader.u64();
  return { epoch, ephemeral: reader.raw(pointBytes), ciphertext: reader.raw(reader.remaining) };
}

/** An HTTP request inside. */
export interface InnerRequest {
  /** 1-10 upper-case letters. */
  readonly method: string;
  /** Path and query, as an HTTP request line has them. */
  readonly target: string;
  /** Lower-case names, each once. */
  readonly headers: readonly (readonly [string, string])[];
  readonly body: Uint8Array;
}

/** An HTTP answer inside. */
export interface InnerReply {
  /** 200-599. */
  readonly status: number;
  readonly headers: readonly (readonly [string, string])[];
  readonly body: Uint8Array;
}

const maxHeaders = 100;
const maxHeadersLength = 16 * 1024;
const methodForm = /^[A-Z]{1,10}$/;
const nameForm = /^[!#$%&'*+\-.^_`|~0-9a-z]{1,256}$/;
/** Visible ASCII, spaces and tabs between. */
const valueForm = /^(?:[!-~](?:[\t -~]*[!-~])?)?$/;
/** What belongs to a connection, or is said elsewhere (RFC 9110, section 7.6.1). */
const ofConnections = new Set([
  ...['connection', 'content-length', 'expect', 'host', 'keep-alive', 'proxy-connection'],
  ...['te', 'trailer', 'transfer-encoding', 'upgrade'],
]);

type Headers = readonly (readonly [string, string])[];

function writeHeaders(writer: BinaryWriter, headers: Headers): BinaryWriter {
  writer.u16(headers.length);
  for (const [name, value] of headers) writer.text(name).text(value);
  return writer;
}

function readHeaders(reader: BinaryReader): Headers {
  const count = reader.u16();
  if (count > maxHeaders) throw new DecodeError('INVALID', `${count} headers`);
  const headers: [string, string][] = [];
  const names = new Set<string>();
  let length = 0;
  for (let at = 0; at < count; at++) {
    const [name, value] = [reader.text(256), reader.text(maxHeadersLength)];
    length += name.length + value.length;
    const isFormed = nameForm.test(name) && valueForm.test(value);
    if (!isFormed || names.has(name) || ofConnections.has(name) || length > maxHeadersLength) {
      throw new DecodeError('INVALID', 'a header is malformed, repeated or of a connection');
    }
    names.add(name);
    headers.push([name, value]);
  }
  return headers;
}

/** u8 1 | text method | bytes target | u16 count | (text name, text value)... | body. */
export function encodeInnerRequest({ method, target, headers, body }: InnerRequest): Uint8Array {
  const writer = new BinaryWriter().u8(version).text(method).bytes(utf8(target));
  return writeHeaders(writer, headers).raw(body).take();
}

/** Reads what {@link encodeInnerRequest} wrote; the form of the target is not checked. @throws DecodeError */
export function decodeInnerRequest(bytes: Uint8Array): InnerRequest {
  const reader = new BinaryReader(bytes);
  if (reader.u8() !== version) throw new DecodeError('INVALID', 'unknown version');
  const method = reader.text(10);
  if (!methodForm.test(method)) throw new DecodeError('INVALID', 'not a method');
  const target = reader.bytes(maxHeadersLength).toString('latin1');
  const headers = readHeaders(reader);
  return { method, target, headers, body: reader.raw(reader.remaining) };
}

/** u8 1 | u16 status | u16 count | (text name, text value)... | body. */
export function encodeInnerReply({ status, headers, body }: InnerReply): Uint8Array {
  const writer = new BinaryWriter(256 + body.length).u8(version).u16(status);
  return writeHeaders(writer, headers).raw(body).take();
}

/** Reads what {@link encodeInnerReply} wrote. @throws DecodeError */
export function decodeInnerReply(bytes: Uint8Array): InnerReply {
  const reader = new BinaryReader(bytes);
  if (reader.u8() !== version) throw new DecodeError('INVALID', 'unknown version');
  const status = reader.u16();
  if (status < 200 || status > 599) throw new DecodeError('INVALID', 'not a status');
  const count = reader.u16();
  if (count > maxHeaders) throw new DecodeError('INVALID', `${count} headers`);
  const headers: [string, string][] = [];
  for (let at = 0; at < count; at++) headers.push([reader.text(), reader.text()]);
  return { status, headers, body: reader.raw(reader.remaining) };
}
