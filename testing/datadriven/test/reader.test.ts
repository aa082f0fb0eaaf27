import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test from 'node:test';
import {
  checkStory,
  createStoryTeller,
  DatadrivenError,
  type DatadrivenErrorCode,
  differenceOf,
  formatStory,
  parseStory,
  rewriteStory,
  tellStory,
} from '../index.ts';

const opening = '# A story.\n\n';
const network = 'network voters=abc\n----\n';

/** The error that telling a story ends with. */
function errorOf(text: string): DatadrivenError {
  try {
    checkStory('story.txt', text, createStoryTeller());
  } catch (error) {
    assert.ok(error instanceof DatadrivenError, String(error));
    return error;
  }
  throw new assert.AssertionError({ message: 'no error' });
}

/** A command on a fresh network fails like this. */
function refused(command: string, code: DatadrivenErrorCode, words: RegExp): void {
  const introduction = 'voters abc: 2 commit, 2 elect; patience in ticks: a 10, b 12, c 14\n\n';
  const error = errorOf(`${opening}${network}${introduction}${command}\n----\n`);
  assert.equal(error.code, code, error.message);
  assert.match(error.message, words);
  assert.match(error.message, /^story\.txt:7: /, 'it names file and line');
}

test('a story is read into steps with their lines, and written back as it was', () => {
  const text = `${opening}first a b=c\n  one\n  two\n----\ntrace 1\n  trace 2\n\n# between\nsecond\n----\n`;
  const story = parseStory('story.txt', text);
  assert.equal(story.opening, 'A story.');
  assert.deepEqual(
    story.steps.map(({ line, command, input, expected, expectedLine }) => ({
      line,
      command,
      input,
      expected,
      expectedLine,
    })),
    [
      {
        line: 3,
        command: 'first a b=c',
        input: ['one', 'two'],
        expected: ['trace 1', '  trace 2'],
        expectedLine: 7,
      },
      { line: 11, command: 'second', input: [], expected: [], expectedLine: 13 },
    ],
  );
  const traces = story.steps.map((step) => step.expected);
  assert.equal(formatStory(story, traces), text);
});

test('what does not have the form of a story is refused with file and line', () => {
  const cases: [string, number, RegExp][] = [
    ['', 1, /opens with a comment/],
    ['network voters=abc\n----\n', 1, /opens with a comment/],
    [`${opening}network voters=abc\n`, 4, /---- is expected here, not the end of the file/],
    [`${opening}network voters=abc\ntick a\n----\n`, 4, /---- is expected here, not "tick a"/],
    [`${opening}  network voters=abc\n----\n`, 3, /a command is expected/],
    [`${opening}----\nx\n`, 3, /a command is expected/],
    [`${opening}network voters=abc\n----\n----\n`, 5, /a second ----/],
    [`# ${'x'.repeat(1 << 20)}\n`, 1, /longer than/],
  ];
  for (const [text, line, words] of cases) {
    assert.throws(
      () => parseStory('story.txt', text),
      (error: DatadrivenError) => {
        assert.equal(error.code, 'MALFORMED');
        assert.match(error.message, words);
        assert.ok(error.message.startsWith(`story.txt:${line}: `), error.message);
        return true;
      },
    );
  }
});

test('unknown commands and bad arguments are errors with file and line', () => {
  refused('fly a', 'UNKNOWN_COMMAND', /no command fly/);
  refused('Tick a', 'MALFORMED', /a command is expected/);
  refused('propose a "open', 'MALFORMED', /double quote/);
  refused('tick', 'BAD_ARGUMENT', /a node, or all is missing/);
  refused('tick a 3 quiet more', 'BAD_ARGUMENT', /more means nothing/);
  refused('tick a -3', 'BAD_ARGUMENT', /ticks is 1 to 10000, not -3/);
  refused('tick a 0', 'BAD_ARGUMENT', /ticks is 1 to 10000/);
  refused('tick a 1e3', 'BAD_ARGUMENT', /ticks is 1 to 10000/);
  refused('tick d', 'BAD_ARGUMENT', /no node d/);
  refused('tick A', 'BAD_ARGUMENT', /letters a to z/);
  refused('reconfigure a', 'BAD_ARGUMENT', /voters= is missing/);
  refused('reconfigure a voters=aab', 'BAD_ARGUMENT', /none twice/);
  refused('reconfigure a voters=ab voters=abc', 'BAD_ARGUMENT', /given twice/);
  refused('reconfigure a voters=ab quorums=two', 'BAD_ARGUMENT', /replication\/election/);
  refused('reconfigure a voters=ab size=3', 'BAD_ARGUMENT', /size= means nothing/);
  refused('deliver ab', 'BAD_ARGUMENT', /a->b, a-> or ->b/);
  refused('deliver a->b kind=letter', 'BAD_ARGUMENT', /kind is one of/);
  refused('deliver ->', 'BAD_ARGUMENT', /a->b, a-> or ->b/);
  refused('cut a->', 'BAD_ARGUMENT', /both ends/);
  refused('settle some', 'BAD_ARGUMENT', /all is expected/);
  refused('restart a', 'BAD_ARGUMENT', /a runs/);
  refused('elect a now', 'BAD_ARGUMENT', /now means nothing/);
  refused('add a', 'BAD_ARGUMENT', /there is a node a/);
  refused('forge ab->c append view=1', 'BAD_ARGUMENT', /one sender and one receiver/);
  refused('forge a->b letter view=1', 'BAD_ARGUMENT', /no kind of message/);
  refused('forge a->b append view=1 after=1', 'BAD_ARGUMENT', /view.height/);
  refused('forge a->b append view=1 entries=1.1,x', 'BAD_ARGUMENT', /view.height/);
  refused('tick a\n  input', 'BAD_ARGUMENT', /takes no input/);
  refused('do', 'BAD_ARGUMENT', /do takes commands/);
  refused('do\n  do', 'UNKNOWN_COMMAND', /no command do/);
});

test('a network is asked for before anything else, and must be able to run', () => {
  const command = (text: string) => errorOf(`${opening}${text}\n----\n`);
  assert.match(command('tick a').message, /story\.txt:3: no network yet/);
  assert.match(command('network').message, /voters= is missing/);
  assert.match(command('network voters=abc quorums=1/2').message, /may not meet/);
  assert.match(command('network voters=abc election=1').message, /election is 2 to 1000/);
  assert.match(command('network voters=abc timeouts=a9').message, /a timeout is 10 to 19/);
  assert.match(command('network voters=abc others=c').message, /there is a node c/);
  assert.match(command('network voters=abc disk=tape').message, /auto or manual/);
});

test('a wrong expectation fails with the difference, naming file and line', () => {
  const error = errorOf(
    `${opening}${network}voters abc: 2 commit, 2 elect; patience in ticks: a 10, b 12, c 14\n\n` +
      'campaign a\n----\n' +
      'a  asks whether it could win view 1: hears no leader\n' +
      'a -> b  pre-vote for view 1? log ends at 0.0\n' +
      'a -> d  pre-vote for view 1? log ends at 0.0\n',
  );
  assert.equal(error.code, 'DIFFERENT');
  assert.deepEqual(error.message.split('\n'), [
    'story.txt:11: campaign a',
    '    a  asks whether it could win view 1: hears no leader',
    '    a -> b  pre-vote for view 1? log ends at 0.0',
    '  - a -> d  pre-vote for view 1? log ends at 0.0',
    '  + a -> c  pre-vote for view 1? log ends at 0.0',
    '  (REWRITE=1 takes the new trace)',
  ]);
});

test('a difference shows what is gone and what is new, and keeps what is common', () => {
  assert.equal(differenceOf(['a', 'b'], ['a', 'b']), undefined);
  assert.equal(differenceOf([], []), undefined);
  const lines = (expected: string, actual: string) =>
    differenceOf([...expected], [...actual])
      ?.lines.map((line) => line.slice(2))
      .join('|');
  assert.equal(lines('abc', 'abxc'), '  a|  b|+ x|  c');
  assert.equal(lines('abxc', 'abc'), '  a|  b|- x|  c');
  assert.equal(lines('abcd', 'acbd'), '  a|- b|  c|+ b|  d');
  assert.equal(lines('', 'ab'), '+ a|+ b');
  assert.equal(lines('ab', ''), '- a|- b');
  assert.equal(lines('abcdef', 'abcxef'), '  b|  c|- d|+ x|  e|  f');
});

test('rewriting replaces the traces only, and twice gives the same', () => {
  const text = `${opening}${network}wrong\nand more\n\n# why\nstatus\n----\n`;
  const rewritten = rewriteStory('story.txt', text, createStoryTeller());
  assert.match(rewritten, /^# A story\.\n\nnetwork voters=abc\n----\nvoters abc: 2 commit/);
  assert.match(rewritten, /\n# why\nstatus\n----\na {2}follower/);
  assert.doesNotMatch(rewritten, /wrong/);
  assert.equal(rewriteStory('story.txt', rewritten, createStoryTeller()), rewritten);
  checkStory('story.txt', rewritten, createStoryTeller());
});

test('a story in a file is rewritten in place, or compared and left alone', () => {
  const directory = mkdtempSync(join(tmpdir(), 'stories-'));
  try {
    const path = join(directory, 'one.txt');
    const text = `${opening}${network}`;
    writeFileSync(path, text);
    assert.throws(() => tellStory(path, 'compare'), { code: 'DIFFERENT' });
    assert.equal(readFileSync(path, 'utf8'), text);
    tellStory(path, 'rewrite');
    assert.notEqual(readFileSync(path, 'utf8'), text);
    tellStory(path, 'compare');
  } finally {
    rmSync(directory, { recursive: true });
  }
});

test('two nodes that commit different entries end a story', () => {
  const error = errorOf(
    `${opening}${network}voters abc: 2 commit, 2 elect; patience in ticks: a 10, b 12, c 14\n\n` +
      'forge x->a append view=1 after=0.0 entries=1.1 commit=1\n----\n' +
      'a <- x  append of view 1 after 0.0: 1.1 "forged"; commit 1\n' +
      '  a  follows x in view 1\n  a  adds 1.1 "forged"\n  a  commits 1.1: x says so\n' +
      '  a -> x  in view 1: holds 1; commit 1\n\n' +
      'forge y->b append view=2 after=0.0 entries=2.1 commit=1\n----\n',
  );
  assert.equal(error.code, 'UNSAFE');
  assert.match(error.message, /story\.txt:15: b commits 2\.1 "forged" where 1\.1 "forged" is/);
});
