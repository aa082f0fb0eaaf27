import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { readdirSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import {
  LocalNetwork,
  type LocalNode,
  loseAllBut,
  type Remains,
  recoveredNode,
  WriteLoad,
} from '../index.ts';

const main = join(import.meta.dirname, '../../../clients/cli/main.ts');

let network: LocalNetwork;
let vn1: LocalNode;
let remains: Remains;
/** Chunk files in the order of their blocks. */
let chunks: string[];

const place = (name: string): string => join(network.directory, name);

function run(...args: string[]): { status: number | null; stdout: string; stderr: string } {
  return spawnSync(process.execPath, [main, ...args], { encoding: 'utf8', maxBuffer: 1 << 28 });
}

before(async () => {
  network = await LocalNetwork.start({
    nodes: 1,
    chunkBytes: 65_536,
    policies: { snapshotBlocks: 20 },
  });
  [vn1] = network.nodes as [LocalNode];
  writeFileSync(place('passphrase'), 'correct horse battery staple\n', { mode: 0o600 });
  const load = new WriteLoad(network, { inFlight: 2 });
  await load.progress(1_500);
  await load.stop();
  const sandbox = ['--directory', network.sandbox.layout.directory];
  const way = ['--passphrase-file', place('passphrase'), '--out', place('copies')];
  const exported = run('key', 'export', ...sandbox, ...way);
  assert.equal(exported.status, 0, exported.stderr);
  await network.level();
  remains = await loseAllBut(network, vn1);
  // The last chunk's name says where it begins, and not yet where it ends.
  const first = (name: string): number => Number(/_(\d+)/.exec(name)?.[1]);
  chunks = readdirSync(remains.ledger).sort((a, b) => first(a) - first(b));
  assert.ok(chunks.length >= 3 && chunks.every((name) => first(name) > 0), chunks.join(' '));
});
after(() => network?.end());

const certificate = (): string[] => ['--network-certificate', remains.certificateFile];

const copies = (): string[] => [
  ...readdirSync(place('copies')).flatMap((name) => ['--share', join(place('copies'), name)]),
  ...['--passphrase-file', place('passphrase')],
];

async function without(at: number, body: () => void | Promise<void>): Promise<void> {
  const name = chunks[at] as string;
  const aside = place(name);
  renameSync(join(remains.ledger, name), aside);
  try {
    await body();
  } finally {
    renameSync(aside, join(remains.ledger, name));
  }
}

test('a ledger without its beginning is read by nobody, who says which blocks to bring back', async () => {
  for (const at of [0, 1]) {
    const [, from, to] = /_(\d+)-(\d+)/.exec(chunks[at] as string) ?? [];
    const range = new RegExp(`bring blocks ${from} to ${to} back.*no snapshot stands for them`);
    await without(at, () => {
      const audited = run('audit', 'verify', remains.ledger, ...certificate());
      assert.equal(audited.status, 1);
      assert.match(audited.stdout, /MISSING_BLOCKS/);
      assert.match(audited.stdout, range);
      const out = place(`never-${at}`);
      for (const command of ['shares', 'keys', 'decrypt']) {
        const told = run(
          ...['recover', command, remains.ledger, ...certificate()],
          ...[...copies(), '--out', out],
        );
        assert.equal(told.status, 1, told.stdout);
        assert.match(told.stderr, /LEDGER_DAMAGED/);
        assert.match(told.stderr, range);
      }
    });
  }
});

test('a node recovers nothing from it either, and says what is needed', async () => {
  await without(0, async () => {
    const { organisation } = vn1;
    const node = await recoveredNode(network, { name: 'gap-vn', organisation }, remains);
    node.start();
    try {
      const why = await node.refused({});
      assert.match(why, /^LEDGER_CORRUPT: block 1: the host does not have it; bring it back/);
    } finally {
      await node.kill();
    }
  });
});

test('with the chunk back in its place everything is read', () => {
  const out = place('all.jsonl');
  const told = run(
    'recover',
    'decrypt',
    remains.ledger,
    ...certificate(),
    ...copies(),
    '--out',
    out,
  );
  assert.equal(told.status, 0, told.stdout + told.stderr);
});
