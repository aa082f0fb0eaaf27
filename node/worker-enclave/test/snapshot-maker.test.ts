import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { type SnapshotToManager, snapshotChunkCredit } from '@concordat/bridge';
import { Store, sectionChunkBytes } from '@concordat/kv';
import { concatBytes } from '@concordat/std';
import type { AdapterMemory, LedgerAdapter } from '../adapter.ts';
import { LaneAnswers } from '../lane-answers.ts';
import { defaultAnswerBounds } from '../limits.ts';
import { SnapshotMaker } from '../snapshot-maker.ts';
import { cutParts, decodeStateHead, encodeStateHead } from '../state-form.ts';
import type { Lane } from '../submission.ts';

const table = 'a/t';

/** A maker over a store, with the manager's side under the test's control. */
class Scene {
  readonly store = new Store([{ name: table, kind: 'hash' }]);
  readonly sent: SnapshotToManager[] = [];
  readonly maker: SnapshotMaker;
  committedHeight = 0;
  /** What `send` answers. */
  goOn = true;
  /** Chunks are taken as they come. */
  takes = true;
  #layer = 0;

  constructor(memory?: () => AdapterMemory, clockMs: () => number = () => performance.now()) {
    const adapter = {
      id: 'a',
      ...(memory && { freezeMemory: memory }),
    } as unknown as LedgerAdapter;
    this.maker = new SnapshotMaker({
      store: this.store,
      lanes: [{ adapter, answers: new LaneAnswers(adapter, defaultAnswerBounds) } as Lane],
      committedHeight: () => this.committedHeight,
      nowMs: clockMs,
      log: () => {},
      send: (message) => {
        this.sent.push(message);
        if (message.kind === 'snapshotChunk' && this.takes) setImmediate(() => this.take(message));
        return this.goOn;
      },
    });
  }

  take({ request, index }: { readonly request: number; readonly index: number }): void {
    this.maker.receive({ kind: 'snapshotTaken', request, index });
  }

  fill(pairs: number, bytes: number, fillWith = 1): void {
    const set = this.store.begin(++this.#layer);
    for (let at = 0; at < pairs; at++) {
      set.table(table).set(`key ${at}`, Buffer.alloc(bytes, fillWith));
    }
    set.takeWriteSet();
    set.finish();
    this.store.commit(this.#layer);
  }

  ask(request = 1, height = 10): void {
    this.maker.receive({ kind: 'snapshot', request, height, timeMs: 77 });
  }

  get chunks(): Extract<SnapshotToManager, { kind: 'snapshotChunk' }>[] {
    return this.sent.filter((message) => message.kind === 'snapshotChunk');
  }

  async until(holds: () => boolean): Promise<void> {
    while (!holds()) await sleep(1);
  }

  async done(): Promise<readonly Uint8Array[]> {
    await this.until(() => this.chunks.at(-1)?.last === true);
    return this.chunks.map(({ bytes }) => bytes);
  }
}

/** What a store that holds the same gives in one go. */
function sectionOf(store: Store): Uint8Array {
  const parts: Uint8Array[] = [];
  const reader = store.freeze().section();
  for (let chunks = reader.next(1e6); chunks; chunks = reader.next(1e6)) parts.push(...chunks);
  return concatBytes(...parts);
}

describe('a snapshot of a worker', () => {
  it('is a head, what adapters keep, and the store as it was when it was asked for', async () => {
    const kept = Buffer.alloc(sectionChunkBytes + 10, 5);
    const parts = [kept.subarray(0, 7), kept.subarray(7, 7), kept.subarray(7)];
    const scene = new Scene(() => ({ bytes: kept.length, parts: () => parts }));
    scene.fill(3_000, 1_000);
    const section = sectionOf(scene.store);
    scene.ask();
    scene.fill(3_000, 1_000, 2);
    const [head, ...rest] = await scene.done();
    const memories = [{ adapterId: 'a', bytes: kept.length }];
    assert.deepEqual(decodeStateHead(head as Uint8Array), { height: 10, timeMs: 77, memories });
    assert(kept.equals(concatBytes(...rest.slice(0, 2))));
    assert.deepEqual(
      rest.slice(0, 2).map(({ length }) => length),
      [sectionChunkBytes, 10],
    );
    assert(Buffer.from(section).equals(concatBytes(...rest.slice(2))));
    assert.deepEqual(
      scene.chunks.map(({ index }) => index),
      scene.chunks.map((_, at) => at),
    );
    assert.equal(scene.chunks.filter(({ last }) => last).length, 1);
  });

  it('waits while the manager has chunks it has not dealt with', async () => {
    const scene = new Scene();
    scene.takes = false;
    scene.fill(6_000, 1_000);
    scene.ask();
    for (let taken = 0; taken < 7; taken++) {
      await scene.until(() => scene.chunks.length > taken);
      await sleep(20);
      assert(scene.chunks.length <= taken + snapshotChunkCredit);
      scene.take(scene.chunks[taken] as { request: number; index: number });
    }
    assert.equal(scene.chunks.length, 7);
  });

  it('waits while the channel is full', async () => {
    const scene = new Scene();
    scene.fill(4_000, 1_000);
    scene.goOn = false;
    scene.ask();
    for (let drained = 0; drained < 3; drained++) {
      await scene.until(() => scene.chunks.length > drained);
      await sleep(20);
      assert.equal(scene.chunks.length, drained + 1);
      if (drained < 2) scene.maker.drained();
    }
    scene.goOn = true;
    scene.maker.drained();
    await scene.done();
  });

  it('works a millisecond at a time, whatever the size of the state', async () => {
    let nowMs = 0;
    // Every look at the clock finds most of a millisecond gone.
    const scene = new Scene(undefined, () => (nowMs += 0.6));
    scene.fill(20_000, 10);
    scene.ask();
    let turns = 0;
    const count = setInterval(() => turns++, 1);
    await scene.done();
    clearInterval(count);
    // Each pair is handled twice, 250 in a step, two steps at most before a rest of 3 ms.
    assert(turns > 20, `${turns} turns for others`);
  });

  it('is refused while another one is under way, and made once that is over or given up', async () => {
    const scene = new Scene();
    scene.takes = false;
    scene.fill(4_000, 1_000);
    scene.ask(1);
    scene.ask(2);
    assert.deepEqual(scene.sent, [{ kind: 'snapshotRefused', request: 2, code: 'SNAPSHOT_BUSY' }]);
    scene.maker.receive({ kind: 'snapshotCancel', request: 2 });
    await scene.until(() => scene.chunks.length === snapshotChunkCredit);
    scene.maker.receive({ kind: 'snapshotCancel', request: 1 });
    scene.takes = true;
    scene.ask(3);
    await scene.done();
    assert(scene.chunks.slice(snapshotChunkCredit).every(({ request }) => request === 3));
    scene.sent.length = 0;
    scene.ask(4);
    await scene.done();
    assert.equal(scene.store.freeze().entries, 4_000, 'no freeze is left open');
  });

  it('is refused once the state has passed the height', () => {
    const scene = new Scene();
    scene.committedHeight = 11;
    scene.ask(1, 10);
    assert.deepEqual(scene.sent, [
      { kind: 'snapshotRefused', request: 1, code: 'SNAPSHOT_PASSED' },
    ]);
    scene.ask(2, 11);
    assert.equal(scene.sent.length, 1);
    scene.maker.stop();
  });

  it('is given up by code when its state is replaced', async () => {
    const scene = new Scene();
    scene.ask();
    scene.maker.abandon();
    assert.deepEqual(scene.sent, [
      { kind: 'snapshotRefused', request: 1, code: 'SNAPSHOT_ABANDONED' },
    ]);
    await sleep(10);
    assert.equal(scene.sent.length, 1);
    scene.maker.abandon();
    assert.equal(scene.sent.length, 1);
  });

  it('fails by code when an adapter cannot say what it keeps, and another can be made', async () => {
    let bytes = 10;
    for (const broken of [
      () => {
        throw new TypeError('as told');
      },
      () => ({ bytes, parts: () => [Buffer.alloc(bytes - 1)] }),
      () => ({ bytes, parts: () => [Buffer.alloc(bytes), Buffer.alloc(1)] }),
    ]) {
      let memory: () => AdapterMemory = broken;
      const scene = new Scene(() => memory());
      scene.ask();
      await scene.until(() => scene.sent.at(-1)?.kind === 'snapshotRefused');
      const refused = { kind: 'snapshotRefused', request: 1, code: 'SNAPSHOT_FAILED' };
      assert.deepEqual(scene.sent.at(-1), refused);
      memory = () => ({ bytes: 0, parts: () => [] });
      scene.sent.length = 0;
      scene.ask(2);
      await scene.done();
      bytes = 10;
    }
  });

  it('is not taken further than it was sent', () => {
    const scene = new Scene();
    scene.ask();
    assert.throws(() => scene.take({ request: 1, index: 0 }), { code: 'PROTOCOL' });
    scene.take({ request: 9, index: 0 });
    scene.maker.stop();
  });
});

describe('the form of a worker’s state', () => {
  it('names adapters that keep something once, in order', () => {
    const head = (...ids: string[]) =>
      encodeStateHead({
        height: 1,
        timeMs: 1,
        memories: ids.map((adapterId) => ({ adapterId, bytes: adapterId === 'none' ? 0 : 1 })),
      });
    assert.equal(decodeStateHead(head('a', 'b')).memories.length, 2);
    for (const ids of [['b', 'a'], ['a', 'a'], ['none'], ['']]) {
      assert.throws(() => decodeStateHead(head(...ids)), { code: 'INVALID' });
    }
  });

  it('has one head for each content, and refuses what is none', () => {
    const head = { height: 5, timeMs: 6, memories: [{ adapterId: 'kv', bytes: 2 ** 40 }] };
    const bytes = encodeStateHead(head);
    assert.deepEqual(decodeStateHead(bytes), head);
    for (let length = 0; length < bytes.length; length++) {
      assert.throws(() => decodeStateHead(bytes.subarray(0, length)), { name: 'DecodeError' });
    }
    assert.throws(() => decodeStateHead(concatBytes(bytes, Uint8Array.of(0))), {
      code: 'TRAILING',
    });
    const foreign = Uint8Array.from(bytes).fill(0x41, 0, 8);
    assert.throws(() => decodeStateHead(foreign), { code: 'INVALID' });
  });

  it('cuts parts of any length into chunks of one length, but the last', () => {
    const whole = Buffer.from(Uint8Array.from({ length: 2 * sectionChunkBytes }, (_, at) => at));
    for (const bytes of [0, 1, sectionChunkBytes, sectionChunkBytes + 1, 2 * sectionChunkBytes]) {
      for (const size of [700_001, sectionChunkBytes, 2 * sectionChunkBytes]) {
        const parts: Buffer[] = [];
        for (let at = 0; at < bytes; at += size) {
          parts.push(whole.subarray(at, Math.min(bytes, at + size)));
        }
        const chunks = [...cutParts(parts, bytes)].filter((chunk) => chunk !== undefined);
        assert(whole.subarray(0, bytes).equals(concatBytes(...chunks)));
        assert(chunks.slice(0, -1).every(({ length }) => length === sectionChunkBytes));
        assert(chunks.every(({ length }) => length > 0));
      }
    }
  });
});
