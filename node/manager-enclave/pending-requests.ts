import { BinaryReader, CodedError } from '@concordat/std';
import { ManagerError } from './errors.ts';
import { isText, readForeignObject, requireField } from './foreign.ts';

interface Waiting {
  readonly resolve: (body: Buffer) => void;
  readonly reject: (error: Error) => void;
  readonly timer: NodeJS.Timeout;
}

/** Requests to one peer that wait for their answers. */
export class PendingRequests {
  readonly #waiting = new Map<number, Waiting>();
  #next = 1;

  /**
   * Numbers a request about to be sent. The answer rejects with a CodedError of the peer, or
   * ManagerError PEER_TIMEOUT.
   */
  open(kind: string, timeoutMs: number): { readonly id: number; readonly answer: Promise<Buffer> } {
    const id = this.#next;
    this.#next = (id % 0xffff_fffe) + 1;
    const answer = new Promise<Buffer>((resolve, reject) => {
      const timer = setTimeout(() => {
        this.#waiting.delete(id);
        reject(new ManagerError('PEER_TIMEOUT', `no answer to ${kind} within ${timeoutMs} ms`));
      }, timeoutMs);
      this.#waiting.set(id, { resolve, reject, timer });
    });
    return { id, answer };
  }

  /** How many wait. */
  get size(): number {
    return this.#waiting.size;
  }

  /** Takes an answer: u32 id | u8 ok | reply. @throws DecodeError TRUNCATED */
  settle(body: Buffer): void {
    const reader = new BinaryReader(body);
    const id = reader.u32();
    const ok = reader.u8() === 1;
    const reply = reader.raw(reader.remaining);
    const waiting = this.#waiting.get(id);
    if (!waiting) return;
    this.#waiting.delete(id);
    clearTimeout(waiting.timer);
    if (ok) waiting.resolve(reply);
    else waiting.reject(refusalOf(reply));
  }

  /** Ends every request that waits. */
  fail(reason: Error): void {
    for (const { reject, timer } of this.#waiting.values()) {
      clearTimeout(timer);
      reject(reason);
    }
    this.#waiting.clear();
  }
}

/** The refusal in a reply, or what is wrong with it. */
function refusalOf(reply: Buffer): CodedError {
  try {
    const { code, message } = readForeignObject(reply, 'refusal');
    requireField(isText(code, 64) && isText(message, 4096), 'refusal');
    return new CodedError(code, message);
  } catch (error) {
    return error as ManagerError;
  }
}
