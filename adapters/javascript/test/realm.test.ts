import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { test } from 'node:test';
import { Script } from 'node:vm';
import { Store } from '@concordat/kv';
import { readLimits } from '../limits.ts';
import { CallPhases } from '../process/call-phases.ts';
import { PastRanges } from '../process/past-ranges.ts';
import { createRealm } from '../process/realm.ts';
import { RequestState } from '../process/request-state.ts';
import { SeqnoIndexes } from '../process/seqno-indexes.ts';
import { encodeRequest } from '../request-form.ts';
import { tables } from '../tables.ts';
import { TransactionHistory } from '../transaction-history.ts';

/** A realm whose request has one entry in the map `a`. */
function openRealm() {
  const state = new RequestState(readLimits(undefined), new TransactionHistory(), {
    random: (bytes) => randomBytes(bytes),
    ranges: new PastRanges(
      () => {},
      () => 0,
    ),
    indexes: new SeqnoIndexes([]),
    phases: new CallPhases(),
  });
  const realm = createRealm(state);
  state.allocateWith(realm.calls.allocate);
  const request = encodeRequest({
    method: 'GET',
    url: '/',
    headers: [],
    body: new Uint8Array(0),
  });
  const call = { endpoint: 0, caller: '', params: '{}', request };
  state.begin({ call, view: new Store(tables).begin(1), writable: true, route: '/' });
  return realm;
}

/**
 * Calls from every depth near the end of the stack, so that it ends inside what is called; says of
 * which realms the errors are.
 */
const diving = (call: string): string => `
  const seen = { own: 0, foreign: 0 };
  ccf.kv.a.set(ccf.strToBuf('k'), ccf.strToBuf('v'));
  for (let wide = 0; wide < 24; wide++) {
    const given = new Array(wide).fill(0);
    const act = (...padding) => { ${call}; };
    const dive = (left) => (left === 0 ? act(...given) : 1 + dive(left - 1));
    const fits = (depth) => { try { dive(depth); return true; } catch { return false; } };
    let [low, high] = [0, 100_000];
    while (high - low > 1) {
      const middle = (low + high) >> 1;
      if (fits(middle)) low = middle;
      else high = middle;
    }
    for (let depth = low - 2; depth < low + 40; depth++) {
      try { dive(depth); } catch (error) { seen[error instanceof Error ? 'own' : 'foreign'] += 1; }
    }
  }
  JSON.stringify(seen);`;

const calls = {
  'a random number': 'Math.random()',
  'a value': "ccf.kv.a.get(ccf.strToBuf('k'))",
  'a scan': "for (const _ of concordat.kv('a').entries()) ccf.kv.a.size",
  'a call': "concordat.external('a', { headers: { b: 'c' }, body: { d: 1 } })",
  'a hash': "ccf.crypto.digest('SHA-256', new ArrayBuffer(8))",
};

for (const [what, call] of Object.entries(calls)) {
  test(`where the stack ends within the process, over ${what}, no error of the process is seen`, () => {
    const { context } = openRealm();
    const seen = JSON.parse(new Script(diving(call)).runInContext(context) as string) as {
      own: number;
      foreign: number;
    };
    assert.ok(seen.own > 0, 'the stack ends');
    assert.equal(seen.foreign, 0);
  });
}
