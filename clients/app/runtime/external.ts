/** A request to a system outside of the network. */
export interface ExternalRequest {
  /** Default: GET. */
  readonly method?: 'GET' | 'HEAD' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';
  /** Path and query; default: `/`. */
  readonly path?: string;
  readonly headers?: Readonly<Record<string, string>>;
  /** A text and bytes go as they are, anything else as JSON. */
  readonly body?: unknown;
}

/** What a system answered, whatever its status. */
export interface ExternalResponse {
  readonly status: number;
  /** Names in lower case; of those that came twice, the values after a comma. */
  readonly headers: Readonly<Record<string, string>>;
  text(): string;
  /** @throws SyntaxError when it is not JSON */
  json(): unknown;
  bytes(): Uint8Array;
}

/**
 * Calls a system by the name under which the constitution lists it. What fails is an error with a
 * `code` that begins with `EXTERNAL_`; uncaught, it is what the request is answered with.
 */
export type External = (system: string, request?: ExternalRequest) => Promise<ExternalResponse>;

/**
 * Refuses what JSON would not bring back as it is: the value goes from the calls to the transaction
 * as JSON.
 * @throws TypeError with the place
 */
export function requireJson(value: unknown, place = 'called'): void {
  switch (typeof value) {
    case 'string':
    case 'boolean':
    case 'undefined':
      return;
    case 'number':
      if (Number.isFinite(value)) return;
      break;
    case 'object': {
      if (value === null) return;
      if (Array.isArray(value)) {
        for (const [at, item] of value.entries()) {
          // A property without a value is left out; an item of a list would become null.
          if (item === undefined) throw notJson(`${place}[${at}]`);
          requireJson(item, `${place}[${at}]`);
        }
        return;
      }
      const prototype: unknown = Object.getPrototypeOf(value);
      if (prototype !== null && prototype !== Object.prototype) break;
      for (const [name, item] of Object.entries(value)) requireJson(item, `${place}.${name}`);
      return;
    }
  }
  throw notJson(place);
}

const notJson = (place: string): TypeError =>
  new TypeError(`${place} is nothing that JSON brings back as it is`);
