import { RpcError } from './errors.ts';

/** A request id as JSON-RPC 2.0 section 4 allows it. */
export type RequestId = string | number | null;

/** One well-formed call. Without an `id` it is a notification and gets no response. */
export interface RpcRequest {
  readonly id: RequestId | undefined;
  readonly method: string;
  readonly params: readonly unknown[];
}

/** One entry of a body: a call, or why it is not one and the id to answer under. */
export type ParsedEntry = RpcRequest | { readonly id: RequestId; readonly refused: RpcError };

/** A body: one call or a batch in the order of its entries. */
export interface ParsedBody {
  readonly batch: boolean;
  readonly entries: readonly ParsedEntry[];
}

/** Bounds of what one body may hold. */
export interface BodyLimits {
  /** Bytes of a body; default 5 MiB, as Geth. */
  readonly maxBodyBytes: number;
  /** Calls of one batch; default 1,000, as Geth. */
  readonly maxBatchCalls: number;
}

const maxIdCharacters = 256;
const maxMethodCharacters = 128;
const noParameters: readonly unknown[] = [];

/**
 * Reads a JSON-RPC 2.0 body, single or batch (sections 4 and 6).
 * @throws RpcError PARSE_ERROR, INVALID_REQUEST (also for a batch that is empty or too long)
 */
export function parseBody(body: string, limits: BodyLimits): ParsedBody {
  let value: unknown;
  try {
    value = JSON.parse(body);
  } catch {
    throw new RpcError('PARSE_ERROR', 'parse error: the body is not JSON');
  }
  if (!Array.isArray(value)) return { batch: false, entries: [parseEntry(value)] };
  if (value.length === 0) throw new RpcError('INVALID_REQUEST', 'empty batch');
  if (value.length > limits.maxBatchCalls) {
    const why = `batch too large: ${value.length} calls, at most ${limits.maxBatchCalls}`;
    throw new RpcError('INVALID_REQUEST', why);
  }
  return { batch: true, entries: value.map(parseEntry) };
}

function parseEntry(value: unknown): ParsedEntry {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    return refused(null, 'invalid request: a call is a JSON object');
  }
  const entry = value as Record<string, unknown>;
  const id = Object.hasOwn(entry, 'id') ? entry.id : undefined;
  if (id !== undefined && !isRequestId(id)) {
    return refused(null, 'invalid request: id is a text, a safe integer or null');
  }
  const answerTo = id ?? null;
  if (entry.jsonrpc !== '2.0') {
    return refused(answerTo, 'invalid request: jsonrpc must be "2.0"');
  }
  const { method } = entry;
  if (typeof method !== 'string' || method.length === 0 || method.length > maxMethodCharacters) {
    return refused(answerTo, `invalid request: method is a text of 1-${maxMethodCharacters}`);
  }
  const params = entry.params ?? noParameters;
  if (!Array.isArray(params)) {
    const error = new RpcError('INVALID_PARAMETERS', 'non-array args');
    return { id: answerTo, refused: error };
  }
  return { id, method, params };
}

const refused = (id: RequestId, why: string): ParsedEntry => ({
  id,
  refused: new RpcError('INVALID_REQUEST', why),
});

/** Ids must come back exactly as they came, so a number beyond 2^53 is none. */
function isRequestId(value: unknown): value is RequestId {
  if (value === null) return true;
  if (typeof value === 'string') return value.length <= maxIdCharacters;
  return typeof value === 'number' && Math.abs(value) <= Number.MAX_SAFE_INTEGER;
}

/** The text of a response with a result (section 5). `undefined` stands for null. */
export function resultText(id: RequestId, result: unknown): string {
  // Hashes and numbers are the bulk of all results and need no escaping.
  const text =
    typeof result === 'string' && isPlainHex(result)
      ? `"${result}"`
      : (JSON.stringify(result) ?? 'null');
  return `{"jsonrpc":"2.0","id":${idText(id)},"result":${text}}`;
}

/** The text of a response with an error (section 5.1). */
export const errorText = (id: RequestId, error: RpcError): string =>
  `{"jsonrpc":"2.0","id":${idText(id)},"error":${JSON.stringify(error.toObject())}}`;

/** The text of a subscription's notification (Geth's `eth_subscription`). */
export const notificationText = (subscription: string, result: string): string =>
  `{"jsonrpc":"2.0","method":"eth_subscription","params":{"subscription":"${subscription}","result":${result}}}`;

const idText = (id: RequestId): string => (typeof id === 'number' ? `${id}` : JSON.stringify(id));

const isPlainHex = (text: string): boolean =>
  text.length <= 66 && text.startsWith('0x') && /^0x[0-9a-f]*$/.test(text);
