import assert from 'node:assert/strict';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { connect, createServer, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { Forwarder, networkOf } from '../forwarder.ts';

test('one address takes no more than its share of the connections, and gets places back', async (t) => {
  const directory = mkdtempSync(join(tmpdir(), 'forwarder-'));
  t.after(() => rmSync(directory, { recursive: true }));
  const path = join(directory, 'enclave.sock');
  const enclave = createServer((socket) => socket.on('error', () => undefined).pipe(socket));
  enclave.listen(path);
  await once(enclave, 'listening');
  const forwarder = await Forwarder.open({
    ...{ address: '0.0.0.0:0', path, maxConnections: 10 },
    ...{ maxConnectionsPerAddress: 2, halfOpenTimeoutMs: 1_000 },
  });
  t.after(() => {
    forwarder.close();
    enclave.close();
  });
  const port = Number(forwarder.address.split(':').at(-1));
  const dial = async (localAddress: string): Promise<Socket | undefined> => {
    const socket = connect({ host: '127.0.0.1', port, localAddress });
    socket.on('error', () => undefined);
    socket.write('x');
    const heard = await Promise.race([
      once(socket, 'data').then(() => true),
      once(socket, 'close').then(() => false),
    ]);
    return heard ? socket : undefined;
  };
  const one = await dial('127.0.0.1');
  assert.ok(one && (await dial('127.0.0.1')));
  assert.equal(await dial('127.0.0.1'), undefined);
  assert.ok(await dial('127.0.0.2'), 'another address');
  one.destroy();
  while (forwarder.stats.open > 2) await new Promise(setImmediate);
  assert.ok(await dial('127.0.0.1'));
  assert.deepEqual(forwarder.stats, { accepted: 4, refused: 1, failed: 0, open: 3 });
});

test('an address of IPv6 counts as its /64 network', () => {
  for (const [address, network] of [
    ['192.0.2.7', '192.0.2.7'],
    ['::ffff:192.0.2.7', '::ffff:192.0.2.7'],
    ['2001:db8:1:2:3:4:5:6', '2001:db8:1:2'],
    ['2001:db8:1:2::9', '2001:db8:1:2'],
    ['2001:db8::9', '2001:db8:0:0'],
    ['2001:db8::3:4:5:6', '2001:db8:0:0'],
    ['fe80::1%eth0', 'fe80:0:0:0'],
    ['::1', '0:0:0:0'],
    ['', ''],
  ] as const) {
    assert.equal(networkOf(address), network, address);
  }
});
