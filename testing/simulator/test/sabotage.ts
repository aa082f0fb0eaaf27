import assert from 'node:assert/strict';
import { simulateNetwork, Violation, type ViolationCode } from '../index.ts';
import { faultKinds, type NetworkPlan } from '../network/plan.ts';
import type { World } from '../network/world.ts';

/** A method of a class, as tests replace it. */
type Method = (this: never, ...args: never[]) => unknown;

/**
 * Puts a mistake into the product for as long as the answer is not called: another method in the
 * place of one of a class.
 */
export function breakMethod(
  owner: object,
  name: string,
  replacement: (sound: (self: object, args: unknown[]) => unknown) => unknown,
): () => void {
  const target = owner as Record<string, unknown>;
  const method = target[name] as Method;
  assert.equal(typeof method, 'function', `there is a method ${name}`);
  const sound = (self: object, args: unknown[]): unknown =>
    method.apply(self as never, args as never[]);
  target[name] = replacement(sound);
  return () => {
    target[name] = method;
  };
}

/** A network of three nodes in which nothing goes wrong unless a test says so. */
export const quietPlan: NetworkPlan = {
  nodes: 3,
  members: 1,
  tickMs: 20,
  chunkBytes: 16_384,
  policies: { electionTimeoutMs: 400, heartbeatMs: 50, snapshotBlocks: 0 },
  clients: 4,
  thinkMs: 20,
  wire: { loss: 0, duplication: 0, replay: 0, leastDelayMs: 1, jitterMs: 2 },
  disk: { syncMs: 1, otherMs: 0 },
  lostKeys: 0,
  faults: Object.fromEntries(faultKinds.map((kind) => [kind, 0])) as NetworkPlan['faults'],
  clockSkewMs: 0,
  clockDrift: 0,
};

/** How a broken network is run. */
export interface Attempt {
  /** Rates of faults in a second; all others are 0. */
  readonly faults?: Partial<NetworkPlan['faults']>;
  readonly wire?: Partial<NetworkPlan['wire']>;
  readonly chaosMs?: number;
  /** Seeds that may be tried; default 1. */
  readonly seeds?: number;
  readonly onStart?: (world: World) => void;
}

/** Runs a network and answers the promise it broke, or undefined. */
export async function violationOf(attempt: Attempt = {}): Promise<Violation | undefined> {
  const { faults, wire, chaosMs = 2_000, seeds = 1, onStart } = attempt;
  const plan = {
    ...quietPlan,
    faults: { ...quietPlan.faults, ...faults },
    wire: { ...quietPlan.wire, ...wire },
  };
  for (let seed = 1; seed <= seeds; seed += 1) {
    try {
      await simulateNetwork(seed, {
        chaosMs,
        plan,
        healingMs: 60_000,
        ...(onStart && { onStart }),
      });
    } catch (error) {
      if (error instanceof Violation) return error;
      throw error;
    }
  }
  return undefined;
}

/** That a broken build is caught, as one of these violations. */
export async function expectCaught(
  repair: () => void,
  codes: readonly ViolationCode[],
  attempt?: Attempt,
): Promise<void> {
  let caught: Violation | undefined;
  try {
    caught = await violationOf(attempt);
  } finally {
    repair();
  }
  assert.ok(caught, 'the mistake was not noticed');
  assert.ok(codes.includes(caught.code), `${caught.code}: ${caught.message}`);
}
