/**
 * The known ways to get Raft wrong, each found in some real system, each with its check here. A check
 * is a test of whatever build it runs on: of this room in `mistakes.test.ts`, of deliberately broken
 * copies of it in `mutants.test.ts`.
 */
import assert from 'node:assert/strict';
import type { Append, AppendResponse, InitialState, Message, VoteResponse } from '../index.ts';
import {
  among,
  empty,
  entry,
  height,
  id,
  options,
  payload,
  TestNetwork,
  TestNode,
  view,
} from './network.ts';

/** Every check, by the sentence it proves. */
export const mistakes = new Map<string, () => void>();

function mistake(sentence: string, check: () => void): void {
  assert.ok(!mistakes.has(sentence), sentence);
  mistakes.set(sentence, check);
}

/** A node with entries on disk: `views[i]` is the view of height i+1; `voters` since genesis. */
function nodeWith(name: string, voters: string, views: number[], committed = 0): TestNode {
  const viewHistory: { view: ReturnType<typeof view>; fromHeight: ReturnType<typeof height> }[] =
    [];
  views.forEach((one, at) => {
    if (views[at - 1] !== one) viewHistory.push({ view: view(one), fromHeight: height(at + 1) });
  });
  const last = view(views[views.length - 1] ?? 0);
  const initial: InitialState = {
    ...empty(voters),
    view: last,
    lastView: last,
    lastHeight: height(views.length),
    committed: height(committed),
    viewHistory,
  };
  const node = new TestNode(name, { ...options(name, voters), initial });
  views.forEach((one, at) => {
    node.disk.push(entry(one, at + 1));
  });
  return node;
}

function append(change: Partial<Append> & { at: [number, number] }): Append {
  const { at, ...rest } = change;
  const previous = { height: height(at[0]), view: view(at[1]) };
  const rest0 = { committed: height(0), round: 0, retire: false, entries: [] };
  return { type: 'append', view: view(1), previous, ...rest0, ...rest };
}

const granted = (inView: number, pre: boolean): VoteResponse => ({
  type: 'vote-response',
  view: view(inView),
  pre,
  granted: true,
  committed: { height: height(0), view: view(0) },
});

const acknowledge = (inView: number, match: number): AppendResponse => ({
  type: 'append-response',
  view: view(inView),
  round: 0,
  match: height(match),
  received: height(match),
  committed: height(0),
});

const sentTo = (out: { to: string; message: Message }[], name: string): Message[] =>
  out.filter((one) => one.to === id(name)).map((one) => one.message);

/** Ticks a node until it asks for pre-votes. */
function untilCampaign(node: TestNode): void {
  for (let tick = 0; tick < 40 && node.status.role !== 'pre-candidate'; tick += 1) node.raft.tick();
  assert.equal(node.status.role, 'pre-candidate');
}

/** Makes a node of view v leader of view v+1 by the votes of these. */
function lead(node: TestNode, voters: string): void {
  untilCampaign(node);
  const next = node.status.view + 1;
  for (const voter of voters) node.step(voter, granted(next, true));
  for (const voter of voters) node.step(voter, granted(next, false));
  assert.equal(node.status.role, 'leader');
  node.work();
}

/** A node whose log ends with an uncommitted change from `old` to `next`. */
function reconfiguring(name: string, old: string, next: string): TestNode {
  const initial: InitialState = {
    ...empty(old),
    view: view(1),
    lastView: view(1),
    lastHeight: height(2),
    committed: height(1),
    configuration: among(next),
    configurationHeight: height(2),
    earlierConfigurations: [{ height: height(0), configuration: among(old) }],
    viewHistory: [{ view: view(1), fromHeight: height(1) }],
  };
  const node = new TestNode(name, { ...options(name, old), initial });
  node.disk.push(entry(1, 1), entry(1, 2, next));
  return node;
}

mistake('an election needs a quorum in each active configuration, not over their union', () => {
  // Union: 6 nodes, quorum 4. a, d, e, f are 4 of them, and only one of the old three.
  const node = reconfiguring('a', 'abc', 'adef');
  untilCampaign(node);
  for (const voter of 'def') node.step(voter, granted(2, true));
  assert.equal(node.status.role, 'pre-candidate');
  node.step('b', granted(2, true));
  assert.equal(node.status.role, 'candidate');
  for (const voter of 'def') node.step(voter, granted(2, false));
  assert.equal(node.status.role, 'candidate');
  node.step('b', granted(2, false));
  assert.equal(node.status.role, 'leader');
});

mistake('a commit during a reconfiguration needs a quorum in the old and in the new set', () => {
  const network = new TestNetwork('abc');
  for (const name of 'def') network.add(name, '');
  const a = network.elect('a');
  network.delivers = (_, to) => !'bc'.includes(to);
  assert.equal(a.raft.propose(payload('to def'), among('def')).ok, true);
  network.settle();
  assert.equal(a.committed, 1, 'the whole new set holds it, but only one of the old three');
  assert.equal(a.raft.propose(payload('again'), among('abc')).ok, false);
  network.heal();
  network.run(3);
  assert.ok(a.committed >= 2);
});

mistake('an entry of an earlier view is not committed by counting replicas', () => {
  // Raft, figure 8: height 1 of view 1 sits on every disk; the leader of view 2 must not commit it.
  const node = nodeWith('a', 'abc', [1]);
  lead(node, 'b');
  node.step('b', acknowledge(2, 1));
  node.step('c', acknowledge(2, 1));
  node.work();
  assert.equal(node.committed, 0);
  node.raft.propose(payload('of view 2'));
  node.work();
  node.step('b', acknowledge(2, 2));
  node.work();
  assert.equal(node.committed, 2);
});

mistake('a NACK advances no commit and takes back no acknowledgement', () => {
  const node = nodeWith('a', 'abc', []);
  lead(node, 'b');
  for (let at = 0; at < 4; at += 1) node.raft.propose(payload('x'));
  node.work();
  node.step('b', acknowledge(1, 2));
  node.work();
  assert.equal(node.committed, 2);
  const rejected = { previousHeight: height(4), estimate: { height: height(4), view: view(1) } };
  node.step('b', { ...acknowledge(1, 4), rejected });
  node.step('b', {
    ...acknowledge(1, 0),
    rejected: { ...rejected, estimate: { height: height(0), view: view(0) } },
  });
  node.work();
  assert.equal(node.committed, 2);
  assert.equal(node.status.progress.get(id('b'))?.match, 2);
  node.step('c', acknowledge(1, 3));
  node.work();
  assert.equal(node.committed, 3, 'a and c hold it');
});

mistake('an early append does not truncate what a later one brought', () => {
  const node = nodeWith('b', 'abc', []);
  node.step('a', append({ at: [0, 0], entries: [entry(1, 1), entry(1, 2), entry(1, 3)] }));
  node.work();
  node.step('a', append({ at: [0, 0], entries: [entry(1, 1)] }));
  node.step('a', append({ at: [1, 1] }));
  node.work();
  assert.equal(node.status.lastHeight, 3);
  assert.equal(node.disk.length, 3);
  assert.ok(node.seen.every((effects) => effects.truncateAfter === undefined));
});

mistake(
  'only an entry of another view at the same height truncates, and never a committed one',
  () => {
    const node = nodeWith('b', 'abc', [1, 1, 1], 1);
    node.step('a', append({ view: view(2), at: [1, 1], entries: [entry(2, 2)] }));
    node.work();
    assert.deepEqual(
      node.disk.map((one) => one.view),
      [1, 2],
    );
    const refusal = node.step('a', append({ view: view(2), at: [0, 0], entries: [entry(2, 1)] }));
    assert.equal(refusal?.code, 'CONFLICT');
    assert.equal(node.status.lastHeight, 2);
  },
);

mistake('a follower acknowledges no more than the tail of the append it got', () => {
  // Heights 2 and 3 may differ from the leader's: a heartbeat at height 1 proves only height 1.
  const node = nodeWith('b', 'abc', [1, 1, 1]);
  node.step('a', append({ view: view(2), at: [1, 1] }));
  const [response] = sentTo(node.work(), 'a');
  assert.equal(response?.type, 'append-response');
  assert.equal((response as AppendResponse).match, 1);
  assert.equal((response as AppendResponse).received, 1);
});

mistake('a follower commits no more than the tail of the append it got', () => {
  const node = nodeWith('b', 'abc', [1, 1, 1]);
  node.step('a', append({ view: view(2), at: [1, 1], committed: height(3) }));
  node.work();
  assert.equal(node.committed, 1);
});

mistake('a follower acknowledges only what is durable, and says so once it is', () => {
  const node = nodeWith('b', 'abc', []);
  node.persists = false;
  node.step('a', append({ at: [0, 0], entries: [entry(1, 1), entry(1, 2)] }));
  assert.deepEqual(sentTo(node.work(), 'a'), []);
  node.step('a', append({ at: [2, 1] }));
  assert.equal((sentTo(node.work(), 'a')[0] as AppendResponse).match, 0);
  node.raft.persisted(height(2), view(1));
  assert.equal((sentTo(node.work(), 'a')[0] as AppendResponse).match, 2);
});

mistake('stepping down within a view does not forget the vote given in it', () => {
  const node = nodeWith('a', 'abc', []);
  lead(node, 'b');
  for (let tick = 0; tick < 12; tick += 1) node.raft.tick();
  assert.notEqual(node.status.role, 'leader', 'check-quorum ended its lead');
  assert.equal(node.status.view, 1);
  node.work();
  const last = { height: height(9), view: view(1) };
  const committed = { height: height(0), view: view(0) };
  node.step('c', { type: 'vote-request', view: view(1), pre: false, last, committed });
  const answer = sentTo(node.work(), 'c')[0] as VoteResponse;
  assert.equal(answer.granted, false);
  assert.equal(node.votedFor, id('a'));
});

mistake('a candidate that follows a leader of its own view keeps its vote', () => {
  const node = nodeWith('a', 'abc', []);
  untilCampaign(node);
  node.step('b', granted(1, true));
  node.work();
  node.step('c', append({ at: [0, 0] }));
  assert.equal(node.status.role, 'follower');
  node.work();
  assert.equal(node.votedFor, id('a'));
});

mistake('a removed node keeps voting and counting until its removal is committed', () => {
  const network = new TestNetwork('abc');
  network.add('d', '');
  const a = network.elect('a');
  network.delivers = (_, to) => to !== 'c' && to !== 'd';
  a.raft.propose(payload('b and c go'), among('ad'));
  network.settle();
  assert.equal(network.node('b').status.retired, false);
  assert.equal(network.node('b').status.role, 'follower');
  assert.deepEqual(a.status.configurations, [among('abc'), among('ad')]);
  assert.equal(a.committed, 1, 'the new set has no quorum yet');
  network.delivers = (_, to) => to !== 'c';
  network.run(4);
  assert.equal(a.committed, 2, 'b, though leaving, makes the quorum of the old set');
  assert.equal(network.node('b').status.retired, true);
});

mistake('a removed node is not told that it may go before a quorum of its successors knows', () => {
  const network = new TestNetwork('abc');
  network.add('d', '');
  const a = network.elect('a');
  // Everyone acknowledges the change, but d does not hear that it is committed.
  network.delivers = (_, to, message) =>
    !(to === 'd' && message.type === 'append' && message.committed >= 2);
  a.raft.propose(payload('b and c go'), among('ad'));
  network.run(5);
  assert.equal(a.committed, 2);
  assert.equal(network.node('b').committed, 2);
  assert.equal(network.node('b').status.retired, false);
  network.heal();
  network.run(5);
  assert.equal(network.node('b').status.retired, true);
  assert.equal(network.node('c').status.retired, true);
});

mistake('a survivor learns a commit from a vote message and needs the retired no longer', () => {
  // d holds the change abc -> ad, does not know it is committed; only b of the old set could tell.
  const node = reconfiguring('d', 'abc', 'ade');
  untilCampaign(node);
  const committed = { height: height(2), view: view(1) };
  const denied: VoteResponse = { ...granted(1, true), granted: false, committed };
  node.step('e', denied);
  assert.deepEqual(node.status.configurations, [among('ade')]);
  node.step('e', granted(2, true));
  assert.equal(node.status.role, 'candidate');
});

mistake('check-quorum holds in every active configuration, not only in one', () => {
  const network = new TestNetwork('abc');
  for (const name of 'def') network.add(name, '');
  const a = network.elect('a');
  network.delivers = (from, to) => !'def'.includes(from) && !'def'.includes(to);
  a.raft.propose(payload('to adef'), among('adef'));
  network.run(15);
  assert.notEqual(a.status.role, 'leader', 'a quorum of abc answers, none of adef does');
});

mistake(
  'a node that is cut off does not enter new views, and disturbs nobody when it is back',
  () => {
    const network = new TestNetwork('abc');
    const a = network.elect('a');
    network.isolate('c');
    network.run(200);
    assert.equal(network.node('c').status.view, 1);
    network.heal();
    network.run(50);
    assert.equal(a.status.role, 'leader');
    assert.equal(a.status.view, 1);
    assert.equal(network.node('c').status.leader, id('a'));
  },
);

mistake('a second leader in a view is refused by name', () => {
  const node = nodeWith('c', 'abc', []);
  node.step('a', append({ at: [0, 0] }));
  assert.equal(node.step('b', append({ at: [0, 0] }))?.code, 'SECOND_LEADER');
  assert.equal(node.status.leader, id('a'));
});

mistake('a late word that an entry is durable is not taken for the entry that replaced it', () => {
  const node = nodeWith('b', 'abc', []);
  node.persists = false;
  node.step('a', append({ at: [0, 0], entries: [entry(1, 1), entry(1, 2), entry(1, 3)] }));
  node.work();
  node.step('c', append({ view: view(2), at: [1, 1], entries: [entry(2, 2), entry(2, 3)] }));
  node.work();
  node.raft.persisted(height(3), view(1));
  const early = sentTo(node.work(), 'c')[0] as AppendResponse;
  assert.equal(early.match, 1, 'what both logs share is durable');
  node.raft.persisted(height(3), view(2));
  assert.equal((sentTo(node.work(), 'c')[0] as AppendResponse).match, 3);
});

mistake('a round of reads of an earlier view confirms nothing in the next', () => {
  const node = nodeWith('b', 'abc', []);
  node.step('a', append({ at: [0, 0], round: 7 }));
  node.work();
  untilCampaign(node);
  node.step('c', granted(2, true));
  node.work();
  node.step('c', append({ view: view(2), at: [0, 0], round: 1 }));
  assert.equal((sentTo(node.work(), 'c')[0] as AppendResponse).round, 1);
});

mistake('check-quorum in the new set alone does not keep a leader that lost the old set', () => {
  const network = new TestNetwork('abc');
  for (const name of 'def') network.add(name, '');
  const a = network.elect('a');
  network.delivers = (from, to) => !'bc'.includes(from) && !'bc'.includes(to);
  a.raft.propose(payload('to adef'), among('adef'));
  network.run(15);
  assert.notEqual(a.status.role, 'leader', 'a quorum of adef answers, none of abc does');
});

mistake('a vote goes to no candidate whose log may lack what is committed', () => {
  const committed = { height: height(0), view: view(0) };
  const ask = (last: [number, number], inView: number) => {
    const node = nodeWith('b', 'abc', [1, 2, 2]);
    const at = { view: view(last[0]), height: height(last[1]) };
    const request = { type: 'vote-request', view: view(inView), last: at, committed } as const;
    node.step('a', { ...request, pre: true });
    const pre = sentTo(node.work(), 'a')[0] as VoteResponse;
    node.step('a', { ...request, pre: false });
    const real = sentTo(node.work(), 'a')[0] as VoteResponse;
    assert.equal(pre.granted, real.granted, 'a pre-vote foretells the vote');
    return real.granted;
  };
  assert.equal(ask([2, 3], 3), true);
  assert.equal(ask([3, 1], 4), true);
  assert.equal(ask([2, 2], 3), false, 'shorter');
  assert.equal(ask([1, 9], 3), false, 'longer, but of an earlier view');
});

mistake('a configuration whose entry is truncated counts no longer', () => {
  const network = new TestNetwork('abc');
  network.add('d', '');
  const a = network.elect('a');
  network.isolate('a');
  a.raft.propose(payload('to ad'), among('ad'));
  network.settle();
  assert.equal(a.status.configurations.length, 2);
  network.run(60);
  const leader = [...'bc']
    .map((name) => network.node(name))
    .find((b) => b.status.role === 'leader');
  leader?.raft.propose(payload('of a later view'));
  network.heal();
  network.run(5);
  assert.deepEqual(a.status.configurations, [among('abc')]);
  assert.equal(a.status.leader, id(leader?.name ?? ''));
});
