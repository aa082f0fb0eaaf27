import { maxCallsOfRequest, type WantedCall } from '../call-form.ts';
import { bytesOf } from './crypto-operations.ts';

/** A function that makes calls, between its beginning and its end. */
export interface OpenPhase {
  readonly phase: number;
  /** Wanted since the step before. */
  wanted: WantedCall[];
  /** Numbers of the calls that are not answered. */
  readonly unanswered: Set<number>;
  calls: number;
}

/** The functions of an application that wait for answers of systems outside of the network. */
export class CallPhases {
  readonly #open = new Map<number, OpenPhase>();
  #nextNumber = 1;

  /** Begins one. */
  begin(phase: number): OpenPhase {
    const open = { phase, wanted: [], unanswered: new Set<number>(), calls: 0 };
    this.#open.set(phase, open);
    return open;
  }

  /** One that waits for this call; undefined when it is not known, or was interrupted since. */
  answered(phase: number, number: number): OpenPhase | undefined {
    const open = this.#open.get(phase);
    return open?.unanswered.delete(number) ? open : undefined;
  }

  /** Ends one; returns the calls nobody will be told about. */
  end(phase: number): readonly number[] {
    const open = this.#open.get(phase);
    this.#open.delete(phase);
    return [...(open?.unanswered ?? [])];
  }

  /** Takes a call that the function wants. @param told JSON of all but the body @throws TypeError */
  want(open: OpenPhase, told: string, body: unknown): number {
    if (open.calls >= maxCallsOfRequest) {
      throw new TypeError(`a request makes at most ${maxCallsOfRequest} calls`);
    }
    // A frame that the worker refuses would end the process, and with it everybody's requests.
    if (told.length > maxToldLength) {
      throw new TypeError('the path and the headers of a call are too long');
    }
    const call = JSON.parse(told) as Omit<WantedCall, 'number' | 'body'>;
    const bytes =
      typeof body === 'string' ? Buffer.from(body) : bytesOf(body, 'the body of a call').slice();
    if (bytes.length > maxCallBytes) throw new TypeError('the body of a call is too large');
    const number = this.#nextNumber;
    this.#nextNumber = (number % 0xffff_fffe) + 1;
    open.calls += 1;
    open.unanswered.add(number);
    open.wanted.push({ number, ...call, body: bytes });
    return number;
  }
}

/** No system takes more. */
const maxCallBytes = 1024 * 1024;
/** JSON of a path and headers, each as long as the worker lets pass. */
const maxToldLength = 64 * 1024;
