import assert from 'node:assert/strict';
import { test } from 'node:test';
import { WorkerWatch } from '../worker-watch.ts';

/** A watch over workers that answer or not, and what it did. */
function watched(workers: number) {
  const links = Array.from({ length: workers }, (_, at) => ({
    index: at + 1,
    hangs: false,
    unansweredPings: 0,
    ping() {
      this.unansweredPings = this.hangs ? this.unansweredPings + 1 : 0;
    },
  }));
  const state = { leads: true, canGive: true, given: 0, told: [] as string[] };
  const watch = new WorkerWatch({
    links: () => links,
    leads: () => state.leads,
    handOver: () => {
      state.given += 1;
      return state.canGive;
    },
    tell: (event) => state.told.push(event),
    electionTimeoutMs: () => 1_000,
  });
  const check = (times: number): void => {
    for (let time = 0; time < times; time++) watch.check();
  };
  return { links, state, watch, check };
}

test('a leader whose worker is silent for five seconds gives way, and tells it once', () => {
  const { links, state, watch, check } = watched(2);
  check(100);
  assert.deepEqual(state.told, []);
  (links[1] as { hangs: boolean }).hangs = true;
  check(10);
  assert.equal(state.given, 0);
  check(1);
  assert.deepEqual(state.told, ['worker.silent', 'consensus.gives-way']);
  assert.deepEqual(watch.silent, [2]);
  state.leads = false;
  check(50);
  assert.equal(state.given, 1);
});

test('as long as nobody takes over it is tried again, but not at once', () => {
  const { links, state, check } = watched(1);
  state.canGive = false;
  (links[0] as { hangs: boolean }).hangs = true;
  check(11);
  check(9);
  assert.equal(state.given, 1);
  check(1);
  assert.equal(state.given, 2);
});

test('a worker that answers again is trusted again', () => {
  const { links, state, watch, check } = watched(1);
  const [link] = links as [(typeof links)[0]];
  state.leads = false;
  link.hangs = true;
  check(20);
  link.hangs = false;
  check(2);
  assert.deepEqual(state.told, ['worker.silent', 'worker.answers-again']);
  assert.deepEqual(watch.silent, []);
  state.leads = true;
  check(5);
  assert.equal(state.given, 0);
});

test('a heavy transaction is no silence, nor is one look after a long pause of this process', () => {
  const { links, state, check } = watched(1);
  const [link] = links as [(typeof links)[0]];
  for (let round = 0; round < 20; round++) {
    link.hangs = true;
    check(8);
    link.hangs = false;
    check(1);
  }
  assert.deepEqual(state.told, []);
});
