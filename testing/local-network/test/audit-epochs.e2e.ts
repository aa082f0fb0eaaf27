import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { auditLedger } from '@concordat/auditor';
import { readSandbox } from '@concordat/cli';
import { LocalNetwork, WriteLoad, waitUntil } from '../index.ts';

let network: LocalNetwork;
before(async () => {
  const policies = { snapshotBlocks: 30, epochBlocks: 40, sessionKeyTtl: 0 };
  network = await LocalNetwork.start({ policies });
});
after(() => network?.end());

async function write(count: number, prefix: string): Promise<void> {
  const load = new WriteLoad(network, { inFlight: 8, prefix });
  await load.progress(count);
  await load.stop();
}

const isRunning = (): boolean =>
  network.nodes.every(({ isUp, status }) => isUp && status?.phase === 'running');

test('a network of many epochs that was stopped, killed and resumed is clean on every node', async () => {
  await write(800, 'first/');
  for (const end of ['stop', 'kill'] as const) {
    await network[end]();
    network.startAll();
    await waitUntil(isRunning, { what: 'all nodes to run again' });
    await network.leader();
    await write(300, `${end}/`);
  }
  const epochKeys = await readSandbox(network.sandbox);
  await network.level();
  const { certificate: networkCertificate } = network;
  for (const { ledgerDirectory: directory } of network.nodes) {
    for (const keys of [{}, { epochKeys }]) {
      const report = await auditLedger({ directory, networkCertificate, ...keys });
      assert.deepEqual(
        report.classes.flatMap(({ first }) => first ?? []),
        [],
      );
      const reasons = new Set(report.epochs.map(({ begun }) => begun?.reason));
      for (const reason of ['genesis', 'actors', 'key', 'blocks', 'resume'] as const) {
        assert.ok(reasons.has(reason), reason);
      }
      // One for each, and one more where another node led before it was committed.
      assert.ok(report.epochs.filter(({ begun }) => begun?.reason === 'resume').length >= 2);
      const [newest] = report.keys.shared.slice(-1);
      assert.deepEqual([newest?.threshold, newest?.holders.length], [2, 3]);
      if ('epochKeys' in keys) assert.ok((report.contents[0]?.transactions ?? 0) >= 1_400);
    }
  }
});
