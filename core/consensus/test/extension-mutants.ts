import type { Mutant } from './broken-build.ts';

const quorumOfAll =
  'least = Math.min(least, quorumValue(configuration.voters, sizes.replication, reached));';
const votesOfAll = 'if (!hasQuorum(configuration.voters, sizes[kind], agrees)) return false;';
const checkQuorum = `    !configurations.haveQuorum(
      'replication',`;

/** Mistakes about snapshots by chunks, broadcast trees and quorum sizes. */
export const extensionMutants: readonly Mutant[] = [
  {
    mistake: 'a chunk is taken whenever it comes',
    file: 'snapshot-receive.ts',
    passage: '    index === reception.received &&\n',
    instead: '',
    foundBy: ['a chunk of a snapshot is taken in its turn only'],
  },
  {
    mistake: 'a snapshot is known by its height',
    file: 'snapshot-receive.ts',
    passage: 'if (samePosition(current.position, position)) {',
    instead: 'if (current.position.height === position.height) {',
    foundBy: ['a chunk of another snapshot is not taken for one of the snapshot that is received'],
  },
  {
    mistake: 'a snapshot of what is long committed is received',
    file: 'snapshot-receive.ts',
    passage: '  const refused = outdated(state, position) ?? admit(state, install);',
    instead: `  if (position.height < state.committed) {
    state.reception ??= { position, view, received: 0, stored: 0, restoring: false };
    take(state, from, install);
    return undefined;
  }
  const refused = admit(state, install);`,
    foundBy: ['a snapshot of less than is committed is not received'],
  },
  {
    mistake: 'a complete snapshot is restored whatever the log has meanwhile',
    file: 'snapshot-receive.ts',
    passage: '  learnCommit(state, reception.position);\n',
    instead: '',
    foundBy: ['a snapshot that comes late takes back nothing that was acknowledged'],
  },
  {
    mistake: 'a chunk counts as stored as soon as it came',
    file: 'snapshot-receive.ts',
    passage: 'next: have ?? reception?.stored ?? 0,',
    instead: 'next: have ?? reception?.received ?? 0,',
    foundBy: ['a chunk counts as stored when the driver has stored it, not when it came'],
  },
  {
    mistake: 'a snapshot is dropped in silence',
    file: 'state.ts',
    passage: '  state.outbox.receptionDropped();\n',
    instead: '',
    foundBy: ['the driver hears of a snapshot that is wanted no longer'],
  },
  {
    mistake: 'a relay acknowledges for those behind it',
    file: 'replication.ts',
    passage: '    progress.acknowledged(response.match, response.received);\n',
    instead: `    progress.acknowledged(response.match, response.received);
    for (const other of state.progress.values()) {
      if (other.via === from) other.acknowledged(response.match, response.received);
    }
`,
    foundBy: ['who passes an append on acknowledges it for itself alone'],
  },
  {
    mistake: 'a child takes the relay for its leader',
    file: 'relay.ts',
    passage: 'handleAppend(state, leader, append)',
    instead: 'handleAppend(state, from, append)',
    foundBy: ['who gets an append by way of a peer follows its leader, not that peer'],
  },
  {
    mistake: 'a child follows a relay that is not in its view',
    file: 'relay.ts',
    passage: 'handleAppend(state, leader, append)',
    instead: 'handleAppend(state, leader, { ...append, view: state.view })',
    foundBy: ['who has entered a later view does not follow what is passed on of the one before'],
  },
  {
    mistake: 'a relay passes on what it refuses',
    file: 'relay.ts',
    passage: '  if (refusal) return refusal;\n  for (',
    instead: '  for (',
    foundBy: ['what a node refuses it does not pass on'],
  },
  {
    mistake: 'a relay may come from anyone',
    file: 'relay.ts',
    passage: 'if (!known && from !== state.leader) {',
    instead: 'if (from === state.self) {',
    foundBy: ['what a stranger passes on is refused'],
  },
  {
    mistake: 'a commit takes an election quorum',
    file: 'configurations.ts',
    passage: quorumOfAll,
    instead: quorumOfAll.replace('sizes.replication', 'sizes.election'),
    foundBy: ['a commit takes a replication quorum, whatever an election takes'],
  },
  {
    mistake: 'an election takes a replication quorum',
    file: 'configurations.ts',
    passage: votesOfAll,
    instead: votesOfAll.replace('sizes[kind]', 'sizes.replication'),
    foundBy: ['an election takes an election quorum, whatever a commit takes'],
  },
  {
    mistake: 'a commit counts by the sizes of the new configuration in both',
    file: 'configurations.ts',
    passage: quorumOfAll,
    instead: quorumOfAll.replace('sizes.', 'this.#active.at(-1).sizes.'),
    foundBy: ['the sizes of the old and of the new configuration are both asked for'],
  },
  {
    mistake: 'a commit counts by the sizes of the old configuration in both',
    file: 'configurations.ts',
    passage: quorumOfAll,
    instead: quorumOfAll.replace('sizes.', 'this.#active.at(0).sizes.'),
    foundBy: ['the sizes of the old and of the new configuration are both asked for'],
  },
  {
    mistake: 'votes are counted by the sizes of the new configuration in both',
    file: 'configurations.ts',
    passage: votesOfAll,
    instead: votesOfAll.replace('sizes[', 'this.#active.at(-1).sizes['),
    foundBy: ['an election during a change of sizes takes the votes that each of them asks for'],
  },
  {
    mistake: 'votes are counted by the sizes of the old configuration in both',
    file: 'configurations.ts',
    passage: votesOfAll,
    instead: votesOfAll.replace('sizes[', 'this.#active.at(0).sizes['),
    foundBy: ['an election during a change of sizes takes the votes that each of them asks for'],
  },
  {
    mistake: 'check-quorum asks for an election quorum',
    file: 'leader.ts',
    passage: checkQuorum,
    instead: checkQuorum.replace('replication', 'election'),
    foundBy: ['a leader stays while it can commit, not while it could be elected'],
  },
  {
    mistake: 'sizes are taken as they are given',
    file: 'quorum.ts',
    passage: 'return quorums && quorumSizesFault(quorums, length);',
    instead: 'return undefined;',
    foundBy: ['quorums that might not meet are neither proposed nor taken from a leader'],
  },
];
