import assert from 'node:assert/strict';
import { describe, it, type TestContext } from 'node:test';
import { OrphanedBatches } from '../orphaned-batches.ts';
import type { Flight } from '../speculative-chain.ts';
import { type Lane, Submission } from '../submission.ts';

const lanes = [{}, {}] as Lane[];

const submission = (lane: number, receivedMs = 0): Submission =>
  new Submission({
    lane: lanes[lane] as Lane,
    raw: new Uint8Array(1),
    actor: { actorId: '' as never, name: '', kinds: [], roles: [] },
    wait: 'commit',
    done: () => {},
    receivedMs,
    foreign: false,
  });

const flight = (batch: number, submissions: readonly Submission[]): Flight =>
  ({ batch, submissions }) as Flight;

function start(t: TestContext) {
  t.mock.timers.enable({ apis: ['setTimeout'] });
  let cleared = 0;
  const orphans = new OrphanedBatches(() => {
    cleared += 1;
  });
  return { orphans, cleared: () => cleared };
}

describe('batches whose state was thrown away', () => {
  it('are outstanding until the last was refused, and for a pause after that', (t) => {
    const { orphans, cleared } = start(t);
    assert.equal(orphans.outstanding, false);
    const [one, two] = [submission(0), submission(1)];
    orphans.add(flight(1, [one]));
    orphans.add(flight(2, [two]));
    assert.deepEqual(orphans.refused(1), [one]);
    assert.equal(orphans.refused(1), undefined, 'given back once');
    assert.equal(orphans.refused(3), undefined);
    t.mock.timers.tick(1_000);
    assert.equal(orphans.outstanding, true);
    assert.deepEqual([orphans.of(lanes[0] as Lane), orphans.of(lanes[1] as Lane)], [[], [two]]);
    assert.deepEqual(orphans.refused(2), [two]);
    t.mock.timers.tick(4);
    assert.deepEqual([orphans.outstanding, cleared()], [true, 0]);
    t.mock.timers.tick(1);
    assert.deepEqual([orphans.outstanding, cleared()], [false, 1]);
  });

  it('are waited for anew when others join them in the pause', (t) => {
    const { orphans, cleared } = start(t);
    orphans.add(flight(1, [submission(0)]));
    orphans.refused(1);
    orphans.add(flight(2, []));
    t.mock.timers.tick(1_000);
    assert.deepEqual([orphans.outstanding, cleared()], [true, 0]);
    orphans.refused(2);
    t.mock.timers.tick(5);
    assert.deepEqual([orphans.outstanding, cleared()], [false, 1]);
  });

  it('are given up once everybody has waited too long, and hold nothing back then', (t) => {
    const { orphans, cleared } = start(t);
    const [old, young] = [submission(0, 10), submission(0, 20)];
    orphans.add(flight(1, [old]));
    orphans.add(flight(2, [old, young]));
    assert.deepEqual(orphans.takeOverdue(15), [old]);
    t.mock.timers.tick(1_000);
    assert.deepEqual([orphans.outstanding, cleared()], [true, 0]);
    assert.deepEqual(orphans.takeOverdue(30), [old, young]);
    t.mock.timers.tick(1);
    assert.deepEqual([orphans.outstanding, cleared()], [false, 1]);
    assert.equal(orphans.refused(2), undefined);
  });
});
