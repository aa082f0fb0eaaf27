import type { RealmExternal } from './realm-external.ts';
import type { AnyRecord, Guarded, RealmCalls, RealmHost } from './realm-host.ts';

/** Tells the process what a handler threw. See `realm-globals.ts` for what this code may use. */
export function createFailed(host: RealmHost): (error: unknown) => void {
  return (error) => {
    let message = 'a value that is no error was thrown';
    let trace = '';
    let code = '';
    try {
      if (error instanceof Error) {
        message = String(error.message);
        trace = String(error.stack ?? '');
        code = String((error as Error & { code?: unknown }).code ?? '');
      } else if (typeof error === 'string') message = error;
    } catch {
      // An error that throws when it is looked at keeps its secrets.
    }
    host.failed(message, trace, code);
  };
}

/** Takes the response of a handler apart. */
export function createDeliver(host: RealmHost, guard: Guarded): (response: unknown) => void {
  return (response) => {
    if (typeof response !== 'object' || response === null) {
      throw new TypeError('the endpoint did not return an object');
    }
    const { statusCode = 200, headers = {}, body } = response as AnyRecord;
    if (typeof statusCode !== 'number') throw new TypeError('statusCode is not a number');
    let [type, content]: [string, unknown] = ['', ''];
    if (typeof body === 'string') [type, content] = ['text/plain', body];
    else if (body instanceof ArrayBuffer) [type, content] = ['application/octet-stream', body];
    else if (ArrayBuffer.isView(body)) {
      const { buffer, byteOffset, byteLength } = body;
      content = buffer.slice(byteOffset, byteOffset + byteLength);
      type = 'application/octet-stream';
    } else if (body !== undefined) {
      content = JSON.stringify(body);
      if (content === undefined) throw new TypeError('the body is not JSON-serialisable');
      type = 'application/json';
    }
    const texts = JSON.stringify(Object.entries(headers as AnyRecord));
    guard(() => host.answer(statusCode, texts, type, content));
  };
}

/** Builds the request a handler gets; what it may not look at is made when it does. */
export function createRequests(host: RealmHost, guard: Guarded): (line: string) => AnyRecord {
  const part = (name: 'headers' | 'params' | 'caller'): unknown => {
    const text = guard(() => host.part(name));
    const value = text === '' ? undefined : JSON.parse(text);
    if (name === 'caller' && value !== undefined) giveContent(value as AnyRecord);
    return value;
  };
  /** Of a signed body the worker said where its content lies; the policies of `all_of` are inside. */
  const giveContent = (caller: AnyRecord): void => {
    for (const identity of [caller, ...Object.values(caller)] as AnyRecord[]) {
      const cose = identity.cose as AnyRecord | undefined;
      if (cose === undefined) continue;
      const { from, to } = cose.content as { from: number; to: number };
      cose.content = guard(() => host.body()).slice(from, to);
    }
  };
  return (line) => {
    const lazily = (name: 'headers' | 'params' | 'caller') => ({
      configurable: true,
      enumerable: true,
      get: () => {
        const value = part(name);
        Object.defineProperty(request, name, {
          configurable: true,
          enumerable: true,
          writable: true,
          value,
        });
        return value;
      },
    });
    const request = JSON.parse(line) as AnyRecord;
    Object.defineProperty(request, 'headers', lazily('headers'));
    Object.defineProperty(request, 'params', lazily('params'));
    Object.defineProperty(request, 'caller', lazily('caller'));
    request.body = {
      text: () => guard(() => host.bodyText()),
      json: () => JSON.parse(guard(() => host.bodyText())) as unknown,
      arrayBuffer: () => guard(() => host.body()),
    };
    return request;
  };
}

/** Runs handlers. */
export function createCalls(parts: {
  readonly running: () => number;
  readonly external: RealmExternal;
  readonly called: (value: unknown) => void;
  readonly failed: (error: unknown) => void;
  readonly deliver: (response: unknown) => void;
  readonly requestOf: (line: string) => AnyRecord;
  readonly modules: RealmCalls['modules'];
}): RealmCalls {
  const { running, failed, deliver, requestOf, modules, external, called } = parts;
  /** Hands on what a function returned; true when it left a promise that must settle first. */
  const run = (handler: unknown, line: string, take: (value: unknown) => void): boolean => {
    try {
      if (typeof handler !== 'function') throw new TypeError('the endpoint is no function');
      const response: unknown = handler(requestOf(line));
      if (response instanceof Promise) {
        const mine = running();
        // Requests may share modules: one can settle what another one waits for, which has ended.
        const ifMine =
          (tell: (value: unknown) => void) =>
          (value: unknown): void => {
            if (running() === mine) tell(value);
          };
        const taken = Promise.prototype.then.call(response, ifMine(take));
        Promise.prototype.then.call(taken, undefined, ifMine(failed));
        return true;
      }
      take(response);
    } catch (error) {
      failed(error);
    }
    return false;
  };
  return {
    modules,
    allocate: (bytes) => new ArrayBuffer(bytes),
    failed,
    run: (handler, line) => run(handler, line, deliver),
    prepare(handler, line) {
      run(handler, line, called);
    },
    settle: (number, status, told, body) => external.settle(number, status, told, body),
    drop: (number) => external.drop(number),
  };
}

/** Takes what a function that makes calls returned. */
export function createCalled(host: RealmHost, guard: Guarded): (value: unknown) => void {
  return (value) => {
    const text = value === undefined ? 'null' : JSON.stringify(value);
    if (text === undefined) throw new TypeError('what it returns is not JSON-serialisable');
    guard(() => host.called(text));
  };
}
