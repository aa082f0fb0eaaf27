/**
 * Runs the tests: `npm test` every `*.test.ts` of every room, `npm run e2e` every `*.e2e.ts`.
 * `--room core/kv` limits both to one room, `--network none` and `--network whole` end-to-end tests to
 * those without and with whole networks. Without a filter an empty list is an error, because a run that
 * executed nothing proves nothing.
 */
import { spawnSync } from 'node:child_process';
import { globSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';

const { values } = parseArgs({
  options: {
    e2e: { type: 'boolean', default: false },
    room: { type: 'string', default: '*/*' },
    network: { type: 'string', default: 'any' },
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

/**
 * Whether a file starts whole networks or nodes, or builds their images or applications within a time:
 * such files run one at a time, so that they do not starve each other.
 */
const startsNetworks = (file: string): boolean =>
  ['testing/local-network/', 'clients/cli/', 'clients/app/'].some((one) => file.startsWith(one)) ||
  /LocalNetwork|local-network|\b[Ss]andbox\b|vn-fixture|buildImage|measureImage|images\//.test(
    readFileSync(file, 'utf8'),
  );

function run(some: readonly string[], concurrency: string): boolean {
  if (some.length === 0) return true;
  const { status } = spawnSync(
    process.execPath,
    [
      '--test',
      `--test-concurrency=${values.concurrency ?? concurrency}`,
      '--test-reporter=spec',
      ...some,
    ],
    { stdio: 'inherit' },
  );
  return status === 0;
}

/** Builds the images of the networks under test once for all of them: the sources do not change. */
function withImages(act: () => boolean): boolean {
  const directory = mkdtempSync(join(tmpdir(), 'concordat-images-'));
  try {
    const build = ['scripts/build-images.ts', '--output', directory];
    const { status } = spawnSync(process.execPath, build, {
      stdio: ['ignore', 'ignore', 'inherit'],
    });
    if (status !== 0) return false;
    process.env.CONCORDAT_TEST_IMAGES = directory;
    return act();
  } finally {
    rmSync(directory, { recursive: true });
  }
}

let ok = true;
if (kind === 'test') ok = run(files, '2');
else {
  const { none = [], whole = [] } = Object.groupBy(files, (file) =>
    startsNetworks(file) ? 'whole' : 'none',
  );
  if (values.network !== 'whole') ok = run(none, '2') && ok;
  if (values.network !== 'none' && whole.length > 0) ok = withImages(() => run(whole, '1')) && ok;
}
process.exit(ok ? 0 : 1);
