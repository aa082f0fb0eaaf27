import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createRequire } from 'node:module';
import { suite, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { Wallet } from 'ethers';
import { startEthereum } from './ethereum-node.ts';

const project = fileURLToPath(new URL('../../../examples/hardhat-token/', import.meta.url));
const require = createRequire(import.meta.url);

/** Hardhat's compiled part for this platform, which npm leaves out under a Node below 22. */
function bindingIsInstalled(): boolean {
  try {
    require('@nomicfoundation/edr');
    return true;
  } catch {
    return false;
  }
}

suite('Hardhat 3, unmodified', () => {
  const skip = bindingIsInstalled() ? false : "npm left out Hardhat's native binding";
  test('an ordinary project deploys and tests an OpenZeppelin token', { skip }, async () => {
    const node = await startEthereum();
    const cli = fileURLToPath(new URL('cli.js', import.meta.resolve('hardhat')));
    const args = [cli, 'run', 'test/example-token.ts', '--network', 'concordat'];
    const child = spawn(process.execPath, args, {
      cwd: project,
      env: {
        ...process.env,
        NODE_TEST_CONTEXT: '',
        HARDHAT_DISABLE_TELEMETRY_PROMPT: 'true',
        CONCORDAT_URL: node.url,
        CONCORDAT_KEY: Wallet.createRandom().privateKey,
      },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    let output = '';
    for (const stream of [child.stdout, child.stderr]) {
      stream.on('data', (data: Buffer) => {
        output += data;
      });
    }
    const [code] = await once(child, 'exit');
    await node.close();
    assert.equal(code, 0, output);
    assert.match(output, /pass 5/, output);
    assert.match(output, /fail 0/, output);
  });
});
