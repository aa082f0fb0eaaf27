import type { AnyRecord, Guarded, RealmHost } from './realm-host.ts';

/** Calls to systems outside of the network, as the realm keeps them until they are answered. */
export interface RealmExternal {
  /** `concordat.external`. */
  readonly call: (system: unknown, options?: unknown) => Promise<unknown>;
  /** Gives a call its answer: a status, or 0 with a code. */
  settle(number: number, status: number, told: string, body: ArrayBuffer): void;
  /** Nobody will ever answer it. */
  drop(number: number): void;
}

/** See `realm-globals.ts` for what this code may use. */
export function createExternal(host: RealmHost, guard: Guarded): RealmExternal {
  const open = new Map<
    number,
    { readonly resolve: (value: unknown) => void; readonly reject: (error: unknown) => void }
  >();
  const contentOf = (body: unknown): unknown => {
    if (body === undefined) return '';
    if (typeof body === 'string' || body instanceof ArrayBuffer) return body;
    if (ArrayBuffer.isView(body)) {
      const { buffer, byteOffset, byteLength } = body;
      return buffer.slice(byteOffset, byteOffset + byteLength);
    }
    const text = JSON.stringify(body);
    if (text === undefined) throw new TypeError('the body is not JSON-serialisable');
    return text;
  };
  const answerOf = (status: number, told: string, body: ArrayBuffer): unknown => {
    const headers = Object.create(null) as Record<string, string>;
    for (const [name, value] of JSON.parse(told) as [string, string][]) {
      const before = headers[name];
      headers[name] = before === undefined ? value : `${before}, ${value}`;
    }
    const text = (): string => guard(() => host.decode(body));
    const json = (): unknown => JSON.parse(text());
    return { status, headers, body: { text, json, arrayBuffer: () => body.slice(0) } };
  };
  return {
    call(system, options = {}) {
      const { method = 'GET', path = '/', headers = {}, body } = Object(options) as AnyRecord;
      const texts = [system, method, path];
      if (texts.some((text) => typeof text !== 'string')) {
        throw new TypeError('the system, the method and the path of a call are strings');
      }
      const pairs = Object.entries(Object(headers) as AnyRecord).map(([name, value]) => [
        name.toLowerCase(),
        `${value as string}`,
      ]);
      const content = contentOf(body);
      const isJson = body !== undefined && content !== body && !ArrayBuffer.isView(body);
      if (isJson && !pairs.some(([name]) => name === 'content-type')) {
        pairs.push(['content-type', 'application/json']);
      }
      const told = JSON.stringify({ system, method, path, headers: pairs });
      const number = guard(() => host.external(told, content));
      return new Promise((resolve, reject) => {
        open.set(number, { resolve, reject });
      });
    },
    settle(number, status, told, body) {
      const waiting = open.get(number);
      open.delete(number);
      if (waiting === undefined) return;
      if (status > 0) {
        waiting.resolve(answerOf(status, told, body));
        return;
      }
      const { code, message } = JSON.parse(told) as { code: string; message: string };
      const error = new Error(message) as Error & { code: string };
      error.code = code;
      waiting.reject(error);
    },
    drop(number) {
      open.delete(number);
    },
  };
}
