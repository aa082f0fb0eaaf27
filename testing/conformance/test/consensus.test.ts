import assert from 'node:assert/strict';
import test from 'node:test';
import { type Consensus, createRaft, treeDistribution } from '@concordat/consensus';
import type { ConsensusImplementation } from '../consensus-network.ts';
import { consensusChecks, consensusSuite } from '../consensus-suite.ts';

const raft: ConsensusImplementation = {
  name: 'Raft',
  create: createRaft,
  configuration: (voters) => ({ voters }),
};

/** Few disks make a commit, many votes make a leader; entries go down a tree. */
const flexible: ConsensusImplementation = {
  name: 'Raft with flexible quorums and a broadcast tree',
  create: (options) => createRaft({ ...options, distribution: treeDistribution(2) }),
  configuration: (voters) => {
    const replication = Math.max(1, Math.ceil(voters.length / 3));
    return { voters, quorums: { replication, election: voters.length - replication + 1 } };
  },
};

consensusSuite(raft);
consensusSuite(flexible);

/** Raft with some methods that do something else. */
function broken(instead: (sound: Consensus) => Partial<Consensus>): ConsensusImplementation {
  const create: ConsensusImplementation['create'] = (options) => {
    const sound = createRaft(options);
    const replaced = instead(sound);
    return new Proxy(sound, {
      get: (target, key) => {
        const value = Reflect.get(key in replaced ? replaced : target, key, target);
        return typeof value === 'function' ? value.bind(target) : value;
      },
    });
  };
  return { ...raft, create };
}

const nothing = (): void => undefined;

const liars: readonly [string, string, ConsensusImplementation][] = [
  [
    'takes entries for durable that are not',
    'an entry is committed when so many disks have it as its configuration asks, not before',
    broken((sound) => ({
      takeEffects: () => {
        const effects = sound.takeEffects();
        const last = effects?.append.at(-1);
        if (last) sound.persisted(last.height, last.view);
        return effects;
      },
    })),
  ],
  [
    'answers reads without asking anyone',
    'a leader that is cut off answers no read, and fails it in the end',
    broken((sound) => {
      const asked: string[] = [];
      return {
        readIndex: (requestId: string) => asked.push(requestId) > 0,
        takeEffects: () => {
          const effects = sound.takeEffects();
          if (!effects || asked.length === 0) return effects;
          const height = sound.status.committed;
          const reads = asked.splice(0).map((requestId) => ({ requestId, height }));
          return { ...effects, reads };
        },
      };
    }),
  ],
  [
    'hands leadership to nobody',
    'leadership moves on request, at once',
    broken(() => ({ transferLeadership: () => true })),
  ],
  [
    'forgets learners',
    'a learner is fed and counts in no quorum',
    broken(() => ({ addLearner: nothing })),
  ],
  [
    'sends no snapshots',
    'who lacks what nobody has any more gets the snapshot, and what follows it',
    broken(() => ({ offerSnapshot: nothing })),
  ],
  [
    'goes on offering what it was told to withdraw',
    'a snapshot that cannot be sent any more is not, and who has a part of it is told to forget it',
    broken(() => ({ withdrawSnapshot: nothing })),
  ],
  [
    'does not say that a snapshot is wanted no longer',
    'a snapshot that cannot be sent any more is not, and who has a part of it is told to forget it',
    broken((sound) => ({
      takeEffects: () => {
        const effects = sound.takeEffects();
        return effects && { ...effects, receptionDropped: false };
      },
    })),
  ],
  [
    'gives nothing from its disk',
    'entries that left the memory are asked of the driver, and reach who was away',
    broken(() => ({ provide: nothing })),
  ],
  [
    'takes proposals wherever it is asked',
    'who does not lead takes no proposal, and says so before it is asked to',
    broken(() => ({ proposalRefusal: () => undefined })),
  ],
];

for (const [what, sentence, liar] of liars) {
  test(`the contract of consensus finds one that ${what}`, () => {
    const check = consensusChecks(liar).get(sentence);
    assert.ok(check, sentence);
    assert.throws(check);
  });
}
