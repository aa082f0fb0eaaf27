import { BinaryReader, BinaryWriter, DecodeError } from '@concordat/std';

/** What an application answered. */
export interface ApplicationAnswer {
  /** 200 to 599. */
  readonly status: number;
  readonly headers: readonly (readonly [string, string])[];
  readonly body: Uint8Array;
}

const writer = new BinaryWriter();

/** u16 status | u16 count | (text name, text value)... | body. */
export function encodeAnswer({ status, headers, body }: ApplicationAnswer): Buffer {
  writer.u16(status).u16(headers.length);
  for (const [name, value] of headers) writer.text(name).text(value);
  return writer.raw(body).take();
}

const headerName = /^[a-z0-9!#$%&'*+.^_`|~-]{1,100}$/;
// biome-ignore lint/suspicious/noControlCharactersInRegex: what a header must not hold
const headerValue = /^[^\x00-\x08\x0a-\x1f\x7f\u0100-\uffff]{0,8192}$/;
/** Headers that say how the message is framed or who vouches for it: the worker's alone. */
const forbidden =
  /^(?:connection|content-length|transfer-encoding|upgrade|trailer|te|keep-alive|date|x-ms-ccf-transaction-id)$/;
const maxHeaders = 50;

/** Whether an application may set this header, and to this value. */
export const isHeader = (name: string, value: string): boolean =>
  headerName.test(name) && headerValue.test(value) && !forbidden.test(name);

/** Reads what {@link encodeAnswer} wrote and believes nothing of it. @throws DecodeError */
export function decodeAnswer(bytes: Uint8Array): ApplicationAnswer {
  const reader = new BinaryReader(bytes);
  const status = reader.u16();
  if (status < 200 || status > 599) throw new DecodeError('INVALID', `status ${status}`);
  const count = reader.u16();
  if (count > maxHeaders) throw new DecodeError('INVALID', `${count} headers`);
  const headers: [string, string][] = [];
  for (let at = 0; at < count; at++) {
    const [name, value] = [reader.text(), reader.text()];
    if (!isHeader(name, value)) throw new DecodeError('INVALID', 'a header of an answer');
    headers.push([name, value]);
  }
  return { status, headers, body: reader.raw(reader.remaining) };
}
