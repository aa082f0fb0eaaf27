/**
 * Runs every example. Applications: their unit tests, then the pages that tell of them, followed
 * literally, each on a network of its own. Ethereum projects: as their own READMEs say, on a network
 * of three nodes, through the gateway.
 */
import { spawn } from 'node:child_process';
import { globSync, mkdtempSync, rmSync } from 'node:fs';
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

/** Projects of other tools. */
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

/** The applications' tests; those that need networks one after another. */
async function runApplications(): Promise<boolean> {
  const find = (pattern: string): string[] => globSync(pattern, { cwd: repository }).sort();
  const files = [...find('examples/*/test/*.test.ts'), ...find('examples/*/test/*.e2e.ts')];
  process.stdout.write(`\napplications: ${files.length} files of tests\n`);
  const args = ['--test', '--test-concurrency=1', '--test-reporter=spec', ...files];
  const child = spawn(process.execPath, args, { cwd: repository, stdio: 'inherit' });
  const status = await new Promise<number | null>((resolve) => child.once('close', resolve));
  return files.length > 0 && status === 0;
}

async function runProjects(): Promise<number> {
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
  return failed;
}

const applicationsWork = await runApplications();
const failed = await runProjects();
process.stdout.write(`\nThe applications ${applicationsWork ? 'work' : 'FAILED'}; `);
process.stdout.write(`${examples.length - failed} of ${examples.length} projects work.\n`);
process.exitCode = applicationsWork && failed === 0 ? 0 : 1;
