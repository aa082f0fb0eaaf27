import { strict as assert } from 'node:assert';
import { test } from 'node:test';
import {
  BridgeError,
  decodeChannelToManager,
  decodeChannelToWorker,
  decodeControlToEnclave,
  decodeControlToHost,
  type EncodedFrame,
  encodeChannelToManager,
  encodeChannelToWorker,
  encodeControlToEnclave,
  encodeControlToHost,
  type Frame,
  FrameDecoder,
} from '../index.ts';
import { channelToManager, channelToWorker, controlToEnclave, controlToHost } from './messages.ts';

interface Direction {
  readonly name: string;
  readonly frames: readonly { readonly message: unknown; readonly encoded: EncodedFrame }[];
  readonly decode: (frame: Frame) => unknown;
}

function direction<Message>(
  name: string,
  messages: readonly Message[],
  encode: (message: Message) => EncodedFrame,
  decode: (frame: Frame) => Message,
): Direction {
  return {
    name,
    frames: messages.map((message) => ({ message, encoded: encode(message) })),
    decode,
  };
}

const directions: readonly Direction[] = [
  direction('control to host', controlToHost, encodeControlToHost, decodeControlToHost),
  direction('control to enclave', controlToEnclave, encodeControlToEnclave, decodeControlToEnclave),
  direction('channel to worker', channelToWorker, encodeChannelToWorker, decodeChannelToWorker),
  direction('channel to manager', channelToManager, encodeChannelToManager, decodeChannelToManager),
];

/** Frames whose last field is raw bytes up to the end: any length of it is valid. */
const openEnded = new Set(['append', 'appendEarlier', 'log', 'status', 'start', 'streamData']);

function onlyFrame(encoded: EncodedFrame): Frame {
  const frames = new FrameDecoder().push(Buffer.concat(encoded));
  assert.equal(frames.length, 1);
  return frames[0]!;
}

const refused = (error: unknown): boolean =>
  error instanceof BridgeError && ['MALFORMED_FRAME', 'UNKNOWN_FRAME'].includes(error.code);

for (const { name, frames, decode } of directions) {
  test(`every message ${name} survives the round trip, also when frames share a slab`, () => {
    for (const { message, encoded } of frames) {
      assert.deepEqual(decode(onlyFrame(encoded)), message);
    }
  });

  test(`a message ${name} with bytes missing or added is refused by code`, () => {
    for (const { message, encoded } of frames) {
      if (openEnded.has((message as { kind: string }).kind)) continue;
      const { type, body } = onlyFrame(encoded);
      const step = Math.max(1, Math.floor(body.length / 50));
      for (let length = 0; length < body.length; length += step) {
        assert.throws(() => decode({ type, body: body.subarray(0, length) }), refused);
      }
      const extended = Buffer.concat([body, Buffer.from([0])]);
      assert.throws(() => decode({ type, body: extended }), refused);
    }
  });

  test(`random and flipped bytes ${name} are decoded or refused by code, never worse`, () => {
    const next = xorshift(0x5eed);
    for (let round = 0; round < 4000; round++) {
      const { type, body } = onlyFrame(frames[next() % frames.length]!.encoded);
      const mutated = Buffer.from(body.subarray(0, 300));
      for (let flips = next() % 4; flips >= 0 && mutated.length > 0; flips--) {
        mutated[next() % mutated.length] = next() & 0xff;
      }
      try {
        decode({ type: round % 10 === 0 ? next() & 0xff : type, body: mutated });
      } catch (error) {
        if (!refused(error)) throw error;
      }
    }
  });

  test(`a frame type that does not exist ${name} is refused by name`, () => {
    assert.throws(() => decode({ type: 250, body: Buffer.alloc(0) }), { code: 'UNKNOWN_FRAME' });
  });
}

test('an append does not copy its block in either direction', () => {
  const block = Buffer.alloc(8192, 3);
  const encoded = encodeControlToHost({ kind: 'append', height: 1, block });
  assert.equal(encoded[1], block);
  const received = Buffer.concat(encoded);
  const frame = new FrameDecoder().push(received)[0]!;
  const message = decodeControlToHost(frame);
  assert(message.kind === 'append');
  assert.equal(message.block.buffer, received.buffer);
});

function xorshift(seed: number): () => number {
  let state = seed;
  return () => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return state >>> 0;
  };
}
