/**
 * Runs every example against a network of three nodes of its own, through the gateway, as the
 * examples' own READMEs say.
 */
import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { frontOffice, Sandbox } from '@concordat/cli';
import { createGateway } from '@concordat/gateway';

const repository = dirname(dirname(fileURLToPath(import.meta.url)));
const hardhat = join(repository, 'node_modules/hardhat/dist/src/cli.js');
/** The first account of the mnemonic that development tools share. */
const testKey = '0xac0974bec39a17e36ba4a6b4d238ff944bacb478cbed5efcae784d7bf4f2ff80';

interface Example {
  readonly folder: string;
  readonly command: readonly string[];
}

const examples: readonly Example[] = [
  {
    folder: 'examples/hardhat-token',
    command: [hardhat, 'run', 'test/example-token.ts', '--network', 'concordat'],
  },
];

async function run(example: Example, url: string): Promise<boolean> {
  process.stdout.write(`\n${example.folder}\n`);
  const child = spawn(process.execPath, [...example.command], {
    cwd: join(repository, example.folder),
    env: {
      ...process.env,
      CONCORDAT_URL: url,
      CONCORDAT_KEY: testKey,
      HARDHAT_DISABLE_TELEMETRY_PROMPT: 'true',
    },
    stdio: ['ignore', 'inherit', 'inherit'],
  });
  const status = await new Promise<number | null>((resolve) => child.once('close', resolve));
  return status === 0;
}

const directory = mkdtempSync(join(tmpdir(), 'concordat-examples-'));
const sandbox = await Sandbox.open(directory, { nodes: 3, fresh: true, basePort: 9_100 });
let failed = 0;
try {
  await sandbox.up();
  const gateway = await createGateway({
    listen: '127.0.0.1:0',
    targets: sandbox.nodes.map(({ ports }) => `127.0.0.1:${ports.application}`),
    networkCertificate: sandbox.networkCertificate,
    identity: await sandbox.identity(frontOffice),
  });
  for (const example of examples) if (!(await run(example, gateway.url))) failed += 1;
  await gateway.close();
} finally {
  await sandbox.down();
  rmSync(directory, { recursive: true, force: true });
}
process.stdout.write(`\n${examples.length - failed} of ${examples.length} examples work.\n`);
process.exitCode = failed === 0 ? 0 : 1;
