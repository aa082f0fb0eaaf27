import assert from 'node:assert/strict';
import test from 'node:test';
import { brokenBuild, type Mutant } from './broken-build.ts';
import { extensionMistakes } from './extension-mistakes.ts';
import { extensionMutants } from './extension-mutants.ts';
import { mistakes } from './mistakes.ts';
import { withBuild } from './network.ts';

const mutants: readonly Mutant[] = [
  {
    mistake: 'an election counts its quorum over the union of the configurations',
    file: 'configurations.ts',
    passage: `    for (const { configuration, sizes } of this.#active) {
      if (!hasQuorum(configuration.voters, sizes[kind], agrees)) return false;
    }
    return true;`,
    instead: `    const union = [...this.#voters];
    return hasQuorum(union, Math.floor(union.length / 2) + 1, agrees);`,
    foundBy: ['an election needs a quorum in each active configuration, not over their union'],
  },
  {
    mistake: 'a commit counts the newest configuration alone',
    file: 'configurations.ts',
    passage: `    for (const { configuration, sizes } of this.#active) {
      least =`,
    instead: `    for (const { configuration, sizes } of this.#active.slice(-1)) {
      least =`,
    foundBy: ['a commit during a reconfiguration needs a quorum in the old and in the new set'],
  },
  {
    mistake: 'an entry of an earlier view is committed by counting',
    file: 'leader.ts',
    passage: 'if (height <= state.committed || log.viewAt(height) !== state.view) break;',
    instead: 'if (height <= state.committed) break;',
    foundBy: ['an entry of an earlier view is not committed by counting replicas'],
  },
  {
    mistake: 'a NACK counts as an acknowledgement',
    file: 'replication.ts',
    passage: 'if (response.rejected) backOff(state, progress, response);\n  else {',
    instead:
      'if (response.rejected) backOff(state, progress, response);\n  if (response.match > 0) {',
    foundBy: ['a NACK advances no commit and takes back no acknowledgement'],
  },
  {
    mistake: 'an early append cuts off what a later one brought',
    file: 'follower.ts',
    passage: '  if (reconfigured) configurationChanged(state);\n',
    instead: `  if (reconfigured) configurationChanged(state);
  const end = (append.previous.height + append.entries.length) as Height;
  if (end < log.lastHeight && end >= state.committed) {
    log.truncate(end);
    outbox.truncate(end);
  }
`,
    foundBy: ['an early append does not truncate what a later one brought'],
  },
  {
    mistake: 'a follower acknowledges all it has, not what the append proved',
    file: 'follower.ts',
    passage: '  if (tail > state.received) state.received = tail;',
    instead: '  state.received = log.lastHeight;',
    foundBy: ['a follower acknowledges no more than the tail of the append it got'],
  },
  {
    mistake: 'a follower takes the leader’s commit height for its whole log',
    file: 'follower.ts',
    passage: 'const committed = Math.min(append.committed, tail) as Height;',
    instead: 'const committed = Math.min(append.committed, log.lastHeight) as Height;',
    foundBy: ['a follower commits no more than the tail of the append it got'],
  },
  {
    mistake: 'stepping down within a view clears the vote',
    file: 'state.ts',
    passage:
      '  if (view > state.view) enterView(state, view, undefined);\n  state.leader = leader;',
    instead: `  if (view > state.view) enterView(state, view, undefined);
  else state.votedFor = undefined;
  state.leader = leader;`,
    foundBy: ['stepping down within a view does not forget the vote given in it'],
  },
  {
    mistake: 'a removed node goes as soon as its removal is in the log',
    file: 'follower.ts',
    passage: '  retireIfTold(state, append);\n  // New entries are acknowledged',
    instead: `  if (reconfigured && !configurations.newest.configuration.voters.includes(state.self)) {
    state.retired = true;
    outbox.changed();
  }
  // New entries are acknowledged`,
    foundBy: [
      'a removed node keeps voting and counting until its removal is committed',
      'a removed node is not told that it may go before a quorum of its successors knows',
    ],
  },
  {
    mistake: 'a removed node is told to go as soon as its removal is committed',
    file: 'state.ts',
    passage: '  if (state.committed < height) return false;',
    instead: '  return state.committed >= height;',
    foundBy: ['a removed node is not told that it may go before a quorum of its successors knows'],
  },
  {
    mistake: 'check-quorum looks at the old configuration alone',
    file: 'leader.ts',
    passage: `    !configurations.haveQuorum(
      'replication',
      (voter) => voter === self || progress.get(voter)?.active === true,
    )`,
    instead: `    configurations.oldest.configuration.voters.filter(
      (voter) => voter === self || progress.get(voter)?.active === true,
    ).length * 2 <= configurations.oldest.configuration.voters.length`,
    foundBy: ['check-quorum holds in every active configuration, not only in one'],
  },
  {
    mistake: 'check-quorum looks at the new configuration alone',
    file: 'leader.ts',
    passage: `    !configurations.haveQuorum(
      'replication',
      (voter) => voter === self || progress.get(voter)?.active === true,
    )`,
    instead: `    configurations.newest.configuration.voters.filter(
      (voter) => voter === self || progress.get(voter)?.active === true,
    ).length * 2 <= configurations.newest.configuration.voters.length`,
    foundBy: ['check-quorum in the new set alone does not keep a leader that lost the old set'],
  },
  {
    mistake: 'a follower acknowledges before its disk has it',
    file: 'follower.ts',
    passage: 'match: Math.min(state.received, state.log.persistedHeight) as Height,',
    instead: 'match: state.received,',
    foundBy: ['a follower acknowledges only what is durable, and says so once it is'],
  },
  {
    mistake: 'a log that is longer, but of an earlier view, gets the vote',
    file: 'election.ts',
    passage:
      'return last.view > lastView || (last.view === lastView && last.height >= lastHeight);',
    instead: 'return last.height >= lastHeight || last.view > lastView;',
    foundBy: ['a vote goes to no candidate whose log may lack what is committed'],
  },
  {
    mistake: 'a committed entry is rewritten when a leader says so',
    file: 'follower.ts',
    passage: 'if (entry.height <= Math.max(state.committed, state.received)) {',
    instead: 'if (entry.height < 0) {',
    foundBy: [
      'only an entry of another view at the same height truncates, and never a committed one',
    ],
  },
  {
    mistake: 'a node that hears nobody enters new views without asking first',
    file: 'election.ts',
    passage: '  if (state.isVoter()) {\n    startPreVote(state);',
    instead: '  if (state.isVoter()) {\n    campaign(state);',
    foundBy: [
      'a node that is cut off does not enter new views, and disturbs nobody when it is back',
    ],
  },
  {
    mistake: 'a second leader of a view is believed',
    file: 'follower.ts',
    passage: 'if (other !== undefined && other !== from) {',
    instead: 'if (other === state.self && other !== from) {',
    foundBy: ['a second leader in a view is refused by name'],
  },
  {
    mistake: 'a configuration outlives the truncation of its entry',
    file: 'follower.ts',
    passage: 'reconfigured = configurations.truncate(after) || reconfigured;',
    instead: '',
    foundBy: ['a configuration whose entry is truncated counts no longer'],
  },
  {
    mistake: 'a late word that an entry is durable is taken for its successor at that height',
    file: 'log.ts',
    passage:
      'const durable = this.viewAt(height) === view ? height : this.#beforeCut(height, view);',
    instead: 'const durable = height;',
    foundBy: ['a late word that an entry is durable is not taken for the entry that replaced it'],
  },
  {
    mistake: 'a round of reads outlives the view it was asked in',
    file: 'state.ts',
    passage: '  state.leaderRound = 0;\n}',
    instead: '}',
    foundBy: ['a round of reads of an earlier view confirms nothing in the next'],
  },
];

const checks = new Map([...mistakes, ...extensionMistakes]);

for (const { mistake, foundBy, ...mutation } of [...mutants, ...extensionMutants]) {
  test(`found when made: ${mistake}`, async () => {
    const { createRaft } = await brokenBuild(mutation);
    for (const sentence of foundBy) {
      const check = checks.get(sentence);
      assert.ok(check, `no check says: ${sentence}`);
      // By a failed expectation: a build that merely crashes would prove nothing.
      assert.throws(() => withBuild(createRaft, check), { name: 'AssertionError' }, sentence);
    }
  });
}

test('a build without a mistake passes every check', async () => {
  const passage = '  state.now += 1;';
  const { createRaft } = await brokenBuild({ file: 'raft.ts', passage, instead: passage });
  for (const check of checks.values()) withBuild(createRaft, check);
});
