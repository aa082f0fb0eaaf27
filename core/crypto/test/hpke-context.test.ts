import assert from 'node:assert/strict';
import { test } from 'node:test';
import { CryptoError, createEncryptionKey, openReply, sealReply, sendTo } from '@concordat/crypto';
import { toHex, utf8 } from '@concordat/std';
import { Aes256Gcm, CipherSuite, DhkemP256HkdfSha256, HkdfSha256 } from '@hpke/core';
import { hpkeSchedule } from '../encryption-key.ts';

const seed = (n: number): Uint8Array => new Uint8Array(32).fill(n);
const suite = new CipherSuite({
  kem: new DhkemP256HkdfSha256(),
  kdf: new HkdfSha256(),
  aead: new Aes256Gcm(),
});
const info = utf8('network');
const aad = utf8('header');
const refused = (error: unknown): boolean =>
  error instanceof CryptoError && error.code === 'AUTHENTICATION_FAILED';
const buffer = (bytes: Uint8Array): ArrayBuffer => Uint8Array.from(bytes).buffer;

test('exports are those of RFC 9180 A.3.1.2', () => {
  const shared = Buffer.from(
    'c0d26aeab536609a572b07695d933b589dcf363ff9d93c93adea537aeabb8cb8',
    'hex',
  );
  const named = Buffer.from('4f6465206f6e2061204772656369616e2055726e', 'hex');
  const { exportOf } = hpkeSchedule(shared, named, { id: 1, keyBytes: 16 });
  const expected = [
    ['', '5e9bc3d236e1911d95e65b576a8a86d478fb827e8bdfe77b741b289890490d4d'],
    ['00', '6cff87658931bda83dc857e6353efe4987a201b849658d9b047aab4cf216e796'],
    ['54657374436f6e74657874', 'd8f1ea7942adbba7412c6d431c62d01371ea476b823eb697e1f6e6cae1dab85a'],
  ] as const;
  for (const [label, secret] of expected) {
    assert.equal(toHex(exportOf(Buffer.from(label, 'hex'))), secret, label);
  }
});

test('what another implementation seals is opened here, and both export the same', async () => {
  const key = createEncryptionKey(seed(1));
  const recipientPublicKey = await suite.kem.deserializePublicKey(buffer(key.publicKey));
  const sender = await suite.createSenderContext({ recipientPublicKey, info: buffer(info) });
  const sealed = new Uint8Array(await sender.seal(buffer(utf8('hello')), buffer(aad)));
  const context = key.receive(new Uint8Array(sender.enc), info);
  assert.equal(Buffer.from(context.open(sealed, aad)).toString(), 'hello');
  const theirs = new Uint8Array(await sender.export(buffer(utf8('reply')), 32));
  assert.equal(toHex(context.export(utf8('reply'))), toHex(theirs));
});

test('what is sealed here another implementation opens, and both export the same', async () => {
  const pair = await suite.kem.generateKeyPair();
  const point = new Uint8Array(await suite.kem.serializePublicKey(pair.publicKey));
  const context = sendTo(point, info, seed(2));
  const sealed = context.seal(utf8('hello'), aad);
  const recipient = await suite.createRecipientContext({
    recipientKey: pair.privateKey,
    enc: buffer(context.ephemeral),
    info: buffer(info),
  });
  const opened = await recipient.open(buffer(sealed), buffer(aad));
  assert.equal(Buffer.from(opened).toString(), 'hello');
  const theirs = new Uint8Array(await recipient.export(buffer(utf8('reply')), 32));
  assert.equal(toHex(context.export(utf8('reply'))), toHex(theirs));
});

test('a context opens nothing of another key, info, header or byte', () => {
  const key = createEncryptionKey(seed(1));
  const context = sendTo(key.publicKey, info, seed(3));
  const sealed = context.seal(utf8('hello'), aad);
  const open = (
    opener = key,
    { bytes = sealed, about = info, header = aad, ephemeral = context.ephemeral } = {},
  ) => opener.receive(ephemeral, about).open(bytes, header);
  assert.equal(Buffer.from(open()).toString(), 'hello');
  assert.throws(() => open(createEncryptionKey(seed(9))), refused);
  assert.throws(() => open(key, { about: utf8('other') }), refused);
  assert.throws(() => open(key, { header: utf8('other') }), refused);
  assert.throws(() => open(key, { bytes: sealed.subarray(1) }), refused);
  for (let at = 0; at < sealed.length; at += 1) {
    const bytes = Uint8Array.from(sealed);
    bytes[at] = (bytes[at] as number) ^ 1;
    assert.throws(() => open(key, { bytes }), refused, `byte ${at}`);
  }
  for (let at = 0; at < 65; at += 1) {
    const ephemeral = Uint8Array.from(context.ephemeral);
    ephemeral[at] = (ephemeral[at] as number) ^ 1;
    assert.throws(() => open(key, { ephemeral }), refused, `ephemeral byte ${at}`);
  }
  for (const length of [0, 64, 66]) {
    assert.throws(() => open(key, { ephemeral: new Uint8Array(length) }), refused);
  }
});

test('a context seals once: a second message would have the same nonce', () => {
  const context = sendTo(createEncryptionKey(seed(1)).publicKey, info, seed(4));
  context.seal(utf8('one'), aad);
  assert.throws(() => context.seal(utf8('two'), aad), /one message/);
});

test('a reply opens for its own request alone, unaltered', () => {
  const [mine, other] = [5, 6].map((n) => {
    const context = sendTo(createEncryptionKey(seed(1)).publicKey, info, seed(n));
    return { secret: context.export(utf8('reply')), ephemeral: context.ephemeral };
  });
  assert(mine && other);
  const sealed = sealReply(mine, utf8('answer'), seed(7));
  assert.equal(Buffer.from(openReply(mine, sealed)).toString(), 'answer');
  assert.throws(() => openReply(other, sealed), refused);
  assert.throws(() => openReply({ ...mine, ephemeral: other.ephemeral }, sealed), refused);
  for (let at = 0; at < sealed.length; at += 1) {
    const bytes = Uint8Array.from(sealed);
    bytes[at] = (bytes[at] as number) ^ 1;
    assert.throws(() => openReply(mine, bytes), refused, `byte ${at}`);
    assert.throws(() => openReply(mine, sealed.subarray(0, at)), refused, `${at} bytes`);
  }
});
