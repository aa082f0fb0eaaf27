import { readFileSync, writeFileSync } from 'node:fs';
import { checkStory, rewriteStory } from './run-story.ts';
import { createStoryTeller } from './story-commands.ts';

/**
 * Runs the story in a file, `compare`d with its expected traces or `rewrite`n with those it leaves
 * now.
 * @throws DatadrivenError with file and line
 */
export function tellStory(path: string, how: 'compare' | 'rewrite'): void {
  const text = readFileSync(path, 'utf8');
  if (how === 'compare') {
    checkStory(path, text, createStoryTeller());
    return;
  }
  const rewritten = rewriteStory(path, text, createStoryTeller());
  if (rewritten !== text) writeFileSync(path, rewritten);
}
