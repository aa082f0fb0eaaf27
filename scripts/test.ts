/**
 * Runs the tests: `npm test` every `*.test.ts` of every room, `npm run e2e` every `*.e2e.ts`.
 * `--room core/kv` limits both to one room. Without a filter an empty list is an error, because
 * a run that executed nothing proves nothing.
 */
import { spawnSync } from 'node:child_process';
import { globSync } from 'node:fs';
import { parseArgs } from 'node:util';

const { values } = parseArgs({
  options: {
    e2e: { type: 'boolean', default: false },
    room: { type: 'string', default: '*/*' },
    concurrency: { type: 'string' },
  },
});
const kind = values.e2e ? 'e2e' : 'test';
const files = globSync(`${values.room}/test/**/*.${kind}.ts`, {
  // The examples' pages, which start networks, are what `npm run examples` is for.
  exclude: (path) =>
    path.includes('node_modules') || (kind === 'e2e' && /(?:^|\/)examples(?:\/|$)/.test(path)),
}).sort();
if (files.length === 0) {
  process.stderr.write(`no ${kind} files under ${values.room}\n`);
  process.exit(1);
}
// End-to-end tests start whole networks: one at a time, so that they do not starve each other.
const concurrency = values.concurrency ?? (values.e2e ? '1' : '2');
const { status } = spawnSync(
  process.execPath,
  ['--test', `--test-concurrency=${concurrency}`, '--test-reporter=spec', ...files],
  { stdio: 'inherit' },
);
process.exit(status ?? 1);
