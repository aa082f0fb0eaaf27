import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  type CborKey,
  type CborValue,
  coseHeaders,
  createEncryptionKey,
  createSigningKey,
  issueCertificate,
  kidOf,
  signCose,
} from '@concordat/crypto';
import { endorseRequestKey, GovernanceError, verifyRequestKey } from '@concordat/governance';
import { toHex, utf8 } from '@concordat/std';

const seed = (n: number): Uint8Array => new Uint8Array(32).fill(n);
const nowMs = Date.UTC(2026, 0, 1);
const atSeconds = nowMs / 1_000;

function authority(n: number) {
  const key = createSigningKey(seed(n));
  const certificateDer = issueCertificate({
    subject: { commonName: `network ${n}` },
    publicKeySpki: key.publicKeySpki,
    issuer: { key },
    serial: Uint8Array.of(n),
    notBeforeMs: nowMs,
    notAfterMs: nowMs + 3_600_000,
    isCa: true,
    usages: ['keyCertSign'],
  });
  return { key, certificateDer };
}

const network = authority(1);
const { publicKey } = createEncryptionKey(seed(9));
const content = { networkId: 'a'.repeat(64), epoch: 7, publicKey, createdAtSeconds: atSeconds };
const endorsed = endorseRequestKey(content, network);

function codeOf(bytes: Uint8Array, at = atSeconds, by = network): string {
  try {
    verifyRequestKey(bytes, { certificateDer: by.certificateDer, atSeconds: at });
  } catch (error) {
    assert(error instanceof GovernanceError, String(error));
    return error.code;
  }
  return 'endorsed';
}

test('an endorsement is verified with the network’s certificate alone', () => {
  const { certificateDer } = network;
  const found = verifyRequestKey(endorsed, { certificateDer, atSeconds });
  assert.deepEqual(
    { ...found, publicKey: toHex(found.publicKey) },
    {
      ...content,
      publicKey: toHex(publicKey),
    },
  );
});

test('it counts for ten minutes, and a minute ahead', () => {
  assert.equal(codeOf(endorsed, atSeconds + 600), 'endorsed');
  assert.equal(codeOf(endorsed, atSeconds + 601), 'CREATED_TOO_LONG_AGO');
  assert.equal(codeOf(endorsed, atSeconds - 60), 'endorsed');
  assert.equal(codeOf(endorsed, atSeconds - 61), 'CREATED_IN_FUTURE');
});

test('that of another network, or altered anywhere, is refused', () => {
  assert.equal(codeOf(endorsed, atSeconds, authority(2)), 'BAD_SIGNATURE');
  const forged = endorseRequestKey(content, { ...network, key: createSigningKey(seed(3)) });
  assert.equal(codeOf(forged), 'BAD_SIGNATURE');
  for (let at = 0; at < endorsed.length; at += 1) {
    const altered = Uint8Array.from(endorsed);
    altered[at] = (altered[at] as number) ^ 1;
    assert.match(codeOf(altered), /^(MALFORMED_MESSAGE|BAD_SIGNATURE)$/, `byte ${at}`);
    assert.equal(codeOf(endorsed.subarray(0, at)), 'MALFORMED_MESSAGE', `${at} bytes`);
  }
});

test('what the network’s key signed for another purpose is no request key', () => {
  const sign = (change: (headers: Map<CborKey, CborValue>) => void, payload: string) => {
    const protectedHeaders = new Map<CborKey, CborValue>([
      [coseHeaders.kid, kidOf(network.certificateDer)],
      ['concordat.type', 'request-key'],
      ['concordat.network', content.networkId],
      ['concordat.created-at', atSeconds],
    ]);
    change(protectedHeaders);
    return signCose({ protectedHeaders, payload: utf8(payload), key: network.key });
  };
  const good = JSON.stringify({ epoch: 7, publicKey: toHex(publicKey) });
  assert.equal(codeOf(sign(() => undefined, good)), 'endorsed');
  const purpose = sign((headers) => headers.set('concordat.type', 'vote'), good);
  assert.equal(codeOf(purpose), 'MALFORMED_MESSAGE');
  const more = sign((headers) => headers.set('more', 1), good);
  assert.equal(codeOf(more), 'MALFORMED_MESSAGE');
  for (const payload of [
    '',
    'null',
    '[]',
    '{}',
    JSON.stringify({ epoch: 0, publicKey: toHex(publicKey) }),
    JSON.stringify({ epoch: 7.5, publicKey: toHex(publicKey) }),
    JSON.stringify({ epoch: 7, publicKey: toHex(publicKey).slice(2) }),
    JSON.stringify({ epoch: 7, publicKey: `04${'11'.repeat(64)}` }),
  ]) {
    assert.equal(codeOf(sign(() => undefined, payload)), 'MALFORMED_MESSAGE', payload);
  }
});
