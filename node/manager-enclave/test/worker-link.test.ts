import assert from 'node:assert/strict';
import { Duplex } from 'node:stream';
import { test } from 'node:test';
import { type ChannelToManager, encodeChannelToManager } from '@concordat/bridge';
import { toHeight, toSeqno, toView } from '@concordat/std';
import { WorkerLink } from '../worker-link.ts';

const mib = 1024 * 1024;

/** A link to a worker that does not read, and sends what is pushed. */
function linkToHanging() {
  const closed: (Error | undefined)[] = [];
  const nothing = (): void => undefined;
  const link = new WorkerLink(
    1,
    {
      credentials: { key: '', certificate: '' },
      evidence: new Uint8Array(1),
      verify: nothing,
    },
    {
      onBatch: nothing,
      onGenesisBatch: nothing,
      onForward: nothing,
      onForwardedReply: nothing,
      onReadBarrier: nothing,
      onQuestion: nothing,
      onPast: nothing,
      onOpen: nothing,
      onExternal: nothing,
      onProgram: nothing,
      onSnapshot: nothing,
      onLog: nothing,
      onClose: (error) => closed.push(error),
    },
  );
  const socket = new Duplex({ read: nothing, write: nothing });
  link.attach(socket, new Uint8Array(1));
  const says = (message: ChannelToManager): void => {
    for (const part of encodeChannelToManager(message)) socket.push(Buffer.from(part));
  };
  return { link, closed, says };
}

test('blocks for a worker that hangs are kept up to a limit; then it is cut off by name', async () => {
  const { link, closed } = linkToHanging();
  // One array many times: what waits is counted, not copied.
  const privateWrites = new Uint8Array(8 * mib);
  const transactions = [{ publicWrites: new Uint8Array(0), privateWrites }];
  let height = 0;
  while (height < 200 && closed.length === 0) {
    height += 1;
    const at = { view: toView(1), height: toHeight(height), firstSeqno: toSeqno(height) };
    const block = { ...at, timeMs: 1, speculative: false, transactions };
    link.send({ kind: 'applied', blocks: [block] });
    await new Promise(setImmediate);
  }
  assert.equal((closed[0] as { code?: string } | undefined)?.code, 'WORKER_REFUSED');
  assert.ok(height > 60 && height < 70, `cut off after ${height} blocks of 8 MiB`);
});

test('what a worker says of why it gives up is the reason its channel closed for', async () => {
  const { closed, says } = linkToHanging();
  says({ kind: 'evidence', bytes: new Uint8Array(1) });
  says({ kind: 'failed', code: 'AdapterError INVALID_CONFIGURATION', message: 'no fork moon' });
  says({ kind: 'ready' });
  await new Promise(setImmediate);
  const [error] = closed as [{ code?: string; message?: string } | undefined];
  assert.equal(error?.code, 'WORKER_REFUSED');
  assert.equal(error?.message, 'it gave up: AdapterError INVALID_CONFIGURATION: no fork moon');
  assert.equal(closed.length, 1);
});

test('a worker that gives its reason before it is attested is not believed', async () => {
  const { closed, says } = linkToHanging();
  says({ kind: 'failed', code: 'X', message: 'a lie' });
  await new Promise(setImmediate);
  assert.match((closed[0] as Error).message, /did not attest itself first/);
});
