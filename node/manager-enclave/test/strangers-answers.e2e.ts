import assert from 'node:assert/strict';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { connect as connectNet } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { setTimeout as pause } from 'node:timers/promises';
import { connect, type TLSSocket } from 'node:tls';
import { encodeIdentity, nobody, nobodyId } from '@concordat/bridge';
import type { ActorId } from '@concordat/std';
import { ApplicationListener } from '../application-listener.ts';
import type { StreamEvents } from '../worker-link.ts';
import { newNetwork, organisation } from './fixture.ts';

const mebibyte = 1024 * 1024;
const stranger = {
  actorId: nobodyId as ActorId,
  isMember: false,
  record: encodeIdentity(nobody),
} as const;

test('strangers together leave no more unread than they may, though they come one after the other', async () => {
  const directory = await mkdtemp(join(tmpdir(), 'strangers-'));
  const { first } = await newNetwork([organisation('member')]);
  const streams: { readonly events: StreamEvents; given: number; closed: boolean }[] = [];
  const path = join(directory, 'app.sock');
  const application = new ApplicationListener({
    path,
    credentials: {
      key: first.identity.signing.toPkcs8Pem(),
      certificate: first.administration.node(first.id)?.certificate as string,
    },
    judge: () => ({ ok: true, identity: stranger }),
    worker: {
      openStream: (_identity, events) => {
        const stream = { events, given: 0, closed: false };
        streams.push(stream);
        const close = (): void => {
          stream.closed = true;
        };
        return { data: () => true, end: () => {}, close };
      },
    },
  });
  await application.listen();
  const sockets: TLSSocket[] = [];
  try {
    for (let n = 1; n <= 8; n++) {
      const socket = connect({ socket: connectNet(path), rejectUnauthorized: false });
      socket.on('error', () => {});
      sockets.push(socket);
      await once(socket, 'secureConnect');
      while (streams.length < n) await pause(5);
      const stream = streams[n - 1] as (typeof streams)[number];
      // Each for itself stays below an equal part of what those may who are there by then.
      const part = Math.min(31, 64 / n - 1);
      while (stream.given < part) {
        stream.events.onData(Buffer.alloc(mebibyte));
        stream.given += 1;
        await pause(1);
      }
    }
    const open = streams.filter(({ closed }) => !closed);
    const waiting = open.reduce((sum, { given }) => sum + given, 0);
    // Some of it is in buffers of the system.
    assert.ok(waiting <= 72, `${waiting} MiB are unread`);
    assert.ok(open.length >= 4, `${open.length} are left`);
    assert.equal(streams.at(-1)?.closed, false, 'who leaves little is not dropped for the others');
  } finally {
    for (const socket of sockets) socket.destroy();
    application.stop();
    await rm(directory, { recursive: true });
  }
});
