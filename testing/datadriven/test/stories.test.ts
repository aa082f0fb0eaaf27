/** Every story of `data/`: with REWRITE=1 its expected traces are replaced by those of now. */
import assert from 'node:assert/strict';
import { globSync, readFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import test from 'node:test';
import { parseStory, tellStory } from '../index.ts';

const how = process.env.REWRITE === '1' ? 'rewrite' : 'compare';
const directory = join(import.meta.dirname, 'data');
const stories = globSync('*.txt', { cwd: directory }).sort();

for (const name of stories) {
  const path = relative(process.cwd(), join(directory, name));
  const { opening } = parseStory(path, readFileSync(path, 'utf8'));
  test(`${name}: ${opening.split('. ')[0]}`, () => tellStory(path, how));
}

test('there are at least thirty stories', () => {
  assert.ok(stories.length >= 30, `${stories.length} stories`);
});
