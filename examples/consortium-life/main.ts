import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { ConsortiumLife } from './life.ts';
import { Stage } from './stage.ts';
import { pageWith } from './transcript.ts';

const { values } = parseArgs({ options: { write: { type: 'boolean', default: false } } });
const directory = mkdtempSync(join(tmpdir(), 'concordat-life-'));
const stage = new Stage(directory, (text) => process.stdout.write(text));
const life = new ConsortiumLife(stage);
// An end by Ctrl-C leaves no process behind either.
for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  process.once(signal, () => void life.end().finally(() => process.exit(130)));
}
try {
  const { writes, longestGapMs } = await life.play();
  process.stdout.write(`\nThe whole life held. ${writes} writes during the upgrade, none lost; `);
  process.stdout.write(`the longest wait for an answer was ${longestGapMs} ms.\n`);
  if (values.write) {
    const page = new URL('README.md', import.meta.url);
    writeFileSync(page, pageWith(readFileSync(page, 'utf8'), stage.transcript));
  }
} finally {
  await life.end();
  rmSync(directory, { recursive: true, force: true });
}
