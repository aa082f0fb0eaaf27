import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import {
  type ConsensusImplementation,
  type NetworkOptions,
  nodeOf,
  nodesTo,
  SuiteNetwork,
} from './consensus-network.ts';
import { randomSchedules } from './consensus-schedules.ts';

/** What every ordering algorithm must do, by the sentence it proves. */
export type ConsensusChecks = ReadonlyMap<string, () => void>;

/** Registers the tests that every ordering algorithm passes (DESIGN 6), under its name. */
export function consensusSuite(implementation: ConsensusImplementation): void {
  describe(`the contract of consensus: ${implementation.name}`, () => {
    for (const [sentence, check] of consensusChecks(implementation)) it(sentence, check);
  });
}

/** The tests themselves; each throws when the algorithm does not do what the sentence says. */
export function consensusChecks(implementation: ConsensusImplementation): ConsensusChecks {
  const network = (voters: number, options?: NetworkOptions): SuiteNetwork =>
    new SuiteNetwork(implementation, voters, options);
  return new Map([
    ...orderChecks(network),
    ...failureChecks(network),
    ...membershipChecks(network),
    ...readChecks(network),
    ...snapshotChecks(network),
    ...randomSchedules(network),
  ]);
}

type Build = (voters: number, options?: NetworkOptions) => SuiteNetwork;
type Checks = [string, () => void][];

const orderChecks = (build: Build): Checks => [
  [
    'one voter orders alone, once its disk has the entry',
    () => {
      const network = build(1);
      network.propose('first');
      const one = network.node(1);
      one.persists = false;
      const { committed } = one;
      assert.ok(one.machine.propose(Buffer.from('second')).ok);
      network.settle();
      assert.equal(one.committed, committed);
      one.persist();
      network.settle();
      assert.equal(one.committed, committed + 1);
    },
  ],
  [
    'of three and of five, one leads, and all come to hold the same in the same order',
    () => {
      for (const voters of [3, 5]) {
        const network = build(voters);
        const texts = Array.from({ length: 20 }, (_, at) => `entry ${at}`);
        for (const text of texts) network.propose(text);
        network.until(() => network.agreed, 'everyone knows the commit');
        const ordered = network.history.map(({ payload }) => Buffer.from(payload).toString());
        assert.deepEqual(ordered.slice(-texts.length), texts);
        const leaders = [...network.nodes.values()].filter(({ role }) => role === 'leader');
        assert.equal(leaders.length, 1);
        for (const node of network.nodes.values()) {
          assert.equal(node.machine.status.leader, leaders[0]?.id);
        }
        network.until(
          () => leaders[0]?.committedByAll === network.history.length,
          'the leader hears that all know',
        );
      }
    },
  ],
  [
    'who does not lead takes no proposal, and says so before it is asked to',
    () => {
      const network = build(3);
      const leader = network.leader();
      for (const node of network.nodes.values()) {
        if (node === leader) continue;
        assert.equal(node.machine.proposalRefusal(), 'NOT_LEADER');
        const proposed = node.machine.propose(Buffer.from('no'));
        assert.deepEqual(proposed, { ok: false, code: 'NOT_LEADER' });
      }
      assert.equal(leader.machine.proposalRefusal(), undefined);
    },
  ],
  [
    'an entry is committed when so many disks have it as its configuration asks, not before',
    () => {
      const network = build(5);
      const leader = network.leader();
      network.until(() => network.agreed, 'a quiet beginning');
      for (const node of network.nodes.values()) node.persists = false;
      const { committed } = leader;
      assert.ok(leader.machine.propose(Buffer.from('waits for disks')).ok);
      network.run(3);
      assert.equal(leader.committed, committed, 'in every memory, on no disk');
      // The network itself counts the disks behind every commit; one after the other gets it.
      for (const node of network.nodes.values()) {
        node.persist();
        network.run(1);
      }
      assert.equal(leader.committed, committed + 1);
    },
  ],
  [
    'proposals of many turns stay in order when messages are lost',
    () => {
      const network = build(5, { seed: 7 });
      network.leader();
      network.delivers = () => network.random() > 0.3;
      for (let at = 0; at < 40; at += 1) {
        for (const node of network.nodes.values()) {
          if (node.machine.proposalRefusal() === undefined) {
            node.machine.propose(Buffer.from(`${at}`));
          }
        }
        network.run(2);
      }
      network.heal();
      network.leader();
      network.until(() => network.agreed, 'agreement once nothing is lost');
      assert.ok(network.history.length > 20);
    },
  ],
  [
    'nothing a stranger sends makes it throw or changes what it holds',
    () => {
      const network = build(3);
      network.propose('something');
      const stranger = nodeOf(99);
      const before = [...network.nodes.values()].map(({ committed }) => committed);
      const said = [...network.nodes.values()].flatMap((node) => {
        node.machine.tick();
        return network.work(node).map(({ message }) => message);
      });
      for (const node of network.nodes.values()) {
        for (const message of said) node.machine.step(stranger, message);
        node.machine.step(node.id, said[0] as (typeof said)[number]);
      }
      network.run(5);
      const after = [...network.nodes.values()].map(({ committed }) => committed);
      assert.deepEqual(after, before);
    },
  ],
];

const failureChecks = (build: Build): Checks => [
  [
    'when the leader is gone another one leads, with everything that was committed',
    () => {
      const network = build(5);
      for (let at = 0; at < 5; at += 1) network.propose(`before ${at}`);
      const first = network.leader();
      const { length } = network.history;
      network.crash(first);
      const second = network.leader();
      assert.notEqual(second.id, first.id);
      for (let height = 1; height <= length; height += 1) {
        assert.equal(second.entryAt(height)?.view, network.history[height - 1]?.view);
      }
      network.propose('after');
      network.until(() => network.agreed, 'the rest goes on');
    },
  ],
  [
    'a leader that is cut off alone commits nothing, steps down, and takes back what it ordered',
    () => {
      const network = build(5);
      const cut = network.leader();
      network.until(() => network.agreed, 'a quiet beginning');
      network.isolate(cut.id);
      const { committed, lastHeight } = cut;
      assert.ok(cut.machine.propose(Buffer.from('heard by nobody')).ok);
      network.run(40);
      assert.equal(cut.committed, committed);
      assert.notEqual(cut.role, 'leader');
      const rest = [...network.nodes.keys()].filter((id) => id !== cut.id);
      const next = network.leader(rest);
      assert.ok(next.machine.propose(Buffer.from('in its place')).ok);
      network.settle();
      network.heal();
      network.until(() => network.agreed, 'agreement after the cut');
      assert.notEqual(
        Buffer.from(cut.entryAt(lastHeight + 1)?.payload ?? []).toString(),
        'heard by nobody',
      );
    },
  ],
  [
    'one that was cut off disturbs nobody when it is back',
    () => {
      const network = build(5);
      const leader = network.leader();
      const away = [...network.nodes.values()].find((node) => node !== leader);
      assert.ok(away);
      network.isolate(away.id);
      network.run(300);
      const { view } = leader.machine.status;
      network.heal();
      network.run(60);
      assert.equal(leader.role, 'leader');
      assert.equal(leader.machine.status.view, view);
      assert.equal(away.machine.status.leader, leader.id);
    },
  ],
  [
    'all stop and start again from their disks, and go on where they were',
    () => {
      const network = build(3);
      for (let at = 0; at < 5; at += 1) network.propose(`before ${at}`);
      network.until(() => network.agreed, 'a quiet end');
      const { length } = network.history;
      const stopped = [...network.nodes.values()];
      network.nodes.clear();
      const configuration = network.configuration(network.voters);
      for (const node of stopped) {
        network.start(node.id, { initial: node.remains(configuration), log: node.log });
      }
      network.propose('after');
      network.until(() => network.agreed, 'agreement after the pause');
      assert.ok(network.history.length > length);
    },
  ],
  [
    'entries that left the memory are asked of the driver, and reach who was away',
    () => {
      const network = build(5, { change: { maxMemoryBytes: 1 } });
      const leader = network.leader();
      const away = [...network.nodes.values()].find((node) => node !== leader);
      assert.ok(away);
      network.isolate(away.id);
      for (let at = 0; at < 60; at += 1) {
        network.propose(`entry ${at}`);
        network.run(1);
      }
      network.heal();
      network.until(() => network.agreed, 'it catches up');
      const fetches = [...network.nodes.values()].reduce((sum, node) => sum + node.fetches, 0);
      assert.ok(fetches > 0);
      assert.equal(away.restored, 0);
    },
  ],
];

const membershipChecks = (build: Build): Checks => [
  [
    'a learner is fed and counts in no quorum',
    () => {
      const network = build(3);
      network.propose('before');
      const leader = network.leader();
      const learner = network.start(nodeOf(4));
      leader.machine.addLearner(learner.id);
      network.until(() => network.agreed, 'the learner catches up');
      network.isolate(learner.id);
      network.propose('without it');
      assert.equal(network.history.length, leader.committed);
      network.run(100);
      assert.equal(leader.role, 'leader');
      assert.equal(learner.role, 'learner');
    },
  ],
  ...(
    [
      [1, [1, 2, 3]],
      [3, [1, 2, 3, 4, 5]],
      [5, [1]],
      [3, [4, 5, 6]],
      [3, [2, 3, 4]],
    ] as const
  ).map(([from, to]): Checks[number] => [
    `voters change from ${from} to ${to.join(', ')} in one step, and those left out go`,
    () => changeVoters(build, from, to),
  ]),
  [
    'a second change waits for the first, and what is no configuration is refused',
    () => {
      const network = build(3);
      const leader = network.leader();
      const refused = (voters: ReturnType<typeof nodesTo>, code: string): void => {
        const configuration = { voters };
        assert.equal(leader.machine.proposalRefusal(configuration), code);
        const proposed = leader.machine.propose(Buffer.from('no'), configuration);
        assert.deepEqual(proposed, { ok: false, code });
      };
      refused([], 'INVALID_CONFIGURATION');
      refused([nodeOf(1), nodeOf(1)], 'INVALID_CONFIGURATION');
      const next = network.configuration(nodesTo(5));
      assert.ok(leader.machine.propose(Buffer.from('to five'), next).ok);
      refused(nodesTo(4), 'CONFIGURATION_PENDING');
    },
  ],
  [
    'leadership moves on request, at once',
    () => {
      const network = build(3);
      const leader = network.leader();
      network.until(() => network.agreed, 'a quiet beginning');
      const to = [...network.nodes.values()].find((node) => node !== leader);
      assert.ok(to);
      assert.ok(leader.machine.transferLeadership(to.id));
      assert.equal(leader.machine.proposalRefusal(), 'TRANSFERRING');
      network.run(3);
      assert.equal(to.role, 'leader');
      assert.notEqual(leader.role, 'leader');
      network.propose('under the new one');
      network.until(() => network.agreed, 'agreement');
    },
  ],
];

function changeVoters(build: Build, from: number, to: readonly number[]): void {
  const network = build(from);
  network.propose('before');
  const voters = to.map(nodeOf);
  const leader = network.leader();
  for (const id of voters) {
    if (network.nodes.has(id)) continue;
    network.start(id);
    leader.machine.addLearner(id);
  }
  network.until(() => network.agreed, 'newcomers catch up');
  const proposed = leader.machine.propose(Buffer.from('change'), network.configuration(voters));
  assert.ok(proposed.ok);
  const leaving = [...network.nodes.values()].filter(({ id }) => !voters.includes(id));
  network.until(() => leaving.every((node) => node.machine.status.retired), 'they are told to go');
  for (const node of leaving) network.crash(node);
  network.until(() => network.voters.join() === voters.join(), 'the change is committed');
  const next = network.leader();
  assert.ok(voters.includes(next.id));
  network.propose('after');
  network.until(() => network.agreed, 'the new set goes on alone');
}

const readChecks = (build: Build): Checks => [
  [
    'a read sees everything committed anywhere when it was asked',
    () => {
      const network = build(5);
      for (let at = 0; at < 10; at += 1) {
        network.propose(`entry ${at}`);
        const least = network.history.length;
        const leader = network.leader();
        leader.machine.readIndex(`read ${at}`);
        network.run(3);
        const height = leader.reads.get(`read ${at}`);
        assert.ok(height !== undefined && height >= least, `read at ${height}, committed ${least}`);
      }
    },
  ],
  [
    'a leader that is cut off answers no read, and fails it in the end',
    () => {
      const network = build(5);
      const cut = network.leader();
      network.isolate(cut.id);
      cut.machine.readIndex('stale');
      network.run(60);
      assert.ok(!cut.reads.has('stale'));
      assert.ok(cut.failedReads.has('stale'));
    },
  ],
  [
    'who does not lead fails a read at once',
    () => {
      const network = build(3);
      const leader = network.leader();
      for (const node of network.nodes.values()) {
        if (node === leader) continue;
        node.machine.readIndex('elsewhere');
        network.settle();
        assert.ok(node.failedReads.has('elsewhere'));
      }
    },
  ],
];

const snapshotChecks = (build: Build): Checks => [
  [
    'who lacks what nobody has any more gets the snapshot, and what follows it',
    () => {
      const network = build(3, { change: { maxMemoryBytes: 1 } });
      for (let at = 0; at < 20; at += 1) network.propose(`entry ${at}`);
      network.until(() => network.agreed, 'a quiet beginning');
      for (const node of network.nodes.values()) {
        const { height } = node.snapshot(9, network.configuration(network.voters));
        node.prune(height);
      }
      network.propose('after the snapshot');
      const newcomer = network.start(nodeOf(4));
      network.leader().machine.addLearner(newcomer.id);
      network.until(() => network.agreed, 'the newcomer is current');
      assert.equal(newcomer.restored, 1);
    },
  ],
  [
    'a snapshot goes on where it stopped when the leader changes on the way',
    () => {
      const network = build(5, { change: { maxMemoryBytes: 1 } });
      for (let at = 0; at < 20; at += 1) network.propose(`entry ${at}`);
      network.until(() => network.agreed, 'a quiet beginning');
      for (const node of network.nodes.values()) {
        node.prune(node.snapshot(40, network.configuration(network.voters)).height);
      }
      const newcomer = network.start(nodeOf(6));
      const sent: number[] = [];
      network.delivers = (_, to, message) => {
        if (message.type !== 'install') return true;
        if (to !== newcomer.id || sent.length >= 15) return false;
        sent.push(message.index);
        return true;
      };
      const first = network.leader();
      first.machine.addLearner(newcomer.id);
      network.run(6);
      const got = newcomer.machine.status.receiving?.stored ?? 0;
      assert.ok(got > 5 && got < 40, `${got} chunks before the leader goes`);
      network.crash(first);
      const rest: number[] = [];
      network.delivers = (_, to, message) => {
        if (message.type === 'install' && to === newcomer.id) rest.push(message.index);
        return true;
      };
      network
        .leader([...network.nodes.keys()].filter((id) => id !== newcomer.id))
        .machine.addLearner(newcomer.id);
      network.until(() => network.agreed, 'the newcomer is current');
      assert.equal(newcomer.restored, 1);
      const repeated = rest.filter((index) => index > 0 && index < got);
      assert.deepEqual(repeated, [], 'chunks that were stored are not sent again');
    },
  ],
  [
    'a snapshot that cannot be sent any more is not, and who has a part of it is told to forget it',
    () => {
      const network = build(3, { change: { maxMemoryBytes: 1 } });
      for (let at = 0; at < 20; at += 1) network.propose(`entry ${at}`);
      network.until(() => network.agreed, 'a quiet beginning');
      const take = () => {
        const taken = network.configuration(network.voters);
        return [...network.nodes.values()].slice(0, 3).map((node) => node.snapshot(40, taken));
      };
      const [older] = take();
      for (const node of network.nodes.values()) node.prune(older?.height ?? 0);
      const newcomer = network.start(nodeOf(4));
      let sent = 0;
      network.delivers = (_, to, { type }) =>
        to !== newcomer.id || type !== 'install' || ++sent < 9;
      const leader = network.leader();
      leader.machine.addLearner(newcomer.id);
      network.run(4);
      assert.deepEqual(newcomer.receiving, [older?.digest], 'a part of it');
      for (const node of network.nodes.values()) node.withdraw(older?.digest ?? '');
      assert.equal(leader.machine.status.offered, undefined);
      network.delivers = (_, __, message) => {
        assert.ok(message.type !== 'install' || message.position.digest !== older?.digest);
        return true;
      };
      network.run(6);
      network.propose('one more');
      const [newer] = take();
      network.until(() => network.agreed, 'the newcomer is current');
      assert.equal(newcomer.restored, 1);
      assert.ok((newer?.height ?? 0) > (older?.height ?? 0));
      assert.deepEqual(newcomer.receiving, [], 'nothing of the other is left');
    },
  ],
];
