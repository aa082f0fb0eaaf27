import { type BinaryReader, type BinaryWriter, DecodeError, fromUtf8, utf8 } from '@concordat/std';

/**
 * What goes over the wall of an application's process about calls to systems outside of the network,
 * which are made before the transaction of the request that wants them.
 */

/** What its calls left for a request. */
export interface Called {
  /** Hex, 64 digits: the same for every attempt of one keyed request, else one of its own. */
  readonly key: string;
  /** JSON of what the function that makes the calls returned; empty while it runs. */
  readonly value: Uint8Array;
}

/** A call that a running function wants to be made. */
export interface WantedCall {
  /** Drawn by the process. */
  readonly number: number;
  readonly system: string;
  readonly method: string;
  readonly path: string;
  readonly headers: readonly (readonly [string, string])[];
  readonly body: Uint8Array;
}

/** What became of one. */
export type CallEnd =
  | {
      readonly ok: true;
      readonly status: number;
      readonly headers: readonly (readonly [string, string])[];
      readonly body: Uint8Array;
    }
  | { readonly ok: false; readonly code: string; readonly message: string };

/** One step of a function that makes calls: its beginning, or what became of a call. */
export interface PhaseStep {
  /** Of the function's run, drawn by the adapter. */
  readonly phase: number;
  readonly answered?: { readonly number: number; readonly end: CallEnd };
}

/** Calls of one request. */
export const maxCallsOfRequest = 16;
/** JSON of what the function returns, bytes. */
export const maxCalledBytes = 1024 * 1024;
const maxHeaders = 4_096;
const maxCodeBytes = 64;
const maxMessageBytes = 4_096;
const maxBodyBytes = 8 * 1024 * 1024;

/** bytes key | bytes value */
export function writeCalled(writer: BinaryWriter, { key, value }: Called): void {
  writer.text(key).bytes(value);
}

/** @throws DecodeError */
export const readCalled = (reader: BinaryReader): Called => ({
  key: reader.text(64),
  value: reader.bytes(maxCalledBytes),
});

/** u32 phase | u8 0, or u8 1, u32 number, u8 ok, the answer or the failure */
export function writeStep(writer: BinaryWriter, { phase, answered }: PhaseStep): void {
  writer.u32(phase).u8(answered === undefined ? 0 : 1);
  if (answered === undefined) return;
  const { number, end } = answered;
  writer.u32(number).u8(end.ok ? 1 : 0);
  if (end.ok) {
    writer.u16(end.status);
    writePairs(writer, end.headers);
    writer.bytes(end.body);
  } else writer.text(end.code).bytes(utf8(end.message));
}

/** @throws DecodeError */
export function readStep(reader: BinaryReader): PhaseStep {
  const phase = reader.u32();
  if (reader.u8() === 0) return { phase };
  const number = reader.u32();
  if (reader.u8() === 1) {
    const [status, headers] = [reader.u16(), readPairs(reader)];
    const end = { ok: true, status, headers, body: reader.bytes(maxBodyBytes) } as const;
    return { phase, answered: { number, end } };
  }
  const code = reader.text(maxCodeBytes);
  const message = fromUtf8(reader.bytes(maxMessageBytes));
  return { phase, answered: { number, end: { ok: false, code, message } } };
}

/** u8 count | (u32 number | system | method | path | headers | body)... */
export function writeWanted(writer: BinaryWriter, wanted: readonly WantedCall[]): void {
  writer.u8(wanted.length);
  for (const { number, system, method, path, headers, body } of wanted) {
    writer.u32(number).bytes(utf8(system)).bytes(utf8(method)).bytes(utf8(path));
    writePairs(writer, headers);
    writer.bytes(body);
  }
}

/** Believes nothing: the process runs foreign code. @throws DecodeError */
export function readWanted(reader: BinaryReader): WantedCall[] {
  const count = reader.u8();
  if (count > maxCallsOfRequest) throw new DecodeError('INVALID', `${count} calls at a time`);
  const wanted: WantedCall[] = [];
  for (let at = 0; at < count; at++) {
    const number = reader.u32();
    const [system, method, path] = [readText(reader), readText(reader), readText(reader)];
    const headers = readPairs(reader);
    wanted.push({ number, system, method, path, headers, body: reader.bytes(maxBodyBytes) });
  }
  return wanted;
}

const readText = (reader: BinaryReader): string => fromUtf8(reader.bytes(maxBodyBytes));

function writePairs(writer: BinaryWriter, pairs: readonly (readonly [string, string])[]): void {
  writer.u16(pairs.length);
  for (const [name, value] of pairs) writer.bytes(utf8(name)).bytes(utf8(value));
}

function readPairs(reader: BinaryReader): [string, string][] {
  const count = reader.u16();
  if (count > maxHeaders) throw new DecodeError('INVALID', `${count} headers`);
  const pairs: [string, string][] = [];
  for (let at = 0; at < count; at++) pairs.push([readText(reader), readText(reader)]);
  return pairs;
}
