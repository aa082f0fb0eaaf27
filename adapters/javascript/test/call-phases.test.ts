import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type ExternalAnswer, ExternalError } from '@concordat/worker-enclave';
import type { PhaseStep, WantedCall } from '../call-form.ts';
import { CallPhases } from '../call-phases.ts';
import type { Call, CallResult } from '../frames.ts';

const call: Call = { endpoint: 0, caller: '', params: '{}', request: new Uint8Array(0) };
const wanted = (number: number): WantedCall => ({
  ...{ number, system: 's', method: 'GET', path: '/', headers: [], body: new Uint8Array(0) },
});
const answer: ExternalAnswer = { status: 200, headers: [], body: new Uint8Array(0) };
const called = { kind: 'called', value: Buffer.from('1') } as const;

/** A process that says what the test has it say. */
function placeOf(say: (step: PhaseStep, at: number) => CallResult | Promise<CallResult>) {
  const steps: PhaseStep[] = [];
  const forgotten: number[] = [];
  return {
    steps,
    forgotten,
    step: async ({ step }: Call): Promise<CallResult> => {
      steps.push(step as PhaseStep);
      return say(step as PhaseStep, steps.length);
    },
    forget: (phase: number) => forgotten.push(phase),
  };
}

test('a function that ends at once made no calls, and had no effect outside', async () => {
  const phases = new CallPhases(() => assert.fail('nobody is called'));
  const end = await phases.run(
    placeOf(() => called),
    call,
    'a',
  );
  assert.deepEqual(end, { ok: true, value: called.value });
});

test('answers go to the function one step each, in the order they come', async () => {
  const gates = new Map<string, (given: ExternalAnswer) => void>();
  const phases = new CallPhases(({ path }) => new Promise((resolve) => gates.set(path, resolve)));
  const place = placeOf((_, at) => {
    if (at === 1) {
      const both = [wanted(1), wanted(2)].map((one) => ({ ...one, path: `/${one.number}` }));
      return { kind: 'calling', wanted: both };
    }
    return at === 2 ? { kind: 'calling', wanted: [] } : called;
  });
  const running = phases.run(place, call, 'a');
  while (gates.size < 2) await new Promise(setImmediate);
  gates.get('/2')?.(answer);
  while (place.steps.length < 2) await new Promise(setImmediate);
  gates.get('/1')?.(answer);
  assert.deepEqual(await running, { ok: true, value: called.value, hasActed: true });
  assert.deepEqual(
    place.steps.map(({ answered }) => answered?.number),
    [undefined, 2, 1],
  );
});

test('a process that wants more calls than a request makes gets none of the last', async () => {
  let made = 0;
  const phases = new CallPhases(async () => {
    made += 1;
    return answer;
  });
  const place = placeOf((_, at) => ({ kind: 'calling', wanted: [wanted(at)] }));
  const end = await phases.run(place, call, 'a');
  assert.equal('code' in end && end.code, 'APPLICATION_FAILED');
  assert.equal(made, 16);
  assert.equal(place.forgotten.length, 1);
});

test('what is no answer to a step ends the request', async () => {
  const phases = new CallPhases(async () => answer);
  for (const result of [
    { kind: 'answered', answer: new Uint8Array(0) },
    { kind: 'unfinished' },
    { kind: 'unplaced' },
    { kind: 'calling', wanted: [] },
  ] as const) {
    const end = await phases.run(
      placeOf(() => result),
      call,
      'a',
    );
    assert.equal('code' in end && end.code, 'APPLICATION_FAILED', result.kind);
  }
});

test('a call that fails is told to the function by its code; one that fails otherwise is a bug', async () => {
  const phases = new CallPhases(async () => {
    throw new ExternalError('EXTERNAL_TIMEOUT', 'late');
  });
  const place = placeOf((_, at) => (at === 1 ? { kind: 'calling', wanted: [wanted(1)] } : called));
  const end = await phases.run(place, call, 'a');
  assert.equal(end.hasActed, true, 'whoever was called may have heard of it');
  assert.deepEqual(place.steps[1]?.answered?.end, {
    ...{ ok: false, code: 'EXTERNAL_TIMEOUT', message: 'late' },
  });
});

test('places are counted, of each actor and in all, and given back', async () => {
  const gate = Promise.withResolvers<CallResult>();
  const phases = new CallPhases(async () => answer);
  const place = placeOf(() => gate.promise);
  const running = Array.from({ length: 100 }, (_, at) =>
    phases.run(place, call, `actor ${Math.floor(at / 20)}`),
  );
  await new Promise(setImmediate);
  assert.equal(place.steps.length, 64, '16 of each, and no more than 64');
  gate.resolve(called);
  const ends = await Promise.all(running);
  const refused = ends.filter((end) => 'code' in end && end.code === 'EXTERNAL_OVERLOADED');
  assert.equal(refused.length, 36);
  assert.equal((await phases.run(place, call, 'actor 0')).ok, true);
});
