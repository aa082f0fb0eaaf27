import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setTimeout as after } from 'node:timers/promises';
import { Store } from '@concordat/kv';
import { ApplicationHost } from '../application-host.ts';
import { ProcessError } from '../errors.ts';
import { readLimits } from '../limits.ts';
import { sourceProgram } from '../program.ts';
import { StateSource } from '../state-source.ts';
import { tables } from '../tables.ts';
import { TransactionHistory } from '../transaction-history.ts';

const call = { endpoint: 0, caller: '', params: '{}', request: new Uint8Array(0) };

function createHost(changed = (): void => {}): ApplicationHost {
  return new ApplicationHost({
    program: sourceProgram(),
    history: new TransactionHistory(),
    log: () => {},
    past: { range: () => {}, writes: () => Promise.resolve([]) },
    source: new StateSource(),
    changed,
  });
}

/** The outcome, or that there is none. */
const soon = <Result>(outcome: Promise<Result> | undefined): Promise<Result | 'pending'> =>
  Promise.race([outcome as Promise<Result>, after(1_000, 'pending' as const)]);

test('a read that comes after its application was replaced is answered so', async () => {
  const host = createHost();
  const before = host.read(call);
  host.stop();
  for (const reading of [before, host.read(call)]) {
    const result = await soon(reading);
    assert.ok(typeof result === 'object' && result.kind === 'failed', JSON.stringify(result));
    assert.equal(result.code, 'APPLICATION_STARTING');
  }
});

test('a batch, and a wait for readiness, end where the application has ended', async () => {
  const host = createHost();
  host.stop();
  for (const asked of [host.execute([call]), host.ready()]) {
    const result = await soon(asked.catch((error: unknown) => error));
    assert.ok(result instanceof ProcessError, String(result));
    assert.equal(result.code, 'ENDED');
  }
});

test('a process that cannot load its bundle ends, and nobody beside it reads the bundle', async (t) => {
  const changed = Promise.withResolvers<void>();
  const host = createHost(changed.resolve);
  t.after(() => host.stop());
  const committed = new Store(tables).committed();
  const bundle = new TextEncoder().encode('no bundle');
  host.start({ bundle, indexes: [], limits: readLimits(undefined), committed });
  const startedMs = performance.now();
  await assert.rejects(host.ready(), { code: 'ENDED' });
  await changed.promise;
  assert.equal(host.state.state, 'failing');
  assert.ok(performance.now() - startedMs < 9_000, 'nobody waits until it might have come up');
});
