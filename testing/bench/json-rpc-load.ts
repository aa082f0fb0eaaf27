/** Sends one JSON-RPC body somewhere and resolves with the answer. */
export type PostBody = (path: string, body: Buffer) => Promise<Buffer>;

/** One HTTP request with its transactions. */
export interface SendRequest {
  readonly path: string;
  /** A JSON-RPC batch of eth_sendRawTransaction. */
  readonly body: Buffer;
  readonly transactions: number;
}

/** What a load came to. */
export interface LoadFigures {
  readonly transactions: number;
  readonly ms: number;
  /** Of each request, milliseconds, as the client saw it. */
  readonly requestMs: readonly number[];
}

/** A JSON-RPC batch that sends raw transactions. */
export function sendRequest(path: string, raws: readonly Uint8Array[]): SendRequest {
  const calls = raws.map((raw, id) => {
    const hex = Buffer.from(raw.buffer, raw.byteOffset, raw.length).toString('hex');
    return `{"jsonrpc":"2.0","id":${id},"method":"eth_sendRawTransaction","params":["0x${hex}"]}`;
  });
  return { path, body: Buffer.from(`[${calls.join(',')}]`), transactions: raws.length };
}

/** Cuts raw transactions into requests of at most so many, in order. */
export function sendRequests(
  path: string,
  raws: readonly Uint8Array[],
  perRequest: number,
): readonly SendRequest[] {
  const requests: SendRequest[] = [];
  for (let at = 0; at < raws.length; at += perRequest) {
    requests.push(sendRequest(path, raws.slice(at, at + perRequest)));
  }
  return requests;
}

/**
 * Sends lanes of requests: the requests of one lane strictly one after another, several lanes at a
 * time. `onAnswered` hears of every answered request.
 * @throws Error when any transaction is refused: a load with refusals measures nothing
 */
export async function runLoad(
  lanes: readonly (readonly SendRequest[])[],
  {
    post,
    lanesInFlight,
    onAnswered = () => {},
  }: {
    readonly post: PostBody;
    readonly lanesInFlight: number;
    readonly onAnswered?: (request: SendRequest) => void;
  },
): Promise<LoadFigures> {
  const requestMs: number[] = [];
  let transactions = 0;
  let next = 0;
  const startedMs = performance.now();
  const work = async (): Promise<void> => {
    for (;;) {
      const lane = lanes[next++];
      if (lane === undefined) return;
      for (const request of lane) {
        const sentMs = performance.now();
        requireAccepted(await post(request.path, request.body), request);
        requestMs.push(performance.now() - sentMs);
        transactions += request.transactions;
        onAnswered(request);
      }
    }
  };
  await Promise.all(Array.from({ length: Math.min(lanesInFlight, lanes.length) }, work));
  return { transactions, ms: performance.now() - startedMs, requestMs };
}

function requireAccepted(answer: Buffer, { path, transactions }: SendRequest): void {
  const text = answer.toString('latin1');
  const accepted = text.split('"result":"0x').length - 1;
  if (accepted === transactions) return;
  const why = /"error":\{[^}]*\}/.exec(text)?.[0] ?? text.slice(0, 200);
  throw new Error(`${path}: ${transactions - accepted} of ${transactions} refused: ${why}`);
}
