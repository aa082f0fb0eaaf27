import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { blocksOf, followPage, LocalNetworkError } from '../index.ts';

const directory = mkdtempSync(join(tmpdir(), 'concordat-pages-'));
after(() => rmSync(directory, { recursive: true }));

const fence = '```';
let count = 0;
/** A page of blocks, each given as what stands after its fence and its text. */
function pageOf(...blocks: readonly (readonly [string, string])[]): string {
  const path = join(directory, `page-${++count}.md`);
  const text = blocks.map(([start, body]) => `Words.\n\n${fence}${start}\n${body}\n${fence}\n`);
  writeFileSync(path, `# A page\n\n${text.join('\n')}`);
  return path;
}

const isWrong = (pattern: RegExp) => (error: unknown) =>
  error instanceof LocalNetworkError && error.code === 'PAGE_WRONG' && pattern.test(error.message);

test('blocks are read with their language, label and line', () => {
  const page = `one\n\n${fence}sh server\na\nb\n${fence}\n\n${fence}ts src/app.ts\nc\n${fence}\n`;
  assert.deepEqual(blocksOf(page), [
    { language: 'sh', label: 'server', text: 'a\nb\n', line: 3 },
    { language: 'ts', label: 'src/app.ts', text: 'c\n', line: 8 },
  ]);
});

test('commands share a shell, files are written where it is, and what is printed is compared', async () => {
  await followPage(
    pageOf(
      ['sh', 'mkdir ~/a && cd ~/a\nname=world'],
      ['txt b/note.txt', 'hello'],
      ['sh', 'echo "$(cat b/note.txt) $name at 12:30"'],
      ['text', 'hello world at …'],
      ['sh', 'echo \'{"a": 1}\''],
      ['json', '{ "a":1 }'],
    ),
  );
});

test('what a page promises and is not printed is told with the page and the line', async () => {
  const other = pageOf(['sh', 'echo one'], ['text', 'two']);
  await assert.rejects(followPage(other), isWrong(/page-\d+\.md:11 does not say what is printed/));
  const more = pageOf(['sh', 'echo one two'], ['text', 'one']);
  await assert.rejects(followPage(more), isWrong(/does not say/));
  const json = pageOf(['sh', 'echo \'{"a":1,"b":2}\''], ['json', '{"a":1}']);
  await assert.rejects(followPage(json), isWrong(/does not say/));
});

test('a command that fails, also in the midst of a block or a pipe, ends the page', async () => {
  for (const commands of ['false', 'false\ntrue', 'false | true', 'nonesuch-command']) {
    await assert.rejects(followPage(pageOf(['sh', commands])), isWrong(/page-\d+\.md:5 failed/));
  }
});

test('a server that ends before it is ready ends the page', async () => {
  const page = pageOf(['sh server', 'echo broken; exit 3'], ['sh', 'true']);
  await assert.rejects(followPage(page), isWrong(/has ended:\nbroken/));
});

test('servers are listened to, their ports take the place of the page’s, and they are stopped', async () => {
  const server = [
    "trap 'echo stopped > ~/stopped; exit' INT",
    'echo "https://127.0.0.1:40001  https://127.0.0.1:40004"; echo Ready in 1 s.; echo Follows your edits',
    'sleep 0.2; echo app.ts: reloaded in 0.1 s',
    'while true; do sleep 0.1; done',
  ].join('\n');
  await followPage(
    pageOf(
      ['sh server', server],
      ['text server', 'app.ts: reloaded in … s'],
      ['sh', 'echo https://127.0.0.1:7105/a https://127.0.0.1:7102/b https://127.0.0.1:7199'],
      ['text', 'https://127.0.0.1:40004/a https://127.0.0.1:40001/b https://127.0.0.1:7199'],
    ),
  );
});

test('a page without commands proves nothing', async () => {
  await assert.rejects(followPage(pageOf(['ts app.ts', 'x'])), isWrong(/has no commands/));
});
