import { strict as assert } from 'node:assert';
import { PassThrough, Writable } from 'node:stream';
import { test } from 'node:test';
import { setImmediate as turn } from 'node:timers/promises';
import {
  type BridgeError,
  encodeControlToHost,
  type Frame,
  FrameConnection,
  FrameDecoder,
  FrameWriter,
  frameBuilder,
} from '../index.ts';

const frameOf = (type: number, body: Uint8Array): Buffer =>
  Buffer.concat(frameBuilder.begin(type).raw(body).finish());

const stream = Buffer.concat([
  frameOf(1, Buffer.from('first')),
  frameOf(2, Buffer.alloc(0)),
  frameOf(3, Buffer.alloc(5000, 1)),
  frameOf(4, Buffer.from('last')),
]);

test('frames come out the same however the stream is cut into chunks', () => {
  const whole = new FrameDecoder().push(stream);
  for (const size of [1, 2, 3, 5, 7, 64, 1000, 4999, 5010, stream.length]) {
    const decoder = new FrameDecoder();
    const frames: Frame[] = [];
    for (let at = 0; at < stream.length; at += size) {
      frames.push(...decoder.push(stream.subarray(at, at + size)));
    }
    decoder.end();
    assert.deepEqual(frames, whole, `chunks of ${size} bytes`);
  }
});

test('a frame inside one chunk is a view of that chunk', () => {
  const [frame] = new FrameDecoder().push(stream);
  assert.equal(frame!.body.buffer, stream.buffer);
});

test('a frame above the limit is refused as soon as its length is known', () => {
  const decoder = new FrameDecoder(100);
  assert.throws(() => decoder.push(Buffer.from([0, 0, 0, 101])), { code: 'FRAME_TOO_LARGE' });
  assert.equal(new FrameDecoder(100).push(frameOf(1, Buffer.alloc(99))).length, 1);
});

test('a frame without a type is refused', () => {
  assert.throws(() => new FrameDecoder().push(Buffer.alloc(4)), { code: 'EMPTY_FRAME' });
});

test('a stream that ends inside a frame is reported', () => {
  const decoder = new FrameDecoder();
  decoder.push(stream.subarray(0, stream.length - 1));
  assert.throws(() => decoder.end(), { code: 'TRUNCATED_STREAM' });
});

test('announcing a large frame does not reserve memory for it', () => {
  const decoder = new FrameDecoder(1 << 30);
  decoder.push(Buffer.from([0x3f, 0xff, 0xff, 0xff, 1]));
  assert.equal(decoder.heldBytes, 5);
});

test('frames of one turn reach the socket in one write', async () => {
  const writes: number[] = [];
  const received: Buffer[] = [];
  const socket = new Writable({
    writev(chunks, done) {
      writes.push(chunks.length);
      for (const { chunk } of chunks) received.push(chunk);
      done();
    },
  });
  const writer = new FrameWriter(socket);
  const block = Buffer.alloc(5000, 4);
  for (let height = 1; height <= 3; height++) {
    writer.send(encodeControlToHost({ kind: 'append', height, block }));
  }
  for (let height = 1; height <= 50; height++) {
    writer.send(encodeControlToHost({ kind: 'committed', height }));
  }
  await turn();
  await turn();
  assert.equal(writes.length, 1);
  // Three headers and three blocks; the fifty small frames joined their neighbours.
  assert(writes[0]! <= 7, `${writes[0]} chunks`);
  assert.equal(new FrameDecoder().push(Buffer.concat(received)).length, 53);
});

test('a writer asks its caller to stop when enough is waiting and says when it has drained', async () => {
  let release = (): void => {};
  const socket = new Writable({
    highWaterMark: 1000,
    write(_chunk, _encoding, done) {
      release = done;
    },
  });
  let drained = 0;
  const writer = new FrameWriter(socket, { highWaterBytes: 3000, onDrain: () => drained++ });
  const frame = encodeControlToHost({ kind: 'log', line: Buffer.alloc(2000) });
  assert.equal(writer.send(frame), true);
  assert.equal(writer.send(frame), false);
  await turn();
  assert.equal(drained, 0);
  release();
  await turn();
  release();
  await turn();
  assert.equal(drained, 1);
  assert.equal(writer.waitingBytes, 0);
});

test('a writer whose socket takes everything at once still reports that it has drained', async () => {
  const socket = new Writable({ highWaterMark: 1 << 20, write: (_c, _e, done) => done() });
  let drained = 0;
  const writer = new FrameWriter(socket, { highWaterBytes: 10, onDrain: () => drained++ });
  assert.equal(writer.send(frameOfParts()), false);
  await turn();
  await turn();
  assert.equal(drained, 1);
});

const frameOfParts = () => encodeControlToHost({ kind: 'log', line: Buffer.alloc(2000) });

test('a connection that receives an oversized frame closes with the code', async () => {
  const socket = new PassThrough();
  const closed = new Promise<Error | undefined>((resolve) => {
    new FrameConnection(socket, { maxFrameBytes: 10, onFrame: () => {}, onClose: resolve });
  });
  socket.write(frameOf(1, Buffer.alloc(50)));
  assert.equal(((await closed) as BridgeError).code, 'FRAME_TOO_LARGE');
});

test('an unexpected error in a frame handler is a bug and is not swallowed', () => {
  const socket = new PassThrough();
  new FrameConnection(socket, {
    onFrame: () => {
      throw new TypeError('bug');
    },
    onClose: () => {},
  });
  assert.throws(() => socket.emit('data', frameOf(1, Buffer.alloc(1))), TypeError);
});
