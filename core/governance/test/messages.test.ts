import assert from 'node:assert/strict';
import { sign as ecdsaSign } from 'node:crypto';
import { test } from 'node:test';
import { coseHeaders, kidOf, signCose } from '@concordat/crypto';
import {
  buildProposal,
  buildVote,
  canonicalJson,
  decodeMessage,
  GovernanceError,
  getProposal,
  maxMessageAgeSeconds,
  maxMessageBytes,
  maxMessageLeadSeconds,
  maxOpenProposals,
  messageIdOf,
  recentMessages,
  submitMessage,
} from '@concordat/governance';
import { concatBytes, utf8 } from '@concordat/std';
import { action, actorArgs, Network, organisation } from './network.ts';

const change = action('set_policy', { name: 'maxBatchDelayMs', value: 1 });
const proposalOf = (network: Network, name = 'ada') =>
  buildProposal({ ...network.options(name), actions: [change] });

/** A message of any headers and payload, properly signed by ada. */
function craft(network: Network, headers: [string | number, unknown][], payload: Uint8Array) {
  const { key, certificateDer, networkId, createdAtSeconds } = network.options('ada');
  const protectedHeaders = new Map<string | number, never>([
    [coseHeaders.kid, kidOf(certificateDer) as never],
    ['concordat.type', 'proposal' as never],
    ['concordat.network', networkId as never],
    ['concordat.created-at', createdAtSeconds as never],
  ]);
  for (const [label, value] of headers) {
    if (value === undefined) protectedHeaders.delete(label);
    else protectedHeaders.set(label, value as never);
  }
  return signCose({ protectedHeaders, payload, key });
}

const payload = (value: unknown) => utf8(canonicalJson(value));

test('the id of a proposal is the SHA-256 of its message', () => {
  const network = new Network(['ada']);
  const message = proposalOf(network);
  assert.equal(network.submit(message).proposalId, messageIdOf(message));
});

test('a message can be signed elsewhere, by whatever makes ES256 signatures', () => {
  const network = new Network(['ada']);
  const { key, ...options } = network.options('ada');
  const sign = (bytes: Uint8Array) =>
    ecdsaSign('sha256', bytes, { key: key.keyObject, dsaEncoding: 'ieee-p1363' });
  const message = buildProposal({ ...options, sign, actions: [change] });
  assert.equal(network.submit(message).state, 'open');
});

test('a message takes effect once', () => {
  const network = new Network(['ada', 'bob']);
  const message = proposalOf(network);
  const { proposalId } = network.submit(message);
  const refusal = network.refuses('REPLAY', () => network.submit(message));
  assert.equal(refusal.details.messageId, proposalId);
  const vote = buildVote({ ...network.options('ada'), proposalId, accept: true });
  network.submit(vote);
  network.refuses('REPLAY', () => network.submit(vote));
});

test('the second valid form of an ECDSA signature is a replay too', () => {
  const network = new Network(['ada']);
  const message = proposalOf(network);
  network.submit(message);
  const order = 0xffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551n;
  const s = BigInt(`0x${Buffer.from(message.subarray(-32)).toString('hex')}`);
  const mirrored = (order - s).toString(16).padStart(64, '0');
  const twin = concatBytes(message.subarray(0, -32), Buffer.from(mirrored, 'hex'));
  assert.notEqual(messageIdOf(twin), messageIdOf(message));
  network.refuses('REPLAY', () => network.submit(twin));
});

test('a message of another network is refused', () => {
  const [here, there] = [new Network(['ada']), new Network(['ada', 'bob'])];
  assert.notEqual(here.networkId, there.networkId);
  here.refuses('WRONG_NETWORK', () => here.submit(proposalOf(there)));
});

test('a stranger is refused, and so is one who signs as somebody else', () => {
  const network = new Network(['ada', 'bob']);
  network.refuses('UNKNOWN_ACTOR', () => network.submit(proposalOf(network, 'mallory')));
  const forged = { ...network.options('ada'), key: organisation('bob').key, actions: [change] };
  network.refuses('BAD_SIGNATURE', () => network.submit(buildProposal(forged)));
});

test('messages too old or too far ahead of the clock are refused, at the edge accepted', () => {
  const network = new Network(['ada']);
  const at = (createdAtSeconds: number) =>
    buildProposal({ ...network.options('ada'), createdAtSeconds, actions: [change] });
  const { now } = network;
  const submit = (bytes: Uint8Array) => submitMessage(network.set, bytes, { nowSeconds: now });
  network.refuses('CREATED_IN_FUTURE', () => submit(at(now + maxMessageLeadSeconds + 1)));
  network.refuses('CREATED_TOO_LONG_AGO', () => submit(at(now - maxMessageAgeSeconds - 1)));
  submit(at(now - maxMessageAgeSeconds));
  submit(at(now + maxMessageLeadSeconds));
});

test('what left the window of its signer is refused for good, even if the clock is set back', () => {
  const network = new Network(['ada', 'bob']);
  const early = proposalOf(network);
  const bobs = proposalOf(network, 'bob');
  const earlyNow = network.now;
  const { proposalId } = network.submit(early);
  network.withdraw('ada', proposalId);
  for (let i = 0; i < recentMessages / 2; i++) {
    network.withdraw('ada', network.submit(proposalOf(network)).proposalId);
  }
  network.now = earlyNow;
  network.refuses('CREATED_TOO_LONG_AGO', () => network.submit(early));
  // The window is each signer's own: an unseen message of bob's, as old, still counts.
  assert.equal(network.submit(bobs).state, 'open');
});

test('a member that comes back cannot be made to repeat itself', () => {
  const network = new Network(['ada', 'bob', 'cyd']);
  const old = proposalOf(network, 'cyd');
  network.submit(old);
  const { actorId } = organisation('cyd');
  network.pass(['ada', 'bob'], action('remove_actor', { actorId }));
  network.pass(['ada', 'bob'], action('add_actor', actorArgs('cyd')));
  network.refuses('CREATED_TOO_LONG_AGO', () => network.submit(old));
  assert.equal(network.submit(proposalOf(network, 'cyd')).state, 'open');
});

test('a vote or withdrawal for a proposal nobody made is refused', () => {
  const network = new Network(['ada']);
  const nowhere = 'ab'.repeat(32);
  network.refuses('PROPOSAL_NOT_FOUND', () => network.vote('ada', nowhere));
  network.refuses('PROPOSAL_NOT_FOUND', () => network.withdraw('ada', nowhere));
});

test('a member has a bounded number of open proposals; withdrawing makes room', () => {
  const network = new Network(['ada', 'bob']);
  const ids = Array.from({ length: maxOpenProposals }, () => network.propose('ada', change));
  network.refuses('TOO_MANY_OPEN_PROPOSALS', () => network.propose('ada', change));
  assert.equal(network.propose('bob', change).state, 'open');
  network.withdraw('ada', ids[7]?.proposalId ?? '');
  assert.equal(network.propose('ada', change).state, 'open');
});

test('a message above the limit is refused before it is read', () => {
  const network = new Network(['ada']);
  const large = new Uint8Array(maxMessageBytes + 1);
  network.refuses('MESSAGE_TOO_LARGE', () => network.submit(large));
});

test('headers missing, malformed or beyond those defined are refused', () => {
  const network = new Network(['ada']);
  const body = payload({ actions: [change] });
  const wrong: [string | number, unknown][] = [
    [coseHeaders.kid, undefined],
    [coseHeaders.kid, utf8('ada')],
    ['concordat.type', undefined],
    ['concordat.type', 'coup'],
    ['concordat.network', undefined],
    ['concordat.network', 'AB'.repeat(32)],
    ['concordat.created-at', undefined],
    ['concordat.created-at', -1],
    ['concordat.created-at', 'now'],
    ['concordat.created-at', 2 ** 52],
    ['concordat.proposal', 'ab'.repeat(32)],
    ['extra', 1],
  ];
  for (const header of wrong) {
    const message = craft(network, [header], body);
    network.refuses('MALFORMED_MESSAGE', () => network.submit(message));
  }
  for (const id of [undefined, 'short', 7]) {
    const headers: [string, unknown][] = [
      ['concordat.type', 'vote'],
      ['concordat.proposal', id],
    ];
    const message = craft(network, headers, payload({ accept: true }));
    network.refuses('MALFORMED_MESSAGE', () => network.submit(message));
  }
});

test('an unprotected header is refused, since nobody signed it', () => {
  const network = new Network(['ada']);
  const { key, certificateDer, networkId, createdAtSeconds } = network.options('ada');
  const message = signCose({
    protectedHeaders: new Map<string | number, string | number | Uint8Array>([
      [coseHeaders.kid, kidOf(certificateDer)],
      ['concordat.type', 'proposal'],
      ['concordat.network', networkId],
      ['concordat.created-at', createdAtSeconds],
    ]),
    unprotectedHeaders: new Map([['note', 'x']]),
    payload: payload({ actions: [change] }),
    key,
  });
  network.refuses('MALFORMED_MESSAGE', () => network.submit(message));
});

test('a payload with more than one reading is refused', () => {
  const network = new Network(['ada']);
  const texts = [
    '',
    'nonsense',
    '{"actions": []}',
    '{"actions":[],"actions":[]}',
    '{"b":1,"a":2}',
    '[1.0]',
    '"\\u0041"',
    `${'['.repeat(5000)}${']'.repeat(5000)}`,
    '\ufeff{}',
  ];
  for (const text of texts) {
    const message = craft(network, [], utf8(text));
    network.refuses('MALFORMED_MESSAGE', () => network.submit(message));
  }
  const notUtf8 = Buffer.from([0x22, 0xff, 0x22]);
  network.refuses('MALFORMED_MESSAGE', () => network.submit(craft(network, [], notUtf8)));
});

test('a vote says accept, true or false, and nothing else; a withdrawal says nothing', () => {
  const network = new Network(['ada']);
  const { proposalId } = network.submit(proposalOf(network));
  const bodies: [string, unknown][] = [
    ['vote', {}],
    ['vote', { accept: 1 }],
    ['vote', { accept: true, twice: true }],
    ['vote', [true]],
    ['withdrawal', { because: 1 }],
    ['withdrawal', null],
  ];
  for (const [type, body] of bodies) {
    const headers: [string, unknown][] = [
      ['concordat.type', type],
      ['concordat.proposal', proposalId],
    ];
    const message = craft(network, headers, payload(body));
    network.refuses('MALFORMED_MESSAGE', () => network.submit(message));
  }
  assert.equal(getProposal(network.set, proposalId)?.state, 'open');
});

test('a message with any bit flipped, cut short or extended is refused without a trace', () => {
  const network = new Network(['ada']);
  const message = proposalOf(network);
  const before = network.dump();
  const codes = new Map<string, number>();
  const attempt = (bytes: Uint8Array, what: string) => {
    try {
      network.submit(bytes);
    } catch (error) {
      assert.ok(error instanceof GovernanceError, `${what}: ${error}`);
      codes.set(error.code, (codes.get(error.code) ?? 0) + 1);
      return;
    }
    assert.fail(`${what} was accepted`);
  };
  for (let at = 0; at < message.length; at++) {
    for (let bit = 0; bit < 8; bit++) {
      const flipped = Uint8Array.from(message);
      flipped[at] = (flipped[at] as number) ^ (1 << bit);
      attempt(flipped, `bit ${bit} of byte ${at}`);
    }
    attempt(message.subarray(0, at), `cut at ${at}`);
  }
  attempt(concatBytes(message, Uint8Array.of(0)), 'one byte more');
  attempt(concatBytes(message, message), 'twice');
  assert.equal(network.dump(), before);
  for (const code of ['BAD_SIGNATURE', 'MALFORMED_MESSAGE', 'WRONG_NETWORK', 'UNKNOWN_ACTOR']) {
    assert.ok(codes.has(code), code);
  }
  assert.equal(network.submit(message).state, 'open');
});

test('random bytes never decode and never throw anything but a refusal', () => {
  let state = 1;
  const random = () => {
    state = (Math.imul(state, 1_103_515_245) + 12_345) >>> 0;
    return state >>> 16;
  };
  for (let round = 0; round < 2000; round++) {
    const bytes = Uint8Array.from({ length: random() % 80 }, () => random() & 0xff);
    if (bytes.length > 1) bytes.set([0xd2, 0x84]);
    assert.throws(() => decodeMessage(bytes), GovernanceError);
  }
});
