import assert from 'node:assert/strict';
import test from 'node:test';
import { fromHex, toDigest, utf8 } from '@concordat/std';
import { commitmentsTo, drawPolynomial, valueAt } from '../polynomial.ts';
import { drawScalar, type Scalar, timesBase } from '../ristretto.ts';
import {
  ciphertextBytes,
  combineDecryptionShares,
  createDecryptionShare,
  type DecryptionShare,
  decodeCiphertext,
  decodeDecryptionShare,
  decryptionShareBytes,
  encodeCiphertext,
  encodeDecryptionShare,
  encryptToThreshold,
  isCiphertextValid,
  isDecryptionShareValid,
  type ShareRequest,
} from '../tdh2.ts';
import { publicKeyOf, type ThresholdKey, verificationKeyOf } from '../threshold-key.ts';
import { entropyOf } from './entropy.ts';

const label = utf8('label: network, epoch 3');
const requester = utf8('node 7');
const message = fromHex(
  '00112233445566778899aabbccddeeff102132435465768798a9bacbdcedfe0f',
) as Uint8Array;

function setting(count: number, threshold: number, name = 'setting') {
  const draw = entropyOf(name);
  const polynomial = drawPolynomial(threshold, draw);
  const holders = Array.from({ length: count }, (_, at) => at + 1);
  const key: ThresholdKey = {
    id: toDigest(new Uint8Array(32)),
    threshold,
    commitments: commitmentsTo(polynomial),
    holders,
  };
  const secrets = new Map<number, Scalar>(holders.map((one) => [one, valueAt(polynomial, one)]));
  const publicKey = publicKeyOf(key);
  const ciphertext = encryptToThreshold({
    publicKey,
    label,
    message32: message,
    entropy128: draw(128),
  });
  const request: ShareRequest = { ciphertext, label, requester };
  const share = (index: number, on = request): DecryptionShare =>
    createDecryptionShare(on, { index, secret: secrets.get(index) as Scalar }, draw(64));
  const combining = {
    threshold,
    verificationKey: (index: number) => verificationKeyOf(key, index),
  };
  return { key, request, share, combining, draw, secrets };
}

test('shares of any three of five holders read the message; two, or one twice, do not', () => {
  const { request, share, combining } = setting(5, 3);
  for (const indices of [
    [1, 2, 3],
    [5, 3, 1],
    [2, 4, 5],
    [1, 2, 3, 4, 5],
  ]) {
    const shares = indices.map((index) => share(index));
    assert.deepEqual(combineDecryptionShares(request, shares, combining), message);
  }
  const [first, second] = [share(1), share(2)];
  const refuse = (shares: DecryptionShare[], code: string): void => {
    assert.throws(() => combineDecryptionShares(request, shares, combining), { code });
  };
  refuse([first, second], 'TOO_FEW_SHARES');
  refuse([first, second, share(2)], 'DUPLICATE_SHARE');
  refuse([first, second, { ...second, index: 3 }], 'INVALID_SHARE');
  refuse([first, second, { ...share(3), index: 9 }], 'INVALID_SHARE');
  refuse([], 'TOO_FEW_SHARES');
});

test('a forged share is named even when enough good ones are there', () => {
  const { request, share, combining, draw } = setting(3, 2);
  const forged = { ...share(3), value: timesBase(drawScalar(draw(64))) };
  assert.throws(
    () => combineDecryptionShares(request, [share(1), share(2), forged], combining),
    (error: { code?: string; details?: { index?: number } }) =>
      error.code === 'INVALID_SHARE' && error.details?.index === 3,
  );
});

test('a share is for one ciphertext, one label and one requester', () => {
  const { key, request, share, draw } = setting(3, 2);
  const verificationKey = verificationKeyOf(key, 1) as never;
  const given = share(1);
  assert.ok(isDecryptionShareValid(request, given, verificationKey));
  const again = encryptToThreshold({
    publicKey: publicKeyOf(key),
    label,
    message32: message,
    entropy128: draw(128),
  });
  for (const other of [
    { ...request, requester: utf8('node 8') },
    { ...request, label: utf8('label: network, epoch 4') },
    { ...request, ciphertext: again },
  ]) {
    assert.ok(!isDecryptionShareValid(other, given, verificationKey));
  }
});

test('a ciphertext that was changed anywhere, or moved to another label, gets no share', () => {
  const { request, secrets, draw } = setting(3, 2);
  const { ciphertext } = request;
  assert.ok(isCiphertextValid(ciphertext, label));
  const holder = { index: 1, secret: secrets.get(1) as Scalar };
  const refuse = (on: ShareRequest): void => {
    assert.throws(() => createDecryptionShare(on, holder, draw(64)), {
      code: 'INVALID_CIPHERTEXT',
    });
  };
  refuse({ ...request, label: utf8('another label') });
  const bytes = encodeCiphertext(ciphertext);
  assert.equal(bytes.length, ciphertextBytes);
  assert.deepEqual(encodeCiphertext(decodeCiphertext(bytes)), bytes);
  for (let at = 0; at < bytes.length; at++) {
    const flipped = Uint8Array.from(bytes);
    flipped[at] = (flipped[at] as number) ^ (1 << (at % 8));
    try {
      refuse({ ...request, ciphertext: decodeCiphertext(flipped) });
    } catch (error) {
      const { code } = error as { code?: string };
      assert.ok(
        ['MALFORMED', 'INVALID_ELEMENT', 'INVALID_SCALAR'].includes(code ?? ''),
        `${error}`,
      );
    }
  }
  for (const wrong of [
    bytes.subarray(1),
    Buffer.concat([bytes, Buffer.of(0)]),
    new Uint8Array(0),
  ]) {
    assert.throws(() => decodeCiphertext(wrong), { code: 'MALFORMED' });
  }
});

test('two encryptions of one message have nothing in common', () => {
  const { key, draw } = setting(1, 1);
  const encrypt = () =>
    encryptToThreshold({
      publicKey: publicKeyOf(key),
      label,
      message32: message,
      entropy128: draw(128),
    });
  const [one, other] = [encrypt(), encrypt()];
  assert.notDeepEqual(one.masked, other.masked);
  assert.notDeepEqual(one.u, other.u);
});

test('an encoded share comes back, and cut, extended or foreign bytes are refused', () => {
  const { share } = setting(3, 2);
  const given = share(2);
  const bytes = encodeDecryptionShare(given);
  assert.equal(bytes.length, decryptionShareBytes);
  assert.deepEqual(encodeDecryptionShare(decodeDecryptionShare(bytes)), bytes);
  const refused = (bad: Uint8Array): void => {
    assert.throws(
      () => decodeDecryptionShare(bad),
      ({ code }: { code?: string }) => code === 'MALFORMED' || code === 'INVALID_ELEMENT',
    );
  };
  refused(bytes.subarray(1));
  refused(Buffer.concat([bytes, Buffer.of(0)]));
  refused(Uint8Array.from(bytes, (byte, at) => (at < 2 ? 0 : byte)));
  refused(Uint8Array.from(bytes, (byte, at) => (at < 2 ? 0xff : byte)));
  refused(Uint8Array.from(bytes, (byte, at) => (at >= 2 && at < 34 ? 0 : byte)));
});
