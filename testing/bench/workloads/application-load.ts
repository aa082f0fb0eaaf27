import { once } from 'node:events';
import { connect, type TLSSocket } from 'node:tls';
import type { Identity } from '@concordat/sdk';
import { percentile, perSecond } from '../arithmetic.ts';
import type { WriteFigures } from './key-value-load.ts';

/** Where requests go, and as whom. */
export interface ApplicationTarget {
  readonly port: number;
  readonly networkCertificate: string;
  readonly identity: Identity;
}

/** How a stretch of requests is made. */
export interface ApplicationLoad {
  readonly method: 'PUT' | 'GET';
  readonly requests: number;
  readonly connections: number;
  /** Requests not yet answered on each connection (HTTP/1.1 pipelining). */
  readonly inFlight: number;
}

/** Bytes of a record: the size CCF's published figures use. */
export const recordBytes = 32;
/** Distinct keys. */
export const recordCount = 1_000;

const head = '\r\n\r\n';
const record = 'r'.repeat(recordBytes);
const texts = {
  PUT: Array.from({ length: recordCount }, (_, key) =>
    Buffer.from(
      `PUT /records/${key} HTTP/1.1\r\nhost: bench\r\ncontent-length: ${recordBytes}${head}${record}`,
    ),
  ),
  GET: Array.from({ length: recordCount }, (_, key) =>
    Buffer.from(`GET /records/${key} HTTP/1.1\r\nhost: bench${head}`),
  ),
};

/**
 * Connections that send requests without a library between, so that what is measured is the other
 * side. Every answer must be a success.
 */
export class ApplicationConnections {
  readonly #sockets: readonly TLSSocket[];

  private constructor(sockets: readonly TLSSocket[]) {
    this.#sockets = sockets;
  }

  static async open(target: ApplicationTarget, count: number): Promise<ApplicationConnections> {
    const { port, networkCertificate, identity } = target;
    const sockets: TLSSocket[] = [];
    for (let at = 0; at < count; at++) {
      const socket = connect({
        host: '127.0.0.1',
        port,
        ca: networkCertificate,
        cert: identity.certificatePem,
        key: identity.keyPem,
        minVersion: 'TLSv1.3',
        // The chain is verified; nodes are not named after addresses.
        checkServerIdentity: () => undefined,
        ALPNProtocols: ['http/1.1'],
      });
      await once(socket, 'secureConnect');
      socket.setNoDelay(true);
      sockets.push(socket);
    }
    return new ApplicationConnections(sockets);
  }

  close(): void {
    for (const socket of this.#sockets) socket.destroy();
  }

  /** @throws Error the first answer that is no success */
  async run(load: Omit<ApplicationLoad, 'connections'>): Promise<WriteFigures> {
    const latencies = new Float64Array(load.requests);
    const counter = { sent: 0, answered: 0 };
    const startedMs = performance.now();
    await Promise.all(this.#sockets.map((socket) => drive(socket, { load, latencies, counter })));
    return {
      writes: load.requests,
      perSecond: perSecond(load.requests, performance.now() - startedMs),
      p50: percentile(latencies, 0.5),
      p99: percentile(latencies, 0.99),
    };
  }
}

interface Drive {
  readonly load: Omit<ApplicationLoad, 'connections'>;
  readonly latencies: Float64Array;
  readonly counter: { sent: number; answered: number };
}

/** Keeps one connection's requests in flight; answers come in the order of requests. */
function drive(socket: TLSSocket, { load, latencies, counter }: Drive): Promise<void> {
  const { method, requests, inFlight } = load;
  const sentMs: number[] = [];
  let answered = 0;
  let held: Buffer = Buffer.alloc(0);
  return new Promise((resolve, reject) => {
    const send = (most: number): void => {
      const batch: Buffer[] = [];
      while (batch.length < most && counter.sent < requests) {
        batch.push(texts[method][counter.sent++ % recordCount] as Buffer);
        sentMs.push(performance.now());
      }
      if (batch.length > 0)
        socket.write(batch.length === 1 ? (batch[0] as Buffer) : Buffer.concat(batch));
    };
    const finish = (error?: Error): void => {
      socket.off('data', onData);
      socket.off('close', onClose);
      if (error === undefined) resolve();
      else reject(error);
    };
    const onClose = (): void => finish(new Error('the connection was closed'));
    const onData = (data: Buffer): void => {
      held = held.length === 0 ? data : Buffer.concat([held, data]);
      const { count, end, refusal } = countAnswers(held);
      if (refusal !== undefined) {
        finish(new Error(refusal));
        return;
      }
      held = held.subarray(end);
      const nowMs = performance.now();
      for (let at = 0; at < count; at++) {
        latencies[counter.answered++] = nowMs - (sentMs[answered++] as number);
      }
      if (counter.sent < requests) send(count);
      if (answered === sentMs.length) finish();
    };
    socket.on('data', onData);
    socket.on('close', onClose);
    send(inFlight);
    if (sentMs.length === 0) finish();
  });
}

/** Whole answers at the beginning of what has come. */
function countAnswers(held: Buffer): { count: number; end: number; refusal?: string } {
  let count = 0;
  let end = 0;
  for (;;) {
    const headEnd = held.indexOf(head, end, 'latin1');
    if (headEnd < 0) return { count, end };
    const text = held.latin1Slice(end, headEnd);
    const [, length = '0'] = /\r\ncontent-length: (\d+)/i.exec(text) ?? [];
    const next = headEnd + head.length + Number(length);
    if (next > held.length) return { count, end };
    if (!text.startsWith('HTTP/1.1 2')) {
      return { count, end, refusal: held.toString('utf8', end, next).slice(0, 500) };
    }
    count += 1;
    end = next;
  }
}
