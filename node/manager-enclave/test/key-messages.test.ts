import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  type CeremonyTerms,
  createDealing,
  createHolderKey,
  encodeDealing,
  type HolderKey,
  type Scalar,
  timesBase,
} from '@concordat/keys';
import { type ActorId, type NodeId, toDigest, utf8 } from '@concordat/std';
import { dealingEntropy } from '../dealing-entropy.ts';
import {
  type CeremonyMessage,
  decodeCeremonyMessage,
  decodeHolderRequest,
  decodeHolderSecret,
  encodeCeremonyMessage,
  encodeHolderRequest,
  encodeHolderSecret,
} from '../key-messages.ts';
import { entropyOf } from './parties.ts';

const entropy = entropyOf('messages');
const holders = [1, 2, 3].map(() => createHolderKey(entropy(64)));
const share = createHolderKey(entropy(64));
const hex = 'ab'.repeat(32);

/** A resharing of a key with threshold 1: everybody holds the same share. */
const resharing: CeremonyTerms = {
  networkId: hex,
  openedAt: 7,
  threshold: 2,
  receivers: holders.map(({ encryptionKey }, at) => {
    return { index: at + 1, actor: `actor ${at}`, encryptionKey };
  }),
  dealers: [1, 2].map((index) => {
    return { index, actor: `actor ${index - 1}`, verificationKey: share.encryptionKey };
  }),
  reshares: { keyId: toDigest(new Uint8Array(32).fill(3)), threshold: 1 },
};

interface Source {
  readonly terms: CeremonyTerms;
  readonly dealer: number;
  readonly holderSecret: Scalar;
  readonly authorKey: Scalar;
  readonly measurement: string;
}

const sourceOf = (change: Partial<Source> = {}): Source => ({
  terms: resharing,
  dealer: 1,
  holderSecret: (holders[0] as HolderKey).decryptionKey,
  authorKey: share.decryptionKey,
  measurement: 'aa'.repeat(32),
  ...change,
});

const dealt = (source: Source) => createDealing(source.terms, source, dealingEntropy(source));

test('an actor deals the same bytes however often and wherever it deals', () => {
  assert.deepEqual(encodeDealing(dealt(sourceOf())), encodeDealing(dealt(sourceOf())));
});

test('no two dealings share any of their entropy: not of two dealers with one share, ceremonies or code', () => {
  const second = (holders[1] as HolderKey).decryptionKey;
  const dealings = [
    sourceOf(),
    sourceOf({ dealer: 2 }),
    sourceOf({ dealer: 2, holderSecret: second }),
    sourceOf({ terms: { ...resharing, openedAt: 8 } }),
    sourceOf({ measurement: 'bb'.repeat(32) }),
  ].map(dealt);
  const drawn = dealings.flatMap(({ commitments, ephemeral, secretProof, authorProof }) =>
    // The first commitment is to the share itself; of a proof, its commitment to the nonce.
    [...commitments.slice(1), ephemeral, secretProof.slice(0, 32), authorProof.slice(0, 32)].map(
      (point) => Buffer.from(point).toString('hex'),
    ),
  );
  assert.equal(new Set(drawn).size, drawn.length);
  assert.equal(drawn.length, 4 * dealings.length);
});

const messages: CeremonyMessage[] = [
  {
    kind: 'registration',
    registration: {
      actorId: hex as ActorId,
      nodeId: hex as NodeId,
      number: 1,
      encryptionKey: hex,
      proof: 'cd'.repeat(64),
      signature: 'MEUCIQ==',
    },
  },
  { kind: 'dealing', bytes: new Uint8Array([1, 2, 3]) },
  { kind: 'complaint', bytes: new Uint8Array(99) },
  { kind: 'confirmation', bytes: new Uint8Array(66) },
];

test('contributions come through as they were sent', () => {
  for (const message of messages) {
    const body = encodeCeremonyMessage(message);
    const received = decodeCeremonyMessage(body);
    assert.equal(received.kind, message.kind);
    assert.deepEqual(encodeCeremonyMessage(received), body);
  }
});

test('a contribution that is anything else is refused by its form: CHANNEL_FAILED', () => {
  const failed = { code: 'CHANNEL_FAILED' };
  for (const message of messages) {
    const body = encodeCeremonyMessage(message);
    for (let at = 0; at < body.length; at++) {
      assert.throws(() => decodeCeremonyMessage(body.subarray(0, at)), failed);
    }
    assert.throws(() => decodeCeremonyMessage(Buffer.concat([body, utf8('}')])), failed);
  }
  const registration = { ...(messages[0] as { registration: object }).registration };
  for (const wrong of [
    null,
    [],
    {},
    { kind: 'deadline', bytes: '' },
    { kind: 'dealing' },
    { kind: 'dealing', bytes: 'xyz' },
    { kind: 'dealing', bytes: 'abc' },
    { kind: 'dealing', bytes: '00'.repeat(40_000) },
    { kind: 'registration' },
    { kind: 'registration', registration: null },
    { kind: 'registration', registration: { ...registration, actorId: 'x' } },
    { kind: 'registration', registration: { ...registration, number: 1.5 } },
    { kind: 'registration', registration: { ...registration, number: '1' } },
    { kind: 'registration', registration: { ...registration, encryptionKey: `${hex}00` } },
    { kind: 'registration', registration: { ...registration, proof: 'a'.repeat(129) } },
    { kind: 'registration', registration: { ...registration, signature: 7 } },
  ]) {
    assert.throws(() => decodeCeremonyMessage(utf8(JSON.stringify(wrong))), failed);
  }
});

test('what else a registration is sent with does not come through', () => {
  const { registration } = messages[0] as { registration?: object };
  const body = { kind: 'registration', registration: { ...registration, more: 'x' } };
  assert.deepEqual(decodeCeremonyMessage(utf8(JSON.stringify(body))), messages[0]);
});

test('a holder key goes from node to node as it is, and nothing else is taken for one', () => {
  const { decryptionKey } = share;
  assert.equal(decodeHolderRequest(encodeHolderRequest(hex)), hex);
  const received = decodeHolderSecret(encodeHolderSecret(decryptionKey));
  assert.deepEqual(timesBase(received), share.encryptionKey);
  for (const wrong of ['', '{}', '{"decryptionKey":1}', '{"decryptionKey":"00"}', 'null']) {
    assert.throws(() => decodeHolderSecret(utf8(wrong)), { code: 'CHANNEL_FAILED' });
    assert.throws(() => decodeHolderRequest(utf8(wrong)), { code: 'CHANNEL_FAILED' });
  }
  const aboveOrder = utf8(JSON.stringify({ decryptionKey: 'ff'.repeat(32) }));
  assert.throws(() => decodeHolderSecret(aboveOrder), { code: 'INVALID_SCALAR' });
});
