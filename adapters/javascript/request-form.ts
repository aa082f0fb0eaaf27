import { BinaryReader, BinaryWriter, DecodeError } from '@concordat/std';

/** A request as it is ordered: what the client sent, without what only the connection knew. */
export interface ApplicationRequest {
  readonly method: string;
  /** Path and query as sent. */
  readonly url: string;
  readonly headers: readonly (readonly [string, string])[];
  /** View into the bytes it was read from. */
  readonly body: Uint8Array;
}

const version = 1;
const maxHeaders = 100;
const methodForm = /^[A-Z]{1,10}$/;
const writer = new BinaryWriter();

/** u8 1 | text method | text url | u16 count | (text name, text value)... | body. */
export function encodeRequest({ method, url, headers, body }: ApplicationRequest): Buffer {
  writer.u8(version).text(method).text(url).u16(headers.length);
  for (const [name, value] of headers) writer.text(name).text(value);
  return writer.raw(body).take();
}

/** Reads what {@link encodeRequest} wrote, strictly. @throws DecodeError */
export function decodeRequest(bytes: Uint8Array): ApplicationRequest {
  const reader = new BinaryReader(bytes);
  if (reader.u8() !== version) throw new DecodeError('INVALID', 'unknown request version');
  const method = reader.text(10);
  const url = reader.text();
  if (!methodForm.test(method) || !url.startsWith('/')) {
    throw new DecodeError('INVALID', 'method or URL of a request');
  }
  const count = reader.u16();
  if (count > maxHeaders) throw new DecodeError('INVALID', `${count} headers`);
  const headers: [string, string][] = [];
  for (let at = 0; at < count; at++) headers.push([reader.text(), reader.text()]);
  return { method, url, headers, body: reader.raw(reader.remaining) };
}

/** Splits a URL into path and query (without `?`). */
export function splitUrl(url: string): { readonly path: string; readonly query: string } {
  const mark = url.indexOf('?');
  if (mark < 0) return { path: url, query: '' };
  return { path: url.slice(0, mark), query: url.slice(mark + 1) };
}
