import assert from 'node:assert/strict';
import { test } from 'node:test';
import { FrameWatch } from '../end-users/frame-watch.ts';

const mask = [1, 2, 3, 4];
const text = (bytes: number): Buffer => {
  const size = Buffer.alloc(bytes < 126 ? 1 : bytes < 65_536 ? 3 : 9);
  if (bytes < 126) size[0] = bytes;
  else if (bytes < 65_536) size.set([126, bytes >> 8, bytes & 0xff]);
  else {
    size[0] = 127;
    size.writeBigUInt64BE(BigInt(bytes), 1);
  }
  size[0] = (size[0] as number) | 0x80;
  return Buffer.concat([Buffer.from([0x81]), size, Buffer.from(mask), Buffer.alloc(bytes, 0x81)]);
};
const pong = Buffer.from([0x8a, 0x80, ...mask]);
const pongWithBody = Buffer.from([0x8a, 0x82, ...mask, 0x81, 0x81]);

test('messages are use, answers to pings are not, however the bytes are cut', () => {
  for (const step of [1, 3, 7, 100_000]) {
    for (const bytes of [0, 1, 125, 126, 65_535, 65_536]) {
      const watch = new FrameWatch();
      const take = (all: Buffer) => {
        for (let at = 0; at < all.length; at += step) watch.take(all.subarray(at, at + step));
        return watch.wasUsed();
      };
      assert.equal(take(Buffer.concat([pong, pongWithBody])), false);
      assert.equal(take(Buffer.concat([pong, text(bytes), pong])), true, `${bytes} by ${step}`);
      assert.equal(take(pong), false, `after ${bytes} by ${step}`);
    }
  }
});
