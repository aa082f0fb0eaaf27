import assert from 'node:assert/strict';
import { once } from 'node:events';
import { after, before, suite, test } from 'node:test';
import { WebSocket, WebSocketServer } from 'ws';
import { FrontEnd, sessionCookie } from './front-end.ts';

suite('WebSockets that stay open', { concurrency: false }, () => {
  let front: FrontEnd;
  const sockets = new WebSocketServer({ noServer: true });
  before(async () => {
    front = await FrontEnd.start({
      onUpgrade: (request, socket, head) => {
        front.reached.push(request.headers);
        sockets.handleUpgrade(request, socket, head, (webSocket) => {
          webSocket.on('message', (data) => webSocket.send(data));
          webSocket.send('hello');
        });
      },
    });
    front.provider.accounts.set('carol', { groups: ['Tellers'] });
  });
  after(async () => {
    sockets.close();
    await front?.close();
  });

  async function openedBy(name: string): Promise<WebSocket> {
    const browser = await front.signedIn(name);
    const cookie = `${sessionCookie}=${browser.cookie(front.publicUrl, sessionCookie)}`;
    const headers = { cookie, origin: front.publicUrl };
    const socket = new WebSocket(`${front.publicUrl.replace('http', 'ws')}/socket`, { headers });
    await once(socket, 'message');
    return socket;
  }

  test('one through which nothing comes ends with its idle session, another goes on', async () => {
    const [quiet, busy] = [await openedBy('alice'), await openedBy('carol')];
    const sending = setInterval(() => busy.send('x'), 50);
    await once(busy, 'message');
    const closed = once(quiet, 'close', { signal: AbortSignal.timeout(120_000) });
    front.skewMs += 1_801_000;
    await closed;
    await once(busy, 'message');
    clearInterval(sending);
    assert.equal(busy.readyState, WebSocket.OPEN);
    busy.terminate();
    front.skewMs = 0;
  });

  test('one whose end user has other roles by now ends, though no request is made beside it', async () => {
    const [alice, carol] = [await openedBy('alice'), await openedBy('carol')];
    const account = front.provider.accounts.get('alice');
    assert.ok(account);
    account.groups = [];
    const closed = once(alice, 'close', { signal: AbortSignal.timeout(120_000) });
    front.skewMs += 301_000;
    await closed;
    assert.equal(carol.readyState, WebSocket.OPEN, 'whose roles are the same stays');
    account.groups = ['Tellers'];
    front.provider.accounts.delete('carol');
    const gone = once(carol, 'close', { signal: AbortSignal.timeout(120_000) });
    front.skewMs += 301_000;
    await gone;
    front.skewMs = 0;
  });
});
