import { type Context, constants, createContext, Script } from 'node:vm';
import {
  createCalled,
  createCalls,
  createDeliver,
  createFailed,
  createRequests,
} from './realm-calls.ts';
import { createExternal } from './realm-external.ts';
import { createCcf, createCrypto, createGuard, createMaps } from './realm-globals.ts';
import { hardenRealm } from './realm-hardening.ts';
import type { AnyRecord, RealmCalls, RealmHost } from './realm-host.ts';
import { createIndexes } from './realm-indexes.ts';
import { createModules } from './realm-modules.ts';
import { createConcordat } from './realm-ordered.ts';
import { createPast, createPastMaps } from './realm-past.ts';

const parts = {
  createGuard,
  createMaps,
  createCrypto,
  createCcf,
  createPast,
  createPastMaps,
  createIndexes,
  createConcordat,
  createFailed,
  createDeliver,
  createRequests,
  createModules,
  createCalls,
  createCalled,
  createExternal,
  hardenRealm,
};

/** An application's realm: globals of its own, frozen, with no way to make code from text. */
export interface Realm {
  readonly context: Context;
  readonly calls: RealmCalls;
  /** Runs what promises of the realm have waiting. */
  readonly drain: () => void;
}

/** Makes a realm over what the process offers it. */
export function createRealm(host: RealmHost): Realm {
  const context = createContext(constants.DONT_CONTEXTIFY, {
    codeGeneration: { strings: false, wasm: false },
    // Its promises run inside its own evaluations, so inside its time limit.
    microtaskMode: 'afterEvaluate',
  });
  const texts = Object.entries(parts).map(([name, part]) => `${name}: ${part.toString()}`);
  const source = `'use strict'; (host) => (${openRealm.toString()})(host, {${texts.join(',\n')}})`;
  const open = new Script(source, { filename: 'realm' }).runInContext(context) as (
    host: RealmHost,
  ) => RealmCalls;
  const nothing = new Script('0');
  return { context, calls: open(host), drain: () => nothing.runInContext(context) };
}

/** Makes the globals, freezes the realm and returns the way in. */
function openRealm(
  host: RealmHost,
  make: {
    readonly createGuard: typeof createGuard;
    readonly createMaps: typeof createMaps;
    readonly createCrypto: typeof createCrypto;
    readonly createCcf: typeof createCcf;
    readonly createPast: typeof createPast;
    readonly createPastMaps: typeof createPastMaps;
    readonly createIndexes: typeof createIndexes;
    readonly createConcordat: typeof createConcordat;
    readonly createFailed: typeof createFailed;
    readonly createDeliver: typeof createDeliver;
    readonly createRequests: typeof createRequests;
    readonly createModules: typeof createModules;
    readonly createCalls: typeof createCalls;
    readonly createCalled: typeof createCalled;
    readonly createExternal: typeof createExternal;
    readonly hardenRealm: typeof hardenRealm;
  },
): RealmCalls {
  const guard = make.createGuard();
  const kv = make.createMaps(host, guard);
  const crypto = make.createCrypto(host, guard);
  const global = globalThis as unknown as AnyRecord;
  const pastMapOf = make.createPastMaps(host, guard);
  const past = make.createPast(host, guard, pastMapOf);
  global.ccf = make.createCcf(host, guard, { kv, crypto, ...past });
  const concordat = make.createConcordat(host, guard);
  concordat.index = make.createIndexes(host, guard);
  const external = make.createExternal(host, guard);
  concordat.external = external.call;
  global.concordat = concordat;
  const silent = (): void => {};
  global.console = { log: silent, info: silent, warn: silent, error: silent, debug: silent };
  Math.random = () => guard(() => host.random());
  const calls = make.createCalls({
    running: () => guard(() => host.running()),
    failed: make.createFailed(host),
    deliver: make.createDeliver(host, guard),
    requestOf: make.createRequests(host, guard),
    modules: make.createModules as RealmCalls['modules'],
    external,
    called: make.createCalled(host, guard),
  });
  const mapOf = concordat.kv as (name: string) => unknown;
  // Maps are made when asked for: what they share is reached by one of each kind.
  make.hardenRealm([(kv as AnyRecord).a, mapOf('a'), pastMapOf(0, 'a')]);
  return calls;
}
