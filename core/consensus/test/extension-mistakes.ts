/**
 * Known ways to get wrong what goes beyond plain Raft: snapshots by chunks, broadcast trees, quorum
 * sizes. Checks as those of `mistakes.ts`.
 */
import assert from 'node:assert/strict';
import {
  type AppendResponse,
  type InstallResponse,
  type Relay,
  type SnapshotPosition,
  treeDistribution,
  type VoteResponse,
} from '../index.ts';
import {
  among,
  empty,
  entry,
  height,
  id,
  ids,
  install,
  options,
  payload,
  snapshotAt,
  TestNetwork,
  TestNode,
  view,
} from './network.ts';

const three = (at: number, inView = 1): SnapshotPosition =>
  snapshotAt({ height: at, view: inView, chunks: 3 }, among('abc'));

/** Chunks that a machine hands to its driver: height of the snapshot, and index. */
const handedOn = (node: TestNode): [number, number][] => {
  const effects = node.raft.takeEffects();
  return (effects?.chunkReceived ?? []).map(({ position, index }) => [position.height, index]);
};

/** A follower of a in view 1 with so many entries, so many of them committed. */
function following(name: string, entries: number, committed: number, change = {}): TestNode {
  const node = new TestNode(name, { ...options(name, 'abcd'), ...change });
  node.step('a', {
    type: 'append',
    view: view(1),
    previous: { height: height(0), view: view(0) },
    committed: height(committed),
    round: 0,
    retire: false,
    entries: Array.from({ length: entries }, (_, at) => entry(1, at + 1)),
  });
  node.work();
  assert.equal(node.status.committed, committed);
  return node;
}

const relayOf = (inView: number, targets: string, change: Partial<Relay> = {}): Relay => ({
  type: 'relay',
  view: view(inView),
  leader: id('a'),
  targets: ids(targets),
  append: {
    type: 'append',
    view: view(inView),
    previous: { height: height(2), view: view(1) },
    committed: height(2),
    round: 0,
    retire: false,
    entries: [entry(1, 3)],
  },
  ...change,
});

const granted = (inView: number, pre: boolean): VoteResponse => ({
  type: 'vote-response',
  view: view(inView),
  pre,
  granted: true,
  committed: { height: height(0), view: view(0) },
});

/** Five nodes with these quorum sizes, all of them started. */
function five(replication: number, election: number): TestNetwork {
  const configuration = among('abcde', replication, election);
  return new TestNetwork('abcde', { initial: { ...empty('abcde'), configuration } });
}

function untilCampaign(node: TestNode): void {
  for (let tick = 0; tick < 40 && node.status.role !== 'pre-candidate'; tick += 1) node.raft.tick();
  assert.equal(node.status.role, 'pre-candidate');
}

/** Checks about snapshots. */
const snapshots: [string, () => void][] = [
  [
    'a chunk of a snapshot is taken in its turn only',
    () => {
      const node = new TestNode('c', options('c', 'abc'));
      for (const index of [1, 0, 2, 0]) node.step('a', install(three(5), index));
      assert.equal(node.status.receiving?.received, 1);
      assert.deepEqual(handedOn(node), [[5, 0]]);
    },
  ],
  [
    'a chunk of another snapshot is not taken for one of the snapshot that is received',
    () => {
      const node = new TestNode('c', options('c', 'abc'));
      node.step('a', install(three(5), 0));
      const other = { ...three(5), digest: 'f'.repeat(64) };
      const refusal = node.step('a', install(other, 1));
      assert.equal(node.status.receiving?.received, 1);
      assert.deepEqual(handedOn(node), [[5, 0]]);
      assert.equal(refusal?.code, 'SNAPSHOT_MISMATCH');
      // From the next leader the other one is taken, from its beginning.
      assert.equal(node.step('b', install(other, 1, 2)), undefined);
      assert.deepEqual(handedOn(node), []);
      assert.equal(node.status.receiving?.position.digest, other.digest);
      assert.equal(node.status.receiving?.received, 0);
    },
  ],
  [
    'a snapshot of less than is committed is not received',
    () => {
      const node = following('c', 6, 6);
      const refusal = node.step('a', install(three(4), 0));
      assert.equal(node.status.receiving, undefined);
      assert.deepEqual(handedOn(node), []);
      assert.equal(refusal?.code, 'OLD_SNAPSHOT');
      assert.equal(node.status.committed, 6);
    },
  ],
  [
    'a snapshot that comes late takes back nothing that was acknowledged',
    () => {
      const node = new TestNode('c', options('c', 'abcd'));
      node.storesChunks = false;
      for (const index of [0, 1, 2]) node.step('a', install(three(5), index));
      node.work();
      for (const index of [0, 1]) node.raft.chunkStored(three(5).digest, index);
      node.step('b', {
        type: 'append',
        view: view(2),
        previous: { height: height(0), view: view(0) },
        committed: height(0),
        round: 1,
        retire: false,
        entries: [1, 2, 3, 4, 5, 6, 7].map((at) => entry(1, at)),
      });
      const answers = node.work().map(({ message }) => message as AppendResponse);
      assert.ok(answers.some(({ match }) => match === 7));
      node.raft.chunkStored(three(5).digest, 2);
      assert.equal(node.raft.takeEffects()?.restore, undefined);
      assert.equal(node.status.lastHeight, 7);
    },
  ],
  [
    'a chunk counts as stored when the driver has stored it, not when it came',
    () => {
      const node = new TestNode('c', options('c', 'abc'));
      node.storesChunks = false;
      node.step('a', install(three(5), 0));
      node.work();
      node.step('a', { ...install(three(5), 0), bytes: new Uint8Array(0) });
      const [answer] = node.work().map(({ message }) => message as InstallResponse);
      assert.deepEqual([answer?.received, answer?.next], [1, 0]);
    },
  ],
  [
    'the driver hears of a snapshot that is wanted no longer',
    () => {
      const node = new TestNode('c', options('c', 'abc'));
      node.step('a', install(three(5), 0));
      node.work();
      node.step('a', install(three(7), 0));
      assert.equal(node.raft.takeEffects()?.receptionDropped, true);
    },
  ],
];

/** Checks about broadcast trees. */
const trees: [string, () => void][] = [
  [
    'who passes an append on acknowledges it for itself alone',
    () => {
      const names = '0123456789abc';
      const network = new TestNetwork(names, { distribution: treeDistribution(3) });
      const leader = network.elect('0');
      network.run(3);
      const before = leader.committed;
      // The leader reaches 1, 2 and 3: with it four of thirteen. They pass nothing on.
      network.delivers = (from, _, { type }) => !(type === 'relay' && from !== '0');
      leader.raft.propose(payload('held by four'));
      network.settle();
      const holders = [...names].filter((name) => network.node(name).status.lastHeight > before);
      assert.equal(holders.length, 4);
      assert.equal(leader.committed, before);
    },
  ],
  [
    'who gets an append by way of a peer follows its leader, not that peer',
    () => {
      const node = new TestNode('d', { ...options('d', 'abcd') });
      const relay = relayOf(1, '');
      const append = { ...relay.append, previous: { height: height(0), view: view(0) } };
      node.step('b', { ...relay, append: { ...append, entries: [entry(1, 1)] } });
      assert.equal(node.status.leader, id('a'));
      assert.deepEqual(
        node.work().map(({ to, message }) => [to, message.type]),
        [[id('a'), 'append-response']],
      );
    },
  ],
  [
    'who has entered a later view does not follow what is passed on of the one before',
    () => {
      const node = following('c', 2, 2);
      const last = { height: height(2), view: view(1) };
      node.step('d', { type: 'vote-request', view: view(2), pre: false, last, committed: last });
      node.work();
      assert.deepEqual([node.status.view, node.status.leader], [2, undefined]);
      const refusal = node.step('b', relayOf(1, 'd'));
      assert.deepEqual([node.status.view, node.status.leader], [2, undefined]);
      assert.equal(refusal?.code, 'STALE_VIEW');
      assert.equal(node.status.lastHeight, 2);
    },
  ],
  [
    'what a node refuses it does not pass on',
    () => {
      const node = following('c', 2, 2, { distribution: treeDistribution(2) });
      const conflict = relayOf(1, 'd', { leader: id('b') });
      const refusal = node.step('b', conflict);
      assert.deepEqual(node.work(), []);
      assert.equal(refusal?.code, 'SECOND_LEADER');
    },
  ],
  [
    'what a stranger passes on is refused',
    () => {
      const node = following('c', 2, 2);
      const codes = [
        node.step('f', relayOf(1, 'd')),
        node.step('f', relayOf(2, '', { leader: id('f') })),
      ].map((refusal) => refusal?.code);
      assert.deepEqual([node.status.leader, node.status.lastHeight], [id('a'), 2]);
      assert.deepEqual(codes, ['UNKNOWN_PEER', 'UNKNOWN_PEER']);
    },
  ],
];

/** Checks about quorum sizes. */
const sizes: [string, () => void][] = [
  [
    'a commit takes a replication quorum, whatever an election takes',
    () => {
      for (const [replication, election] of [
        [4, 3],
        [2, 4],
      ] as const) {
        const network = five(replication, election);
        const a = network.elect('a');
        const committed = a.committed;
        network.isolate('abcde'.slice(0, replication - 1));
        a.raft.propose(payload('too few'));
        network.run(3);
        assert.equal(a.committed, committed, `${replication - 1} of 5`);
        network.isolate('abcde'.slice(0, replication));
        network.run(3);
        assert.equal(a.committed, committed + 1, `${replication} of 5`);
      }
    },
  ],
  [
    'an election takes an election quorum, whatever a commit takes',
    () => {
      const configuration = among('abcde', 2, 4);
      const initial = { ...empty('abcde'), configuration };
      for (const pre of [true, false]) {
        const node = new TestNode('a', { ...options('a', 'abcde'), initial });
        untilCampaign(node);
        if (!pre) for (const voter of 'bcd') node.step(voter, granted(1, true));
        const role = pre ? 'pre-candidate' : 'candidate';
        for (const voter of 'bc') node.step(voter, granted(1, pre));
        assert.equal(node.status.role, role, 'three of five');
        node.step('e', granted(1, pre));
        assert.equal(node.status.role, pre ? 'candidate' : 'leader', 'four of five');
      }
    },
  ],
  [
    'the sizes of the old and of the new configuration are both asked for',
    () => {
      const network = new TestNetwork('abcde');
      const a = network.elect('a');
      network.isolate('abc');
      a.raft.propose(payload('four commit'), among('abcde', 4, 3));
      network.run(3);
      assert.equal(a.committed, 1, 'enough by the old sizes alone');
      network.heal();
      network.run(4);
      assert.equal(a.committed, 2);
      network.isolate('ab');
      a.raft.propose(payload('two commit'), among('abcde', 2, 4));
      network.run(3);
      assert.equal(a.committed, 2, 'enough by the new sizes alone');
    },
  ],
  [
    'an election during a change of sizes takes the votes that each of them asks for',
    () => {
      const configurations = [among('abcde'), among('abcde', 2, 4)];
      for (const [from, to] of [configurations, configurations.toReversed()]) {
        assert.ok(from && to);
        const initial = {
          ...empty('abcde'),
          view: view(1),
          lastView: view(1),
          lastHeight: height(2),
          committed: height(1),
          configuration: to,
          configurationHeight: height(2),
          earlierConfigurations: [{ height: height(0), configuration: from }],
          viewHistory: [{ view: view(1), fromHeight: height(1) }],
        };
        const node = new TestNode('a', { ...options('a', 'abcde'), initial });
        untilCampaign(node);
        for (const voter of 'bc') node.step(voter, granted(2, true));
        assert.equal(node.status.role, 'pre-candidate', 'three are four nowhere');
        node.step('d', granted(2, true));
        assert.equal(node.status.role, 'candidate');
      }
    },
  ],
  [
    'a leader stays while it can commit, not while it could be elected',
    () => {
      const small = five(2, 4);
      const a = small.elect('a');
      small.isolate('ab');
      small.run(40);
      assert.equal(a.status.role, 'leader');
      const large = five(4, 3);
      const b = large.elect('b');
      large.isolate('abc');
      large.run(15);
      assert.notEqual(b.status.role, 'leader');
    },
  ],
  [
    'quorums that might not meet are neither proposed nor taken from a leader',
    () => {
      for (const configuration of [among('abc', 1, 2), among('abc', 3, 1)]) {
        const network = new TestNetwork('abc');
        const a = network.elect('a');
        assert.equal(a.raft.proposalRefusal(configuration), 'INVALID_CONFIGURATION');
        const refusal = network.node('b').step('a', {
          type: 'append',
          view: view(1),
          previous: { height: height(1), view: view(1) },
          committed: height(1),
          round: 0,
          retire: false,
          entries: [{ ...entry(1, 2), configuration }],
        });
        assert.equal(refusal?.code, 'MALFORMED');
      }
    },
  ],
];

/** Every check, by the sentence it proves. */
export const extensionMistakes: ReadonlyMap<string, () => void> = new Map([
  ...snapshots,
  ...trees,
  ...sizes,
]);
