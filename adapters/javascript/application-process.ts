import type { ChildProcess } from 'node:child_process';
import type { Socket } from 'node:net';
import { FrameSocket } from './frame-socket.ts';
import {
  type ApplicationLimits,
  type CallResult,
  decodeFromProcess,
  encodeToProcess,
  type ToProcess,
} from './frames.ts';
import type { WantedRange } from './past-state.ts';
import { type ApplicationProgram, startProcess } from './program.ts';

/** What a process tells whoever keeps it. */
export interface ProcessEvents {
  /** It has read its bundle, and is about to take the state. */
  loaded(): void;
  results(id: number, results: readonly CallResult[]): void;
  /** The application wants to see a range of the past. */
  wanted(range: WantedRange): void;
  /** It is gone, or has broken the protocol and is ended. Called once. */
  ended(why: string): void;
}

/** One process with an application in it. */
export class ApplicationProcess {
  readonly #child: ChildProcess;
  readonly #frames: FrameSocket;
  readonly #events: ProcessEvents;
  readonly #isProfiled: boolean;
  #over = false;

  constructor(program: ApplicationProgram, limits: ApplicationLimits, events: ProcessEvents) {
    this.#events = events;
    this.#isProfiled = program.profiling !== undefined;
    this.#child = startProcess(program, limits);
    const socket = this.#child.stdio[3] as Socket;
    this.#frames = new FrameSocket(socket, {
      onFrame: (body) => {
        const message = decodeFromProcess(body);
        if (this.#over) return;
        if (message.kind === 'results') events.results(message.id, message.results);
        else if (message.kind === 'wanted') events.wanted(message);
        else if (message.kind === 'loaded') events.loaded();
      },
      onError: () => this.end('PROTOCOL'),
    });
    this.#child.once('exit', (code, signal) => this.end(signal ?? `EXIT_${code}`));
    this.#child.once('error', () => this.end('NOT_STARTED'));
    // A worker that has nothing else to do may end.
    this.#child.unref();
    socket.unref();
  }

  /** Bytes the process has not taken yet. */
  get waitingBytes(): number {
    return this.#frames.waitingBytes;
  }

  send(message: ToProcess): void {
    if (!this.#over) this.#frames.send(encodeToProcess(message));
  }

  /** Ends it at once. */
  end(why: string): void {
    if (this.#over) return;
    this.#over = true;
    // One that is profiled ends by itself when its pipe closes: else it would write nothing.
    if (!this.#isProfiled) this.#child.kill('SIGKILL');
    (this.#child.stdio[3] as Socket).destroy();
    this.#events.ended(why);
  }
}
