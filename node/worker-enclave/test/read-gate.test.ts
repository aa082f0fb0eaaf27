import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { Accounts } from '../accounts.ts';
import type { Actor } from '../actors.ts';
import type { Refused } from '../adapter.ts';
import { HeldMessages } from '../held-messages.ts';
import { type ReadCallback, ReadGate } from '../read-gate.ts';

const actor = (name: string): Actor => ({
  actorId: name.padEnd(64, '0') as Actor['actorId'],
  name,
  kinds: ['participant'],
  roles: [],
});

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

function setUp(limits = { maxHeldReads: 1_000, maxHeldReadsPerActor: 1_000 }) {
  const asked: number[] = [];
  const clock = { ms: 0 };
  const accounts = new Accounts();
  const ask = (id: number) => asked.push(id);
  const gate = new ReadGate({ accounts, limits, ask, nowMs: () => clock.ms });
  const outcomes: string[] = [];
  const read = (name: string, by = 'alice'): void =>
    gate.whenCurrent(actor(by), (refused) => outcomes.push(`${name} ${refused?.code ?? 'passed'}`));
  return { gate, asked, clock, accounts, outcomes, read };
}

describe('linearizable reads in the worker', () => {
  it('share one barrier a turn, and are let go by its answer', async () => {
    const { gate, asked, outcomes, read } = setUp();
    read('a');
    read('b');
    assert.deepEqual(asked, []);
    await turn();
    read('c');
    await turn();
    assert.deepEqual(asked, [1, 2]);
    assert.deepEqual(outcomes, []);
    gate.replied({ id: 1 });
    assert.deepEqual(outcomes, ['a passed', 'b passed']);
    gate.replied({ id: 2, code: 'LEADER_UNKNOWN' });
    assert.deepEqual(outcomes.slice(2), ['c LEADER_UNKNOWN']);
    assert.equal(gate.held, 0);
  });

  it('never join a barrier that was asked for before they came', async () => {
    const { gate, asked, outcomes, read } = setUp();
    for (let n = 0; n < 8; n++) {
      read(`early${n}`);
      await turn();
    }
    read('late');
    await turn();
    assert.equal(asked.length, 8);
    for (const id of asked.slice()) gate.replied({ id });
    await turn();
    assert.equal(outcomes.length, 8);
    assert.deepEqual(asked.slice(8), [9]);
    gate.replied({ id: 9 });
    assert.equal(outcomes[8], 'late passed');
  });

  it('are refused beyond the limits, of all and of one actor', async () => {
    const { gate, outcomes, read } = setUp({ maxHeldReads: 3, maxHeldReadsPerActor: 2 });
    read('a');
    read('b');
    read('c');
    read('d', 'bob');
    read('e', 'bob');
    assert.deepEqual(outcomes, []);
    await turn();
    assert.deepEqual(outcomes, ['c OVERLOADED', 'e OVERLOADED']);
    gate.replied({ id: 1 });
    read('f');
    await turn();
    gate.replied({ id: 2 });
    assert.equal(outcomes.at(-1), 'f passed');
  });

  it('are refused when the manager does not answer; its late answer lets nobody go', async () => {
    const { gate, clock, outcomes, read } = setUp();
    read('a');
    await turn();
    clock.ms = 9_999;
    gate.expire();
    assert.deepEqual(outcomes, []);
    clock.ms = 10_000;
    gate.expire();
    assert.deepEqual(outcomes, ['a READ_NOT_CONFIRMED']);
    gate.replied({ id: 1 });
    gate.replied({ id: 77 });
    assert.equal(outcomes.length, 1);
  });

  it('leave nothing on an account', async () => {
    const { gate, accounts, read } = setUp();
    read('a');
    await turn();
    const before = accounts.of(actor('alice').actorId);
    accounts.release(actor('alice').actorId);
    assert.equal(accounts.of(actor('alice').actorId), before);
    gate.replied({ id: 1, code: 'no code of ours' });
    assert.equal(before.reads, 0);
    accounts.release(actor('alice').actorId);
    assert.notEqual(accounts.of(actor('alice').actorId), before);
  });
});

describe('messages held back', () => {
  function held() {
    const waiting: ReadCallback[] = [];
    const seen: string[] = [];
    const messages = new HeldMessages((done) => waiting.push(done), {
      onMessage: (data) => seen.push(`${data}`),
      onRefused: (data, _isBinary, { code }) => seen.push(`${data} ${code}`),
      hold: (full) => seen.push(full ? 'hold' : 'go on'),
    });
    return { waiting, seen, messages };
  }
  const refused: Refused = { ok: false, code: 'READ_NOT_CONFIRMED', message: '' };

  it('are handed on in the order they came, whichever is let go first', () => {
    const { waiting, seen, messages } = held();
    for (const text of ['a', 'b', 'c']) messages.push(Buffer.from(text), false);
    waiting[1]?.();
    assert.deepEqual(seen, []);
    waiting[0]?.(refused);
    assert.deepEqual(seen, ['a READ_NOT_CONFIRMED', 'b']);
    waiting[2]?.();
    assert.deepEqual(seen.slice(2), ['c']);
  });

  it('stop the connection beyond a number and beyond an amount, and let it go on', () => {
    const { waiting, seen, messages } = held();
    for (let n = 0; n < 256; n++) messages.push(Buffer.from('x'), false);
    assert.deepEqual(seen, ['hold']);
    for (const done of waiting) done();
    assert.equal(seen.filter((one) => one === 'go on').length, 1);
    messages.push(Buffer.alloc(4 * 1024 * 1024), true);
    assert.equal(seen.at(-1), 'hold');
  });

  it('are dropped when the connection is gone', () => {
    const { waiting, seen, messages } = held();
    messages.push(Buffer.from('a'), false);
    messages.close();
    waiting[0]?.();
    assert.deepEqual(seen, []);
  });
});
