/** Scenarios of our own, and what the reader of scenarios does with bad ones. */
import assert from 'node:assert/strict';
import { globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import test from 'node:test';
import {
  DatadrivenError,
  type DatadrivenErrorCode,
  parseScenario,
  replayScenarios,
  runScenario,
} from '../index.ts';

const directory = join(import.meta.dirname, 'scenarios');

for (const name of globSync('*.scenario', { cwd: directory }).sort()) {
  const text = readFileSync(join(directory, name), 'utf8');
  test(`${name}: ${text.split('.')[0]?.replaceAll('\n#', '').slice(2)}`, () => {
    assert.ok(runScenario(name, text) > 0);
  });
}

const begun =
  'start_node,0\nemit_signature,2\ntrust_nodes,2,1,2\nemit_signature,2\nloop_until_sync\n';

/** The error a scenario ends with. */
function errorOf(text: string): DatadrivenError {
  try {
    runScenario('s', text);
  } catch (error) {
    assert.ok(error instanceof DatadrivenError, String(error));
    return error;
  }
  throw new assert.AssertionError({ message: 'no error' });
}

/** A line after a network of three has begun fails like this. */
function refused(line: string, code: DatadrivenErrorCode, words: RegExp): void {
  const error = errorOf(`${begun}${line}\n`);
  assert.equal(error.code, code, error.message);
  assert.match(error.message, words);
  assert.ok(error.message.startsWith('s:6: '), `it names file and line: ${error.message}`);
}

test('comments and blank lines mean nothing, and ==== ends a scenario early', () => {
  const text = '# all of it\n\nverb,a,b b # more\n  \n====\nverb,c\n';
  assert.deepEqual(parseScenario(text), [
    { line: 3, verb: 'verb', items: ['a', 'b b'] },
    { line: 7, verb: 'end', items: [] },
  ]);
  assert.throws(() => parseScenario('#'.repeat((1 << 20) + 1)), { code: 'MALFORMED' });
});

test('unknown verbs and bad arguments are errors with file and line', () => {
  refused('fly,0', 'UNKNOWN_COMMAND', /no verb fly/);
  refused('periodic_one,0', 'BAD_ARGUMENT', /does not take 1 words/);
  refused('dispatch_all,0', 'BAD_ARGUMENT', /does not take 1 words/);
  refused('periodic_one,0,ten', 'BAD_ARGUMENT', /milliseconds is 1 to 60000, not ten/);
  refused('periodic_one,0,0', 'BAD_ARGUMENT', /milliseconds/);
  refused('periodic_one,7,10', 'BAD_ARGUMENT', /no node 7/);
  refused('trust_node,2,1', 'BAD_ARGUMENT', /another node 1/);
  refused('start_node,3', 'BAD_ARGUMENT', /there is a start node/);
  refused('swap_nodes,2,3,4', 'BAD_ARGUMENT', /in or out is expected, not 3/);
  refused('swap_nodes,2,out,9', 'BAD_ARGUMENT', /no node 9/);
  refused('cleanup_nodes,2,9', 'BAD_ARGUMENT', /no node 9/);
  refused('pre_vote_enabled,maybe', 'BAD_ARGUMENT', /true or false/);
  refused('assert_detail,0,mood,good', 'BAD_ARGUMENT', /no detail mood/);
  refused(`create_new_node,${'x'.repeat(32)}`, 'BAD_ARGUMENT', /another node/);
  refused('create_new_node,', 'BAD_ARGUMENT', /another node/);
});

test('an assertion that does not hold fails with what is there instead', () => {
  refused('replicate,9,x', 'FAILED', /nobody leads view 9/);
  refused('assert_commit_idx,0,6', 'FAILED', /the commit index of 0 is 5, not 6/);
  refused('assert_last_txid,0,2.4', 'FAILED', /the last transaction of 0 is 2.5, not 2.4/);
  refused('assert_detail,0,leadership_state,Follower', 'FAILED', /is Leader, not Follower/);
  refused('assert_detail,0,retirement_phase,Signed', 'FAILED', /is none, not Signed/);
  refused('assert_!detail,0,current_view,2', 'FAILED', /current_view of 0 is 2/);
  refused('assert_config,0,3,0,1', 'FAILED', /the configuration 3 of 0 is 0 1 2, not 0 1/);
  refused('assert_config,0,1,0', 'FAILED', /the configuration 1 of 0 is none, not 0/);
  refused('assert_absent_config,0,3', 'FAILED', /0 has a configuration 3: 0 1 2/);
  refused('assert_is_retired,1', 'FAILED', /1: Follower in 2 at 2.5/);
  const behind = errorOf(`${begun}emit_signature,2\nperiodic_one,0,10\nassert_state_sync\n`);
  assert.match(behind.message, /s:8: not in sync: the last index of 1 is 5, of 0 6/);
});

test('without any leader the latest is nobody, and what is meant for it is passed over', () => {
  const leaderless = `${begun}disconnect_node,0\nperiodic_one,0,100\nreplicate,latest,x\n`;
  assert.ok(runScenario('s', `${leaderless}assert_last_txid,0,2.5\n`) > 0);
});

test('a network that cannot agree at its end fails at its last line', () => {
  // Nobody feeds a node that is in no configuration.
  const error = errorOf(`${begun}create_new_node,9\n`);
  assert.equal(error.code, 'FAILED');
  assert.match(error.message, /^s:7: not in sync: .*the last index of 9 is 0, of 0 6/);
});

test('the command prints a line for each file and answers what it found', () => {
  const run = (...words: string[]) => {
    const lines: string[] = [];
    const code = replayScenarios(words, (line) => lines.push(line));
    return { code, lines };
  };
  const good = join(directory, 'joining.scenario');
  const passed = run(good);
  assert.equal(passed.code, 0);
  assert.match(passed.lines[0] as string, /^pass {2}.*joining\.scenario \(\d+ lines\)$/);
  assert.equal(passed.lines[1], '1 of 1 scenarios pass');
  const failed = run(good, join(directory, 'absent'));
  assert.equal(failed.code, 1);
  assert.match(failed.lines[1] as string, /^FAIL .*absent/);
  assert.equal(failed.lines[2], '1 of 2 scenarios pass');
  assert.equal(run().code, 2);
  assert.equal(run('--fast', good).code, 2);
  assert.ok(run('--trace', good).lines.includes('3: start_node,0'));
});
