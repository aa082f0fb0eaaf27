import crypto, { createHash, type KeyObject } from 'node:crypto';
import fileSystem from 'node:fs/promises';
import { syncBuiltinESMExports } from 'node:module';
import timers from 'node:timers/promises';
import { signDeterministically } from './deterministic-signature.ts';
import type { Arranged, WorldClock } from './world-clock.ts';

/** What takes the place of this operating system process's own surroundings. */
export interface SurroundingsOptions {
  readonly clock: WorldClock;
  /** All entropy follows from it. */
  readonly seed: string;
  /** Functions of `node:fs/promises`; each gets the real one of its name to fall back on. */
  readonly files: (name: string, real: AnyFunction) => AnyFunction;
  /**
   * Told of each key (raw bytes) and nonce that an AEAD seals with, and what it sealed: hex, a digest of
   * additional data and plaintext.
   */
  readonly onSeal: (key: Uint8Array, nonce: Uint8Array, sealed: string) => void;
}

/** Any function. */
export type AnyFunction = (...args: never[]) => unknown;

type Replaceable = Record<string, unknown>;

/**
 * Takes over clocks, timers, entropy, file system and the nonces of ECDSA of this operating system
 * process, so that product code runs as it is and yet everything it does follows from a seed.
 * @returns gives everything back
 */
export function takeOver(options: SurroundingsOptions): () => void {
  const undo: (() => void)[] = [];
  const replace = (owner: object, name: string, by: (real: AnyFunction) => unknown): void => {
    const target = owner as Replaceable;
    const own = Object.getOwnPropertyDescriptor(owner, name);
    const value = by(target[name] as AnyFunction);
    Object.defineProperty(owner, name, { value, configurable: true, writable: true });
    undo.push(() => {
      if (own) Object.defineProperty(owner, name, own);
      else delete target[name];
    });
  };
  replaceClocks(options.clock, replace);
  replaceTimers(options.clock, replace);
  replaceCrypto(options, replace);
  for (const [name, real] of Object.entries(fileSystem)) {
    if (typeof real === 'function') replace(fileSystem, name, () => options.files(name, real));
  }
  syncBuiltinESMExports();
  return () => {
    for (const step of undo.reverse()) step();
    syncBuiltinESMExports();
  };
}

type Replace = (owner: object, name: string, by: (real: AnyFunction) => unknown) => void;

function replaceClocks(clock: WorldClock, replace: Replace): void {
  replace(Date, 'now', () => () => Math.floor(clock.wallMs));
  replace(performance, 'now', () => () => clock.monotonicMs);
}

/** What `setTimeout` and its like answer with. */
class VirtualTimer {
  arranged: Arranged | undefined;

  ref(): this {
    return this;
  }

  unref(): this {
    return this;
  }

  hasRef(): boolean {
    return true;
  }

  cancel(): void {
    this.arranged?.cancel();
    this.arranged = undefined;
  }
}

function replaceTimers(clock: WorldClock, replace: Replace): void {
  const start = (ms: number, repeat: 'once' | 'again', action: () => void): VirtualTimer => {
    const timer = new VirtualTimer();
    const arm = (): void => {
      timer.arranged = clock.afterOwn(Math.max(1, ms || 0), () => {
        if (repeat === 'again') arm();
        action();
      });
    };
    arm();
    return timer;
  };
  const soon = (action: () => void): VirtualTimer => {
    const timer = new VirtualTimer();
    timer.arranged = clock.afterOwn(0, action);
    return timer;
  };
  type Callback = (...args: unknown[]) => void;
  const bind =
    (callback: Callback, args: readonly unknown[]): (() => void) =>
    () =>
      callback(...args);
  replace(
    globalThis,
    'setTimeout',
    () =>
      (callback: Callback, ms: number, ...args: unknown[]) =>
        start(ms, 'once', bind(callback, args)),
  );
  replace(
    globalThis,
    'setInterval',
    () =>
      (callback: Callback, ms: number, ...args: unknown[]) =>
        start(ms, 'again', bind(callback, args)),
  );
  replace(
    globalThis,
    'setImmediate',
    () =>
      (callback: Callback, ...args: unknown[]) =>
        soon(bind(callback, args)),
  );
  for (const name of ['clearTimeout', 'clearInterval', 'clearImmediate']) {
    replace(globalThis, name, (real) => (timer: unknown) => {
      if (timer instanceof VirtualTimer) timer.cancel();
      else real(timer as never);
    });
  }
  replace(timers, 'setTimeout', () => (ms: number, value: unknown) => {
    return new Promise((done) => start(ms, 'once', () => done(value)));
  });
  replace(timers, 'setImmediate', () => (value: unknown) => {
    return new Promise((done) => soon(() => done(value)));
  });
}

/** What `sign` of `node:crypto` takes as a key. */
type SigningInput = KeyObject | { readonly key: KeyObject; readonly dsaEncoding?: 'der' };

function replaceCrypto(options: SurroundingsOptions, replace: Replace): void {
  const { seed, onSeal } = options;
  let draws = 0;
  const draw = (bytes: number): Buffer => {
    draws += 1;
    return createHash('shake256', { outputLength: bytes }).update(`${seed} ${draws}`).digest();
  };
  replace(crypto, 'randomBytes', () => draw);
  replace(Math, 'random', () => () => draw(6).readUIntBE(0, 6) / 2 ** 48);
  replace(crypto, 'sign', () => (_hash: string, bytes: Uint8Array, input: SigningInput) => {
    if (!('key' in input)) return signDeterministically(bytes, input, 'der');
    return signDeterministically(bytes, input.key, input.dsaEncoding ?? 'der');
  });
  type CipherStep = 'setAAD' | 'update' | 'final';
  type Cipher = (algorithm: string, key: KeyObject, nonce: Uint8Array, options: object) => unknown;
  replace(crypto, 'createCipheriv', (real) => {
    const create = real as unknown as Cipher;
    return (...[algorithm, key, nonce, rest]: Parameters<Cipher>) => {
      const cipher = create(algorithm, key, nonce, rest) as Record<CipherStep, AnyFunction>;
      const sealed = createHash('sha256');
      const step = (name: CipherStep, before: (bytes?: Uint8Array) => void): void => {
        const taken = cipher[name].bind(cipher) as (...args: unknown[]) => unknown;
        cipher[name] = ((...args: unknown[]) => {
          before(args[0] as Uint8Array);
          return taken(...args);
        }) as AnyFunction;
      };
      for (const name of ['setAAD', 'update'] as const) {
        step(name, (bytes = new Uint8Array()) =>
          sealed.update(`${name} ${bytes.length} `).update(bytes),
        );
      }
      step('final', () => onSeal(key.export(), nonce, sealed.digest('hex')));
      return cipher;
    };
  });
}
