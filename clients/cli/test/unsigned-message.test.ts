import assert from 'node:assert/strict';
import { createPrivateKey, sign } from 'node:crypto';
import { test } from 'node:test';
import { createSigningKey, fromPem, kidOf, signCoseWith } from '@concordat/crypto';
import { buildProposal, buildVote, canonicalJson, decodeMessage } from '@concordat/governance';
import { createOrganisation } from '@concordat/sdk';
import { concatBytes, toBase64, toHex, utf8 } from '@concordat/std';
import { Names } from '../constitution-names.ts';
import { CliError } from '../errors.ts';
import { messageLines } from '../proposing.ts';
import {
  actionsOf,
  bytesToSign,
  joinSignature,
  readBytesToSign,
  signBytes,
} from '../unsigned-message.ts';

const member = createOrganisation({ name: 'aurora' });
const [certificateDer = new Uint8Array()] = fromPem(member.certificatePem);
const about = { networkId: 'ab'.repeat(32), createdAtSeconds: 1_790_000_000, certificateDer };
const actions = [{ name: 'begin_epoch', args: {} }] as const;
const bytes = bytesToSign(about, (options) => buildProposal({ ...options, actions }));
const publicKey = member.signingKey?.publicKeySpki;

const isUsage = (error: unknown): boolean => error instanceof CliError && error.code === 'USAGE';

test('the bytes to sign say what is signed, and nothing else is needed to make the message', () => {
  const read = readBytesToSign(bytes, 'message.tbs');
  assert.equal(read.type, 'proposal');
  assert.equal(read.networkId, about.networkId);
  assert.deepEqual(actionsOf(read), actions);
  assert.ok(member.messageSigner);
  const signature = signBytes(member.messageSigner, bytes);
  const message = joinSignature(bytes, signature, publicKey);
  assert.deepEqual(decodeMessage(message).payload, { actions });
});

test('what a token signs elsewhere is the same', () => {
  const key = createPrivateKey(member.keyPem);
  const elsewhere = {
    sign: (text: Uint8Array) => sign('sha256', text, { key, dsaEncoding: 'ieee-p1363' }),
  };
  joinSignature(bytes, signBytes(elsewhere, bytes), publicKey);
});

test('signatures are taken as DER and as r and s, as bytes, hex and base64', () => {
  const key = createPrivateKey(member.keyPem);
  const der = sign('sha256', bytes, key);
  const raw = sign('sha256', bytes, { key, dsaEncoding: 'ieee-p1363' });
  for (const signature of [der, raw]) {
    for (const form of [signature, utf8(toHex(signature)), utf8(`${toBase64(signature)}\n`)]) {
      joinSignature(bytes, form, publicKey);
    }
  }
});

test('a signature of another key, over other bytes, or cut, is refused before it is sent', () => {
  const key = createPrivateKey(member.keyPem);
  const stranger = createPrivateKey(createSigningKey(new Uint8Array(32).fill(5)).toPkcs8Pem());
  const vote = { proposalId: 'cd'.repeat(32), accept: true };
  const other = bytesToSign(about, (options) => buildVote({ ...options, ...vote }));
  const good = sign('sha256', bytes, key);
  const bad = [
    sign('sha256', bytes, stranger),
    sign('sha256', other, key),
    concatBytes(good, Uint8Array.of(0)),
    Uint8Array.of(),
    utf8('no signature'),
    new Uint8Array(64),
  ];
  for (const signature of bad) {
    assert.throws(() => joinSignature(bytes, signature, publicKey), isUsage, toHex(signature));
  }
  for (let end = 0; end < good.length; end++) {
    assert.throws(() => joinSignature(bytes, good.subarray(0, end), publicKey), isUsage);
  }
});

test('bytes that are no message to sign are refused, cut, extended or altered in form', () => {
  for (let end = 0; end < bytes.length; end++) {
    assert.throws(() => readBytesToSign(bytes.subarray(0, end), 'cut'), isUsage, `${end}`);
  }
  assert.throws(() => readBytesToSign(concatBytes(bytes, Uint8Array.of(0)), 'long'), isUsage);
  assert.throws(() => readBytesToSign(utf8('{"actions":[]}'), 'json'), isUsage);
  assert.throws(() => readBytesToSign(utf8('\u001b[2J'), 'text'), isUsage);
  for (let at = 0; at < bytes.length; at++) {
    const flipped = Uint8Array.from(bytes);
    flipped[at] = (flipped[at] as number) ^ 0x80;
    try {
      readBytesToSign(flipped, 'flipped');
    } catch (error) {
      assert.ok(isUsage(error), `${at}: ${String(error)}`);
    }
  }
});

/** What a signer is handed that no builder of messages makes. */
const handed = (payload: unknown, type: 'proposal' | 'vote'): Uint8Array => {
  let covered = new Uint8Array();
  const protectedHeaders = new Map<number | string, number | string | Uint8Array>([
    [4, kidOf(certificateDer)],
    ['concordat.type', type],
    ['concordat.network', about.networkId],
    ['concordat.created-at', about.createdAtSeconds],
    ...(type === 'vote' ? [['concordat.proposal', 'cd'.repeat(32)] as const] : []),
  ]);
  signCoseWith({
    protectedHeaders,
    payload: utf8(canonicalJson(payload)),
    sign: (tbs) => {
      covered = Uint8Array.from(tbs);
      return new Uint8Array(64);
    },
  });
  return covered;
};

test('a message that says more, or other, than its kind does is not signed', () => {
  readBytesToSign(handed({ actions }, 'proposal'), 'good');
  readBytesToSign(handed({ accept: true }, 'vote'), 'good');
  const [action] = actions;
  const proposals = [null, [], {}, { actions: 5 }, { actions, more: 1 }, { actions: [null] }];
  const odd = [{ ...action, more: 1 }, { name: 'begin_epoch' }, { name: 1, args: {} }];
  for (const payload of [...proposals, ...odd.map((one) => ({ actions: [one] }))]) {
    assert.throws(() => readBytesToSign(handed(payload, 'proposal'), 'odd'), isUsage);
  }
  for (const payload of [null, {}, { accept: 1 }, { accept: false, accepts: true }]) {
    assert.throws(() => readBytesToSign(handed(payload, 'vote'), 'odd'), isUsage);
  }
});

test('whoever signs is told of a message that is good only later, or no longer', () => {
  const message = readBytesToSign(bytes, 'message.tbs');
  const linesAt = (later: number): string =>
    messageLines(message, new Names(), about.createdAtSeconds + later).join('\n');
  assert.doesNotMatch(linesAt(0), /AHEAD|too long ago/);
  assert.doesNotMatch(linesAt(80_000), /AHEAD|too long ago/);
  assert.match(linesAt(-3_600), /AHEAD OF THIS CLOCK/);
  assert.match(linesAt(90_000), /too long ago to be sent/);
});
