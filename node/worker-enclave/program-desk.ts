import {
  type ChannelToManager,
  maxProgramJsonBytes,
  type ProgramToWorker,
} from '@concordat/bridge';
import { CodedError, emptyBytes, utf8 } from '@concordat/std';
import type { ProgramHolder } from './adapter.ts';
import { nameOf } from './errors.ts';
import type { Lane } from './submission.ts';

/** Of a reason and its place, in characters. */
const maxReasonLength = 1_000;

/** Where the manager asks about programs, and hears what the adapters run. */
export class ProgramDesk {
  readonly #holders = new Map<string, ProgramHolder>();
  readonly #send: (message: ChannelToManager) => boolean;

  constructor(lanes: readonly Lane[], send: (message: ChannelToManager) => boolean) {
    this.#send = send;
    for (const { adapter } of lanes) {
      const { id, program } = adapter;
      if (program === undefined) continue;
      this.#holders.set(id, program);
      program.watch(({ reason, ...state }) => {
        const told = { adapter: id, ...state, ...(reason && { reason: shortened(reason) }) };
        send({ kind: 'programState', json: utf8(JSON.stringify(told)) });
      });
    }
  }

  /** Answers a question of the manager; never throws. */
  async receive({ request, purpose, adapterId, bytes }: ProgramToWorker): Promise<void> {
    const holder = this.#holders.get(adapterId);
    if (holder === undefined) {
      this.#refuse(request, 'NO_PROGRAMS', { message: `${adapterId} takes no programs` });
      return;
    }
    try {
      // A view of a received frame, which would be kept whole or used again.
      const program = new Uint8Array(bytes);
      if (purpose === 'check') await holder.check(program);
      else await holder.prepare?.(program);
      this.#send({ kind: 'programReply', request, json: emptyBytes });
    } catch (error) {
      const isCoded = error instanceof CodedError;
      // What a foreign error says may be data of a client.
      const why = isCoded ? { message: error.message, details: error.details } : { message: '' };
      this.#refuse(request, isCoded ? error.code : nameOf(error), why);
    }
  }

  #refuse(
    request: number,
    code: string,
    { message, details = {} }: { message: string; details?: Readonly<Record<string, unknown>> },
  ): void {
    const json = utf8(JSON.stringify({ message: shortened(message), details }));
    const fits = json.length <= maxProgramJsonBytes;
    const short = utf8(JSON.stringify({ message: shortened(message) }));
    this.#send({
      kind: 'programReply',
      request,
      code: code.slice(0, 64),
      json: fits ? json : short,
    });
  }
}

const shortened = (text: string): string => text.slice(0, maxReasonLength);
