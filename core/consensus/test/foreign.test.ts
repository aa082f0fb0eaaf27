/** Whatever a peer sends, a machine answers with a verdict and never throws. */
import assert from 'node:assert/strict';
import test from 'node:test';
import { DecodeError } from '@concordat/std';
import {
  type Append,
  decodeMessage,
  directDistribution,
  type Entry,
  encodeMessage,
  type Message,
  type SnapshotPosition,
  treeDistribution,
} from '../index.ts';
import {
  among,
  empty,
  entry,
  height,
  id,
  ids,
  options,
  payload,
  snapshotAt,
  TestNode,
  view,
} from './network.ts';

/** A small generator (xorshift32): the same seed gives the same messages. */
class Draw {
  #state: number;
  /** The view of the machine that is tried. */
  view = 0;

  constructor(seed: number) {
    this.#state = seed * 2_654_435_761 || 1;
  }

  below(bound: number): number {
    this.#state ^= this.#state << 13;
    this.#state ^= this.#state >>> 17;
    this.#state ^= this.#state << 5;
    return (this.#state >>> 0) % bound;
  }

  chance(percent: number): boolean {
    return this.below(100) < percent;
  }

  of<Item>(items: readonly Item[]): Item {
    return items[this.below(items.length)] as Item;
  }
}

/** Heights and views that mean something here, and some that cannot. */
const number = (draw: Draw): number =>
  draw.of([0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 20, 2 ** 32, 2 ** 52]);
const anyHeight = (draw: Draw) => height(number(draw));
const anyView = (draw: Draw) =>
  view(
    draw.chance(70) ? draw.view + draw.below(2) : draw.chance(90) ? draw.below(6) : number(draw),
  );
const at = (draw: Draw) => ({ height: anyHeight(draw), view: anyView(draw) });

const anyConfiguration = (draw: Draw) =>
  draw.of([
    among('abc'),
    among('ab'),
    among('abcd', 2, 3),
    among('cde'),
    among(''),
    among('aa'),
    among('abc', 1, 1),
    among('abc', 0, 9),
    { voters: [], quorums: { replication: Number.NaN, election: -1 } },
  ]);

function anyEntry(draw: Draw, after: number): Entry {
  const one = entry(1, draw.chance(90) ? after : number(draw));
  const configuration = draw.chance(20) ? { configuration: anyConfiguration(draw) } : {};
  return { ...one, view: anyView(draw), ...configuration };
}

function anyPosition(draw: Draw): SnapshotPosition {
  const known = { height: draw.below(9), view: draw.below(4), chunks: 1 + draw.below(3) };
  const position = snapshotAt(known, among('abc'), draw.below(3));
  if (draw.chance(70)) return position;
  return {
    ...position,
    ...at(draw),
    configuration: anyConfiguration(draw),
    chunks: draw.of([0, 1, 2, -1, 1.5, Number.NaN, 2 ** 40]),
    digest: draw.of([position.digest, '', 'zz', 'f'.repeat(64)]),
  };
}

function anyAppend(draw: Draw): Append {
  const previous = at(draw);
  const entries = Array.from({ length: draw.below(4) }, (_, n) =>
    anyEntry(draw, previous.height + n + 1),
  );
  return {
    type: 'append',
    view: anyView(draw),
    previous,
    committed: anyHeight(draw),
    round: number(draw),
    retire: draw.chance(20),
    entries,
  };
}

function anyMessage(draw: Draw): Message {
  const sent = anyView(draw);
  const committed = at(draw);
  switch (draw.below(8)) {
    case 0:
      return anyAppend(draw);
    case 7: {
      const append = anyAppend(draw);
      const inView = draw.chance(90) ? append.view : sent;
      const targets = ids(draw.of(['', 'd', 'de', 'ade', 'bb', 'cdef']));
      return { type: 'relay', view: inView, leader: id(draw.of([...'abcd'])), targets, append };
    }
    case 1: {
      const [match, received] = [anyHeight(draw), anyHeight(draw)];
      const answer = { match, received, committed: anyHeight(draw), round: number(draw) };
      const rejected = { previousHeight: anyHeight(draw), estimate: at(draw) };
      return {
        type: 'append-response',
        view: sent,
        ...answer,
        ...(draw.chance(40) && { rejected }),
      };
    }
    case 2:
      return { type: 'vote-request', view: sent, pre: draw.chance(50), last: at(draw), committed };
    case 3: {
      const [pre, granted] = [draw.chance(50), draw.chance(70)];
      return { type: 'vote-response', view: sent, pre, granted, committed };
    }
    case 4:
      return { type: 'timeout-now', view: sent };
    case 5: {
      const index = draw.of([0, 0, 1, 2, 2 ** 31]);
      const bytes = draw.chance(70) ? payload('chunk') : new Uint8Array(0);
      return { type: 'install', view: sent, position: anyPosition(draw), index, bytes };
    }
    default: {
      const { digest } = anyPosition(draw);
      const [next, received] = [draw.below(4), draw.below(4)];
      const refused = draw.of([
        'OLD_SNAPSHOT',
        'RESTORING',
        'SNAPSHOT_REJECTED',
        undefined,
      ] as const);
      return {
        type: 'install-response',
        view: sent,
        digest,
        next,
        received,
        height: anyHeight(draw),
        ...(refused && { refused }),
      };
    }
  }
}

/** A node with a few entries on disk, in the midst of a change of its voters. */
function someNode(draw: Draw): TestNode {
  const node = new TestNode('a', {
    ...options('a', 'abc'),
    random: () => draw.below(1000) / 1000,
    maxMemoryBytes: draw.of([1, 1 << 20]),
    snapshotGap: draw.below(4),
    distribution: draw.of([directDistribution, treeDistribution(2)]),
    initial: {
      ...empty('abc'),
      view: view(2),
      lastView: view(2),
      lastHeight: height(5),
      committed: height(2),
      configuration: among('abcd'),
      configurationHeight: height(4),
      earlierConfigurations: [{ height: height(0), configuration: among('abc') }],
      viewHistory: [
        { view: view(1), fromHeight: height(1) },
        { view: view(2), fromHeight: height(4) },
      ],
    },
  });
  for (let n = 1; n <= 5; n += 1)
    node.disk.push(entry(n < 4 ? 1 : 2, n, n === 4 ? 'abcd' : undefined));
  return node;
}

/** The others make it leader, as they may at any time. */
function elect(node: TestNode): void {
  for (let ticks = 0; ticks < 30 && node.status.role !== 'pre-candidate'; ticks += 1) {
    node.raft.tick();
  }
  for (const pre of [true, false]) {
    const inView = view(node.status.view + (pre ? 1 : 0));
    const committed = { height: height(0), view: view(0) };
    const granted = { type: 'vote-response', view: inView, pre, granted: true, committed } as const;
    for (const voter of 'bcd') node.step(voter, granted);
  }
}

/** What an honest driver does beside answering: time, proposals, reads, snapshots. */
function live(node: TestNode, draw: Draw): void {
  node.restores = false;
  for (let ticks = draw.of([0, 0, 1, 12]); ticks > 0; ticks -= 1) node.raft.tick();
  if (draw.chance(5)) elect(node);
  if (draw.chance(20)) node.raft.propose(payload('x'), draw.chance(20) ? among('ab') : undefined);
  if (draw.chance(10)) node.raft.readIndex('read');
  if (draw.chance(10)) node.raft.addLearner(id('e'));
  if (draw.chance(5)) node.raft.transferLeadership();
  node.work();
  const { receiving, committed } = node.status;
  if (receiving?.restoring && draw.chance(20)) {
    const { position } = receiving;
    if (draw.chance(30)) node.raft.restoreFailed(position.digest);
    else {
      node.disk.length = 0;
      node.base = position.height;
      node.raft.restored(position.digest);
    }
  }
  if (committed > 0 && draw.chance(5)) {
    node.raft.offerSnapshot(snapshotAt({ height: committed, view: 1, chunks: 2 }, among('abc')));
  }
  node.work();
}

test('no sequence of messages, however wrong, makes a machine throw', () => {
  const codes = new Map<string, number>();
  const roles = new Set<string>();
  for (let seed = 1; seed <= 400; seed += 1) {
    const draw = new Draw(seed);
    const node = someNode(draw);
    for (let step = 0; step < 120; step += 1) {
      draw.view = node.status.view;
      const message = anyMessage(draw);
      const leader = node.status.leader?.[0] ?? 'b';
      const refusal = node.step(draw.chance(40) ? leader : draw.of([...'abcdef']), message);
      if (refusal) codes.set(refusal.code, (codes.get(refusal.code) ?? 0) + 1);
      roles.add(node.status.role);
      live(node, draw);
    }
  }
  for (const code of ['STALE_VIEW', 'UNEXPECTED', 'UNKNOWN_PEER', 'OLD_SNAPSHOT', 'MALFORMED']) {
    assert.ok((codes.get(code) ?? 0) > 20, `${code}: ${codes.get(code)}`);
  }
  for (const code of ['SECOND_LEADER', 'CONFLICT', 'SNAPSHOT_MISMATCH', 'RESTORING']) {
    assert.ok(codes.has(code), code);
  }
  for (const role of ['leader', 'follower', 'candidate']) assert.ok(roles.has(role), role);
});

test('random bytes, and messages with random bytes in them, decode or are refused by code', () => {
  const draw = new Draw(7);
  let decoded = 0;
  for (let round = 0; round < 20_000; round += 1) {
    let bytes = Buffer.from(Array.from({ length: draw.below(80) }, () => draw.below(256)));
    if (draw.chance(80)) {
      const message = anyMessage(draw);
      if (message.type === 'install' && !/^[0-9a-f]{64}$/.test(message.position.digest)) continue;
      try {
        bytes = Buffer.concat(encodeMessage(message));
      } catch {
        continue;
      }
      for (let flips = draw.below(4); flips > 0; flips -= 1) {
        bytes[draw.below(bytes.length)] = draw.below(256);
      }
    }
    try {
      decodeMessage(bytes);
      decoded += 1;
    } catch (error) {
      assert.ok(error instanceof DecodeError, String(error));
    }
  }
  assert.ok(decoded > 1000, `${decoded} decoded`);
});
