import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ApiError, decodeDeployment, encodeDeployment } from '@concordat/api';
import { utf8 } from '@concordat/std';

const [message, program] = [utf8('signed message'), utf8('program')];
const whole = encodeDeployment({ message, program });

test('a message and its program come out as they went in', () => {
  assert.deepEqual(decodeDeployment(whole), {
    message: Buffer.from(message),
    program: Buffer.from(program),
  });
});

test('a deployment cut anywhere before its program, or of false lengths, is refused', () => {
  const refused = (error: unknown) =>
    error instanceof ApiError && error.code === 'MALFORMED_REQUEST';
  for (let length = 0; length <= 4 + message.length; length++) {
    assert.throws(() => decodeDeployment(whole.subarray(0, length)), refused, String(length));
  }
  for (const length of [whole.length, 0x7fff_ffff, 0xffff_ffff]) {
    const bytes = Buffer.from(whole);
    bytes.writeUInt32BE(length);
    assert.throws(() => decodeDeployment(bytes), refused, String(length));
  }
});
