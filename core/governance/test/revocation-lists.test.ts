import assert from 'node:assert/strict';
import { test } from 'node:test';
import { actorForCertificate, maxRevocationLists, parseConstitution } from '@concordat/governance';
import { toBase64 } from '@concordat/std';
import { authority, type Issued, issued, issuerId, renewed, revocationList } from './identities.ts';
import { action, genesisJson, Network, noon, organisation } from './network.ts';

const ada = organisation('ada');
const { actorId } = ada;
const eve = issued('eve', ada);
const finn = issued('finn', ada);
const desk = issued('desk', ada, authority);
const clerk = issued('clerk', desk);

const pem = (der: Uint8Array, type = 'X509 CRL'): string =>
  `-----BEGIN ${type}-----\n${toBase64(der)}\n-----END ${type}-----\n`;

const set = (list: Uint8Array | string, more: object = {}) =>
  action('set_revocation_list', {
    actorId,
    list: typeof list === 'string' ? list : toBase64(list),
    ...more,
  });

const day = 86_400;

function judge(
  network: Network,
  leaf: Issued,
  { between = [], atMs = noon * 1000 }: { between?: readonly Issued[]; atMs?: number } = {},
): string {
  const { constitution } = network;
  const answer = actorForCertificate(constitution, {
    leafDer: leaf.der,
    intermediates: between.map(({ der }) => der),
    atMs,
  });
  return answer.ok ? answer.actor.name : answer.code;
}

function passed(...actions: ReturnType<typeof action>[]): Network {
  const network = new Network(['ada', 'bob']);
  network.pass(['ada', 'bob'], ...actions);
  return network;
}

test('who is on the list in force is nobody; who is not, and the organisation itself, stay', () => {
  const network = passed(set(pem(revocationList('ada', 1n, [eve]))));
  assert.equal(judge(network, eve), 'CLIENT_CERTIFICATE_REVOKED');
  assert.equal(judge(network, finn), 'ada');
  assert.equal(judge(network, ada), 'ada');
  const [entry] = network.constitution.revocationLists ?? [];
  assert.deepEqual(
    { ...entry, list: '' },
    {
      issuer: issuerId('ada'),
      actorId,
      authority: 'ada',
      number: '1',
      thisUpdateMs: noon * 1000,
      nextUpdateMs: (noon + day) * 1000,
      revoked: 1,
      list: '',
    },
  );
});

test('an authority that is revoked takes everyone below it along', () => {
  const network = passed(set(revocationList('ada', 1n, [desk])));
  assert.equal(judge(network, clerk, { between: [desk] }), 'CLIENT_CERTIFICATE_REVOKED');
});

test('an authority below an actor’s certificate has its own list, with its chain given', () => {
  const list = revocationList(desk, 1n, [clerk]);
  const network = passed(set(list, { authority: pem(desk.der, 'CERTIFICATE') }));
  assert.equal(judge(network, clerk, { between: [desk] }), 'CLIENT_CERTIFICATE_REVOKED');
  // The same serial number under another authority is another certificate.
  assert.equal(judge(network, issued('clerk', ada)), 'ada');
  const two = new Network(['ada', 'bob']);
  two.refuses('INVALID_REVOCATION_LIST', () => two.propose('ada', set(list)));
  const stranger = issued('desk', organisation('mallory'), authority);
  for (const above of [stranger, issued('desk', organisation('bob'), authority)]) {
    const chain = { authority: pem(above.der, 'CERTIFICATE') };
    two.refuses('INVALID_REVOCATION_LIST', () => two.propose('ada', set(list, chain)));
  }
});

test('a list of another authority, or with a bad signature, is refused', () => {
  const network = new Network(['ada', 'bob']);
  const refuses = (list: Uint8Array) =>
    network.refuses('INVALID_REVOCATION_LIST', () => network.propose('ada', set(list)));
  assert.match(refuses(revocationList('bob', 1n)).message, /another authority/);
  const flipped = Uint8Array.from(revocationList('ada', 1n, [eve]));
  flipped[flipped.length - 1] = (flipped[flipped.length - 1] as number) ^ 1;
  assert.match(refuses(flipped).message, /signature/);
  assert.match(refuses(Uint8Array.of(0x30, 0)).message, /DER|value/);
  network.refuses('INVALID_ACTION', () => network.propose('ada', set('no base64!')));
  const nobody = { ...set(revocationList('ada', 1n)).args, actorId: 'ab'.repeat(32) };
  network.refuses('ACTOR_NOT_FOUND', () =>
    network.propose('ada', action('set_revocation_list', nobody)),
  );
});

test('an older list, or the same again, does not take the place of the one in force', () => {
  const network = passed(set(revocationList('ada', 300n, [eve])));
  for (const number of [2n, 299n, 300n]) {
    network.refuses('REVOCATION_LIST_NOT_NEWER', () =>
      network.propose('ada', set(revocationList('ada', number))),
    );
  }
  // What a later list leaves out is the authority's word as much as what it holds.
  network.pass(['ada', 'bob'], set(revocationList('ada', 1_000n, [finn])));
  assert.equal(judge(network, eve), 'ada');
  assert.equal(judge(network, finn), 'CLIENT_CERTIFICATE_REVOKED');
});

test('a renewal over the same key goes on with its lists; one over another key has its own', () => {
  const same = renewed('ada', 31, { sameKey: true });
  const network = new Network(['ada', 'bob', 'cyd']);
  network.pass(
    ['bob', 'cyd'],
    set(revocationList('ada', 1n, [eve])),
    action('add_actor_certificate', { actorId, certificate: same.pem }),
    action('remove_actor_certificate', { actorId, fingerprint: actorId }),
  );
  assert.equal(judge(network, eve), 'CLIENT_CERTIFICATE_REVOKED');
  const other = renewed('ada', 32);
  const gwen = issued('gwen', other);
  network.pass(
    ['bob', 'cyd'],
    action('add_actor_certificate', { actorId, certificate: other.pem }),
  );
  assert.equal(judge(network, gwen), 'ada');
  network.pass(['bob', 'cyd'], set(revocationList(other, 1n, [gwen])));
  assert.equal(judge(network, gwen), 'CLIENT_CERTIFICATE_REVOKED');
  assert.equal(judge(network, eve), 'CLIENT_CERTIFICATE_REVOKED');
});

test('a list stays when its actor goes: who was revoked does not come back with it', () => {
  const network = new Network(['ada', 'bob', 'cyd']);
  network.pass(['bob', 'cyd'], set(revocationList('ada', 5n, [eve])));
  network.pass(['bob', 'cyd'], action('remove_actor', { actorId }));
  const args = { kind: ['participant'], name: 'ada', certificate: ada.pem };
  network.pass(['bob', 'cyd'], action('add_actor', args));
  assert.equal(judge(network, eve), 'CLIENT_CERTIFICATE_REVOKED');
  network.refuses('REVOCATION_LIST_NOT_NEWER', () =>
    network.propose('bob', set(revocationList('ada', 4n))),
  );
});

test('a list may be removed by vote', () => {
  const network = passed(set(revocationList('ada', 5n, [eve])));
  const away = action('remove_revocation_list', { issuer: issuerId('ada') });
  network.pass(['ada', 'bob'], away);
  assert.equal(judge(network, eve), 'ada');
  network.refuses('REVOCATION_LIST_NOT_FOUND', () => network.propose('ada', away));
  assert.equal(network.constitution.revocationLists, undefined);
});

test('an overdue list goes on being honoured, or under the policy refuses whom it does not name', () => {
  const network = passed(set(revocationList('ada', 5n, [eve])));
  const atMs = (noon + day) * 1000;
  assert.equal(judge(network, eve, { atMs: atMs + 1 }), 'CLIENT_CERTIFICATE_REVOKED');
  assert.equal(judge(network, finn, { atMs: atMs + 1 }), 'ada');
  const policy = { name: 'overdueRevocationLists', value: 'refuse' };
  network.pass(['ada', 'bob'], action('set_policy', policy));
  assert.equal(judge(network, finn, { atMs }), 'ada');
  assert.equal(judge(network, finn, { atMs: atMs + 1 }), 'CLIENT_CERTIFICATE_INVALID');
  // The organisation's own certificate is under no list.
  assert.equal(judge(network, ada, { atMs: atMs + 1 }), 'ada');
});

test('lists are bounded in number, an actor’s to a quarter: nobody leaves the others no room', () => {
  const names = ['ada', 'bob', 'cyd', 'dan', 'eva'];
  const network = new Network(names);
  const most = maxRevocationLists / 4;
  const listOf = (name: string, n: number, number = 1n) => {
    const one = issued(`${name} ${n}`, organisation(name), authority);
    const owner = { actorId: organisation(name).actorId, authority: pem(one.der, 'CERTIFICATE') };
    return set(revocationList(one, number), owner);
  };
  const listsOf = (name: string) => Array.from({ length: most }, (_, n) => listOf(name, n));
  network.pass(names, ...listsOf('ada'));
  network.refuses('REVOCATION_LIST_LIMIT', () => network.propose('ada', listOf('ada', most)));
  // The place of a list that is in force is free for its successor.
  network.pass(names, listOf('ada', 0, 2n));
  network.pass(names, ...['bob', 'cyd', 'dan'].flatMap((name) => listsOf(name)));
  network.refuses('REVOCATION_LIST_LIMIT', () => network.propose('ada', listOf('eva', 0)));
});

test('delta and indirect lists are refused by name', () => {
  const network = new Network(['ada', 'bob']);
  const list = Buffer.from(revocationList('ada', 1n));
  // The number's extension becomes a delta indicator: the signature is judged after the form.
  const at = list.indexOf('0603551d14', 'hex');
  list[at + 4] = 0x1b;
  network.refuses('UNSUPPORTED_REVOCATION_LIST', () => network.propose('ada', set(list)));
});

test('a constitution with lists reads to itself, and one with a broken list does not', () => {
  const { constitution } = passed(set(revocationList('ada', 5n, [eve])));
  const text = JSON.stringify(constitution);
  assert.deepEqual(parseConstitution(text), constitution);
  const [entry] = constitution.revocationLists ?? [];
  const broken = { ...entry, list: toBase64(ada.der) };
  assert.throws(() => parseConstitution({ ...genesisJson(['ada']), revocationLists: [broken] }), {
    code: 'INVALID_REVOCATION_LIST',
  });
  const lists = [entry, entry];
  assert.throws(() => parseConstitution({ ...genesisJson(['ada']), revocationLists: lists }), {
    code: 'INVALID_CONSTITUTION',
  });
});
