import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  encodeSealedRequest,
  sealedReplyLabel,
  sealedRequestHeader,
  sealedRequestInfo,
} from '@concordat/api';
import { decodeIdentity } from '@concordat/bridge';
import {
  CborTag,
  type CborValue,
  coseHeaders,
  createSigningKey,
  decodeCbor,
  encodeCbor,
  fromPem,
  issueCertificate,
  issueRevocationList,
  openReply,
  sealReply,
  sendTo,
} from '@concordat/crypto';
import { buildSealedMessage, verifyRequestKey } from '@concordat/governance';
import { CodedError, toHex, utf8 } from '@concordat/std';
import { judgeCertificate } from '../client-identity.ts';
import { RequestKeys } from '../request-keys.ts';
import { SealedRequests } from '../sealed-requests.ts';
import { decide, entropyOf, newNetwork, organisation, type TestNode } from './fixture.ts';

const member = organisation('member');
const stranger = organisation('stranger');
const expired = organisation('expired', 3_600_000);
const staffKey = createSigningKey(entropyOf('staff')(32));
const staff = issueCertificate({
  subject: { commonName: 'someone' },
  publicKeySpki: staffKey.publicKeySpki,
  issuer: { certificateDer: member.der, key: member.key },
  serial: Uint8Array.of(3),
  notBeforeMs: Date.now() - 1_000,
  notAfterMs: Date.now() + 3_600_000,
  isCa: false,
  usages: ['clientAuth'],
});

const { first: node } = await newNetwork([member, expired]);
const nowMs = Date.now();
const nowSeconds = Math.floor(nowMs / 1_000);
const payload = utf8('the inner request');
/** To which worker it came, and when. */
const at = { worker: 1, nowMs };
let draws = 0;

function requestKey(of: TestNode = node, desk = new SealedRequests(of)) {
  const [certificateDer] = fromPem(of.network.certificate);
  assert(certificateDer);
  return verifyRequestKey(desk.keys.endorsed(nowMs), { certificateDer, atSeconds: nowSeconds });
}

interface Sealing {
  readonly networkId?: string;
  readonly worker?: number;
  readonly createdAtSeconds?: number;
  readonly certificates?: readonly Uint8Array[];
  readonly key?: typeof member.key;
  readonly epoch?: number;
  readonly publicKey?: Uint8Array;
  /** What the message says of its context. */
  readonly ephemeral?: Uint8Array;
  /** Changes the signed message before it is sealed. */
  readonly tamper?: (message: Uint8Array) => Uint8Array;
}

function seal(sealing: Sealing = {}) {
  const known = requestKey();
  const { networkId = known.networkId, epoch = known.epoch, key = member.key } = sealing;
  draws += 1;
  const context = sendTo(
    sealing.publicKey ?? known.publicKey,
    sealedRequestInfo(networkId),
    entropyOf(`draw ${draws}`)(32),
  );
  const { ephemeral } = context;
  const { createdAtSeconds = nowSeconds, certificates = [member.der], worker = 1 } = sealing;
  const message = buildSealedMessage({
    ...{ networkId, worker, createdAtSeconds, certificates, payload, key, ephemeral },
    ...(sealing.ephemeral && { ephemeral: sealing.ephemeral }),
  });
  const { tamper = (bytes) => bytes } = sealing;
  const ciphertext = context.seal(tamper(message), sealedRequestHeader(epoch));
  const to = { secret: context.export(sealedReplyLabel), ephemeral };
  return { sealed: encodeSealedRequest({ epoch, ephemeral, ciphertext }), to };
}

const codeOf = (act: () => unknown): string => {
  try {
    act();
  } catch (error) {
    assert(error instanceof CodedError, String(error));
    return error.code;
  }
  return 'opened';
};
const opened = (sealing: Sealing, desk = new SealedRequests(node)): string =>
  codeOf(() => desk.open(seal(sealing).sealed, at));

/** Changes headers or fields of a message, and signs it anew unless told otherwise. */
function rebuilt(change: (headers: Map<number | string, CborValue>) => void) {
  return (message: Uint8Array): Uint8Array => {
    const { value } = decodeCbor(message, { keyOrder: 'any' }) as CborTag;
    const [protectedBytes, unprotected, body, signature] = value as CborValue[];
    const headers = new Map(decodeCbor(protectedBytes as Uint8Array) as Map<number, CborValue>);
    change(headers as Map<number | string, CborValue>);
    return encodeCbor(
      new CborTag(18, [
        encodeCbor(headers),
        unprotected as CborValue,
        body as CborValue,
        signature as CborValue,
      ]),
    );
  };
}

test('a sealed request of an actor opens, names it, and its reply opens for it alone', () => {
  const { sealed, to } = seal();
  const found = new SealedRequests(node).open(sealed, at);
  assert.deepEqual(Buffer.from(found.payload), Buffer.from(payload));
  assert.equal(decodeIdentity(found.identity).actorId, member.actorId);
  assert.equal(found.createdAtMs, nowSeconds * 1_000);
  const reply = sealReply({ ...to, secret: found.secret }, utf8('yes'), new Uint8Array(32));
  assert.equal(Buffer.from(openReply(to, reply)).toString(), 'yes');
  const other = seal();
  assert.equal(
    codeOf(() => openReply(other.to, reply)),
    'AUTHENTICATION_FAILED',
    'swapped',
  );
});

test('a staff certificate speaks for its organisation', () => {
  const { sealed } = seal({ certificates: [staff, member.der], key: staffKey });
  const { actorId, subject } = decodeIdentity(new SealedRequests(node).open(sealed, at).identity);
  assert.deepEqual([actorId, subject], [member.actorId, 'someone']);
});

test('another key or epoch than the one in use is told apart from an altered request', () => {
  const { publicKey, epoch } = requestKey();
  assert.equal(opened({ epoch: epoch + 1 }), 'SEALED_KEY_UNKNOWN');
  assert.equal(opened({ epoch: 0 }), 'SEALED_KEY_UNKNOWN');
  assert.equal(opened({ epoch: 2 ** 50 }), 'SEALED_KEY_UNKNOWN');
  const wrong = sendTo(publicKey, utf8('x'), new Uint8Array(32)).ephemeral;
  assert.equal(opened({ publicKey: wrong }), 'SEALED_REQUEST_UNREADABLE');
});

test('every altered byte of a sealed request is noticed, header and ciphertext', () => {
  const desk = new SealedRequests(node);
  const { sealed } = seal();
  for (let place = 0; place < sealed.length; place += 1) {
    const altered = Uint8Array.from(sealed);
    altered[place] = (altered[place] as number) ^ 0x10;
    const code = codeOf(() => desk.open(altered, at));
    const expected = /^SEALED_(REQUEST_MALFORMED|KEY_UNKNOWN|REQUEST_UNREADABLE)$/;
    assert.match(code, expected, `byte ${place}`);
  }
  for (const length of [0, 1, 9, 73, 74, 89, sealed.length - 1]) {
    const code = codeOf(() => desk.open(sealed.subarray(0, length), at));
    assert.match(code, /^SEALED_REQUEST_(MALFORMED|UNREADABLE)$/, `${length} bytes`);
  }
  const longer = Buffer.concat([sealed, Buffer.of(0)]);
  assert.equal(
    codeOf(() => desk.open(longer, at)),
    'SEALED_REQUEST_UNREADABLE',
  );
  assert.equal(
    codeOf(() => desk.open(sealed, at)),
    'opened',
    'the true one still counts',
  );
});

test('a request for another network does not open, nor does one signed for another', () => {
  assert.equal(opened({ networkId: 'e'.repeat(64) }), 'SEALED_REQUEST_UNREADABLE');
  const tamper = rebuilt((headers) => headers.set('concordat.network', 'e'.repeat(64)));
  assert.equal(opened({ tamper }), 'WRONG_NETWORK');
});

test('a request for one worker is not taken by another, whose paths may be the same', () => {
  assert.equal(opened({ worker: 2 }), 'SEALED_REQUEST_MISDIRECTED');
  for (const worker of [0, 16, -1]) {
    assert.equal(opened({ worker }), 'SEALED_REQUEST_MALFORMED', `worker ${worker}`);
  }
});

test('a request is taken for five minutes, and a minute ahead', () => {
  assert.equal(opened({ createdAtSeconds: nowSeconds - 299 }), 'opened');
  assert.equal(opened({ createdAtSeconds: nowSeconds - 302 }), 'SEALED_REQUEST_EXPIRED');
  assert.equal(opened({ createdAtSeconds: nowSeconds + 59 }), 'opened');
  assert.equal(opened({ createdAtSeconds: nowSeconds + 63 }), 'SEALED_REQUEST_TOO_EARLY');
});

test('a request is opened once by a node, however it is sealed anew', () => {
  const desk = new SealedRequests(node);
  const { sealed } = seal();
  assert.equal(
    codeOf(() => desk.open(sealed, at)),
    'opened',
  );
  assert.equal(
    codeOf(() => desk.open(sealed, at)),
    'SEALED_REQUEST_REPLAYED',
  );
});

test('whoever is no actor, or signs what another presents, is refused', () => {
  assert.equal(opened({ certificates: [stranger.der], key: stranger.key }), 'UNKNOWN_ACTOR');
  const late = { certificates: [expired.der], key: expired.key };
  assert.equal(opened(late), 'CLIENT_CERTIFICATE_EXPIRED');
  assert.equal(opened({ key: stranger.key }), 'BAD_SIGNATURE');
  assert.equal(opened({ key: staffKey }), 'BAD_SIGNATURE');
  assert.equal(opened({ certificates: [utf8('no certificate')] }), 'CLIENT_CERTIFICATE_INVALID');
});

test('what was signed for one context is not taken from another: nobody has the reply sealed to him', () => {
  const other = sendTo(requestKey().publicKey, utf8('x'), new Uint8Array(32).fill(8)).ephemeral;
  assert.equal(opened({ ephemeral: other }), 'SEALED_REQUEST_MALFORMED');
});

test('signed headers have one form: critical, unknown, missing and unprotected ones are refused', () => {
  const cases: Record<string, (headers: Map<number | string, CborValue>) => void> = {
    critical: (headers) => headers.set(coseHeaders.crit, ['concordat.type']),
    unknown: (headers) => headers.set('concordat.more', 1),
    missing: (headers) => headers.delete('concordat.created-at'),
    'another purpose': (headers) => headers.set('concordat.type', 'vote'),
    'no chain': (headers) => headers.set(33, []),
    'a chain of one as a list': (headers) => headers.set(33, [member.der]),
    'a chain of text': (headers) => headers.set(33, 'x'),
    'a chain too long': (headers) => headers.set(33, Array(9).fill(member.der)),
    'a certificate too long': (headers) => headers.set(33, new Uint8Array(20_000)),
    'no time': (headers) => headers.set('concordat.created-at', 'now'),
    'a short point': (headers) => headers.set('concordat.ephemeral', new Uint8Array(64)),
  };
  for (const [what, change] of Object.entries(cases)) {
    assert.equal(opened({ tamper: rebuilt(change) }), 'SEALED_REQUEST_MALFORMED', what);
  }
  const outside = (message: Uint8Array): Uint8Array => {
    const { value } = decodeCbor(message, { keyOrder: 'any' }) as CborTag;
    const [headers, , body, signature] = value as CborValue[];
    const unprotected = new Map<number, CborValue>([[4, utf8('kid')]]);
    return encodeCbor(new CborTag(18, [headers, unprotected, body, signature] as CborValue[]));
  };
  assert.equal(opened({ tamper: outside }), 'SEALED_REQUEST_MALFORMED');
  assert.equal(opened({ tamper: () => utf8('{}') }), 'SEALED_REQUEST_MALFORMED');
});

test('no other algorithm is taken for ES256', () => {
  for (const alg of [-35, -8, 5, -257, 0]) {
    const tamper = rebuilt((headers) => headers.set(coseHeaders.alg, alg));
    assert.equal(opened({ tamper }), 'BAD_SIGNATURE', `algorithm ${alg}`);
  }
});

test('strangers who send what does not open are answered OVERLOADED in the end, actors are not', () => {
  const desk = new SealedRequests(node);
  const { sealed } = seal();
  const altered = Uint8Array.from(sealed).fill(0, 9, 40);
  const ask = (bytes: Uint8Array, isStrangers: boolean) =>
    desk.answer(1, { kind: 'open', id: 1, isStrangers, sealed: bytes }).code;
  assert.equal(ask(altered, true), 'SEALED_REQUEST_UNREADABLE');
  let code: string | undefined;
  for (let tried = 0; tried < 100_000 && code !== 'OVERLOADED'; tried++) code = ask(altered, true);
  assert.equal(code, 'OVERLOADED');
  assert.equal(ask(sealed, false), undefined);
});

interface HeldKeys {
  readonly session?: number;
  readonly scalar?: number;
}

/** A state that is in an epoch. */
const viewOf = (epoch: () => number) => ({
  table: () => ({ get: () => utf8(String(epoch())) }),
});

/** What a node that has these keys derives request keys from. */
function sourcesOf({ session = 1, scalar = 2 }: HeldKeys) {
  return {
    administration: { isCommitted: true, committedState: viewOf(() => 1) },
    network: { id: node.network.id, certificate: node.network.certificate },
    sessionKeys: {
      get: (of: number) =>
        session > 0 ? { epoch: of, key: new Uint8Array(32).fill(session + of) } : undefined,
    },
    networkKey: {
      isHeld: scalar > 0,
      get: () => new Uint8Array(32).fill(scalar),
      signing: () => member.key,
    },
  };
}

const keysOf = (held: HeldKeys): RequestKeys => new RequestKeys(sourcesOf(held) as never);

test('the key follows from the session key of its epoch and the key of the network, and from neither alone', () => {
  const of = (keys: RequestKeys, epoch = 1) => toHex(keys.find(epoch, nowMs).publicKey);
  const key = of(keysOf({}));
  assert.equal(of(keysOf({})), key, 'the same on every node');
  assert.notEqual(of(keysOf({ session: 3 })), key);
  assert.notEqual(of(keysOf({ scalar: 3 })), key);
});

test('the key of an epoch that is over opens for fifteen minutes more, if it was in use here', () => {
  let epoch = 1;
  const administration = { isCommitted: true, committedState: viewOf(() => epoch) };
  const desk = new RequestKeys({ ...sourcesOf({}), administration } as never);
  const first = desk.find(1, nowMs).publicKey;
  epoch = 2;
  const later = nowMs + 14 * 60_000;
  assert.deepEqual(desk.find(1, later).publicKey, first);
  assert.notDeepEqual(desk.find(2, later).publicKey, first);
  assert.equal(
    codeOf(() => desk.find(1, nowMs + 16 * 60_000)),
    'SEALED_KEY_UNKNOWN',
  );
  const fresh = new RequestKeys({ ...sourcesOf({}), administration } as never);
  assert.equal(
    codeOf(() => fresh.find(1, nowMs)),
    'SEALED_KEY_UNKNOWN',
    'never in use here',
  );
});

test('a node that lacks either key has no request key', () => {
  for (const held of [{ session: 0 }, { scalar: 0 }]) {
    assert.equal(
      codeOf(() => keysOf(held).endorsed(nowMs)),
      'REQUEST_KEY_UNAVAILABLE',
    );
    assert.equal(
      codeOf(() => keysOf(held).find(1, nowMs)),
      'REQUEST_KEY_UNAVAILABLE',
    );
  }
});

test('what a revoked certificate signed is refused from the vote on', async () => {
  const revoking = await newNetwork([member]);
  const list = issueRevocationList({
    issuer: { certificateDer: member.der, key: member.key },
    number: 1n,
    thisUpdateMs: nowMs,
    nextUpdateMs: nowMs + 3_600_000,
    revoked: [{ serial: '03', atMs: nowMs }],
  });
  const args = { actorId: member.actorId, list: Buffer.from(list).toString('base64') };
  const { first, world } = revoking;
  const presented = { leafDer: staff, intermediates: [member.der], atMs: nowMs };
  const judge = () => {
    const verdict = judgeCertificate(first.administration.committedConstitution, presented);
    return verdict.ok ? 'ok' : verdict.code;
  };
  assert.equal(judge(), 'ok');
  await decide(world, first, [member], [{ name: 'set_revocation_list', args }]);
  assert.equal(judge(), 'CLIENT_CERTIFICATE_REVOKED');
  const known = requestKey(first);
  const context = sendTo(
    known.publicKey,
    sealedRequestInfo(known.networkId),
    entropyOf('draw of somebody revoked')(32),
  );
  const { ephemeral } = context;
  const message = buildSealedMessage({
    ...{ networkId: known.networkId, worker: 1, createdAtSeconds: nowSeconds },
    ...{ certificates: [staff, member.der], payload, key: staffKey, ephemeral },
  });
  const ciphertext = context.seal(message, sealedRequestHeader(known.epoch));
  const sealed = encodeSealedRequest({ epoch: known.epoch, ephemeral, ciphertext });
  const desk = new SealedRequests(first);
  assert.equal(
    codeOf(() => desk.open(sealed, at)),
    'CLIENT_CERTIFICATE_REVOKED',
  );
});
