import assert from 'node:assert/strict';
import { test } from 'node:test';
import { actorIdOf, toPem } from '@concordat/crypto';
import {
  actorForCertificate,
  buildProposal,
  buildVote,
  eventsOfWrites,
  getProposal,
  isSignedByOwner,
  parseConstitution,
  readConstitution,
} from '@concordat/governance';
import { authority, type Issued, issued, renewed } from './identities.ts';
import { action, actorArgs, genesisJson, machine, Network, noon, organisation } from './network.ts';

const ada = organisation('ada');
const { actorId } = ada;
const later = renewed('ada', 3);

const add = (more: object = {}) =>
  action('add_actor_certificate', { actorId, certificate: later.pem, ...more });
const remove = (fingerprint: string) =>
  action('remove_actor_certificate', { actorId, fingerprint });

function network(...actions: ReturnType<typeof action>[]): Network {
  const made = new Network(['ada', 'bob', 'cyd']);
  if (actions.length > 0) made.pass(['bob', 'cyd'], ...actions);
  return made;
}

/** A member's message signed with one of its later certificates. */
const options = (made: Network, { key, der }: Issued = later) => ({
  ...made.options('ada'),
  key,
  certificateDer: der,
});

const proposal = (made: Network, by: Issued = later) =>
  buildProposal({
    ...options(made, by),
    actions: [action('set_policy', { name: 'maxBatchDelayMs', value: 7 })],
  });

const authenticated = (made: Network, der: Uint8Array, atMs = noon * 1000) => {
  const answer = actorForCertificate(made.constitution, {
    leafDer: der,
    intermediates: [],
    atMs,
  });
  return answer.ok ? answer.actor.actorId : answer.code;
};

test('after a renewal both certificates are the actor, under the id it was admitted with', () => {
  const made = network(add());
  assert.equal(authenticated(made, ada.der), actorId);
  assert.equal(authenticated(made, later.der), actorId);
  assert.equal(authenticated(made, issued('eve', ada).der), actorId);
  assert.equal(authenticated(made, issued('finn', later).der), actorId);
  const first = made.submit(proposal(made));
  assert.equal(made.submit(proposal(made, ada)).state, 'open');
  const vote = { proposalId: first.proposalId, accept: true };
  assert.equal(made.submit(buildVote({ ...options(made), ...vote })).state, 'open');
  // One member, one vote, whichever certificate it signs with.
  made.submit(buildVote({ ...made.options('ada'), ...vote, accept: false }));
  const votes = getProposal(made.set, first.proposalId)?.votes;
  assert.deepEqual(
    votes?.map((one) => [one.actorId, one.accept]),
    [[actorId, false]],
  );
});

test('a certificate that was removed neither authenticates, nor its staff, nor signs', () => {
  const made = network(add(), remove(actorId));
  assert.equal(authenticated(made, later.der), actorId);
  assert.equal(authenticated(made, ada.der), 'CERTIFICATE_RETIRED');
  assert.equal(authenticated(made, issued('eve', ada).der), 'UNKNOWN_ACTOR');
  made.refuses('CERTIFICATE_RETIRED', () => made.submit(proposal(made, ada)));
  assert.equal(made.submit(proposal(made)).state, 'open');
});

test('a certificate may be given a last second, which ends it for TLS and for messages', () => {
  const until = noon + 100;
  const made = network(add({ earlierUntilSeconds: until }));
  const ms = (seconds: number) => seconds * 1000;
  assert.equal(authenticated(made, ada.der, ms(until) + 999), actorId);
  assert.equal(authenticated(made, ada.der, ms(until + 1)), 'CERTIFICATE_RETIRED');
  assert.equal(authenticated(made, issued('eve', ada).der, ms(until + 1)), 'UNKNOWN_ACTOR');
  assert.equal(authenticated(made, later.der, ms(until + 1)), actorId);
  const eve = actorForCertificate(made.constitution, {
    leafDer: issued('eve', ada).der,
    intermediates: [],
    atMs: ms(noon),
  });
  assert.ok(eve.ok && eve.untilMs === ms(until) + 999);
  made.now = until - 1;
  assert.equal(made.submit(proposal(made, ada)).state, 'open');
  made.now = until;
  made.refuses('CERTIFICATE_RETIRED', () => made.submit(proposal(made, ada)));
  assert.equal(made.submit(proposal(made)).state, 'open');
});

test('a renewal over the same key leaves staff of the old certificate in place', () => {
  const same = renewed('ada', 9, { sameKey: true });
  const made = network(add({ certificate: same.pem }), remove(actorId));
  assert.equal(authenticated(made, issued('eve', ada).der), actorId);
  assert.equal(authenticated(made, same.der), actorId);
  assert.equal(authenticated(made, ada.der), 'CERTIFICATE_RETIRED');
});

test('what a message was remembered by follows the actor: it does not come back', () => {
  const made = network(add());
  const message = proposal(made);
  made.submit(message);
  made.pass(['bob', 'cyd'], remove(actorId));
  made.refuses('REPLAY', () => made.submit(message));
});

test('nodes are vouched for with any certificate in the list, and stay when it goes', () => {
  const made = network(add());
  const fingerprint = later.fingerprint as typeof actorId;
  const node = machine({ ...ada, key: later.key, der: later.der, actorId: fingerprint }, 4);
  made.trust(['bob', 'cyd'], node);
  made.trust(['bob', 'cyd'], machine(ada, 5));
  const [owner] = made.constitution.actors.filter((one) => one.actorId === actorId);
  assert.ok(owner && isSignedByOwner(owner, node.tuple));
  made.pass(['bob', 'cyd'], remove(actorId));
  made.refuses('BAD_NODE_SIGNATURE', () =>
    made.propose('bob', action('add_node', machine(ada, 6).tuple)),
  );
  const { constitution } = made;
  assert.deepEqual(
    constitution.nodes.map((one) => one.actorId),
    [actorId, actorId],
  );
  assert.deepEqual(parseConstitution(JSON.parse(JSON.stringify(constitution))), constitution);
});

test('another actor’s certificate or key is refused, in a renewal and in an admission', () => {
  const made = network(add());
  const bob = organisation('bob');
  made.refuses('ACTOR_EXISTS', () => made.propose('bob', add({ certificate: bob.pem })));
  const stolen = { kind: ['member'], name: 'dora', certificate: later.pem };
  made.refuses('ACTOR_EXISTS', () => made.propose('bob', action('add_actor', stolen)));
  const twin = renewed('ada', 11, { sameKey: true });
  const again = { ...stolen, certificate: twin.pem };
  made.refuses('ACTOR_EXISTS', () => made.propose('bob', action('add_actor', again)));
  const both = network();
  const proposal = { actorId: bob.actorId, certificate: later.pem };
  both.pass(['bob', 'cyd'], add());
  both.refuses('ACTOR_EXISTS', () =>
    both.propose('bob', action('add_actor_certificate', proposal)),
  );
});

test('certificates are bounded, not repeated, and the last that does not end stays', () => {
  const made = network(add());
  made.refuses('CERTIFICATE_EXISTS', () => made.propose('bob', add()));
  const fingerprint = 'ab'.repeat(32);
  made.refuses('CERTIFICATE_NOT_FOUND', () => made.propose('bob', remove(fingerprint)));
  for (const n of [21, 22]) {
    made.pass(['bob', 'cyd'], add({ certificate: renewed('ada', n).pem }));
  }
  const fifth = add({ certificate: renewed('ada', 23).pem });
  made.refuses('CERTIFICATE_LIMIT', () => made.propose('bob', fifth));
  const ended = network(add({ earlierUntilSeconds: noon + 5000 }));
  ended.refuses('LAST_CERTIFICATE', () => ended.propose('bob', remove(later.fingerprint)));
  ended.refuses('LAST_CERTIFICATE', () =>
    ended.propose('bob', remove(actorId), remove(later.fingerprint)),
  );
  const nobody = { actorId: fingerprint, certificate: later.pem };
  ended.refuses('ACTOR_NOT_FOUND', () =>
    ended.propose('bob', action('add_actor_certificate', nobody)),
  );
});

test('a network that goes on from another knows its actors by the certificates they had come to', () => {
  const made = network(add());
  const on = new Network(['ada', 'bob', 'cyd'], { actors: made.constitution.actors });
  assert.equal(authenticated(on, later.der), actorId);
  assert.equal(on.submit(proposal(on)).state, 'open');
  assert.equal(on.submit(proposal(on, ada)).state, 'open');
  const parsed = (change: object) => () => {
    const [first, ...rest] = made.constitution.actors;
    parseConstitution({ ...genesisJson(['ada']), actors: [{ ...first, ...change }, ...rest] });
  };
  const renewed = made.constitution.actors.findIndex((one) => one.actorId === actorId);
  assert.ok(renewed >= 0);
  for (const change of [{ revision: 0 }, { revision: 1, actorId: undefined }, { earlier: [{}] }]) {
    assert.throws(parsed(change), { code: 'INVALID_CONSTITUTION' });
  }
});

test('an actor removed and added again starts from its first certificate', () => {
  const made = network(add());
  made.pass(['bob', 'cyd'], action('remove_actor', { actorId }));
  assert.equal(authenticated(made, later.der), 'UNKNOWN_ACTOR');
  made.refuses('UNKNOWN_ACTOR', () => made.submit(proposal(made)));
  made.pass(['bob', 'cyd'], action('add_actor', actorArgs('ada')));
  assert.equal(authenticated(made, ada.der), actorId);
  made.refuses('UNKNOWN_ACTOR', () => made.submit(proposal(made)));
});

test('a renewal is announced as a change of the actor, and who signed by the actor’s id', () => {
  const made = network(add());
  const { publicWrites } = made.set.takeWriteSet();
  assert.ok(
    eventsOfWrites(publicWrites).some(
      (one) => one.event === 'actor-changed' && one.actorId === actorId,
    ),
  );
  made.submit(proposal(made));
  const [event] = eventsOfWrites(made.set.takeWriteSet().publicWrites);
  assert.ok(event?.event === 'proposal' && event.by?.actorId === actorId);
  made.pass(['bob', 'cyd'], remove(later.fingerprint));
  const events = eventsOfWrites(made.set.takeWriteSet().publicWrites);
  assert.ok(events.some((one) => one.event === 'actor-changed'));
  assert.equal(
    readConstitution(made.set).actors.find((one) => one.actorId === actorId)?.revision,
    2,
  );
});

test('who is below a certificate whose time is over is nobody, also where another actor’s is above', () => {
  const department = issued('department', organisation('ada'), authority);
  const network = new Network(['ada', 'bob']);
  const entry = { kind: ['participant'], name: 'department', certificate: toPem(department.der) };
  network.pass(['ada', 'bob'], action('add_actor', entry));
  const clerk = issued('clerk', department);
  const ask = () => {
    const presented = { leafDer: clerk.der, intermediates: [department.der], atMs: noon * 1000 };
    const answer = actorForCertificate(network.constitution, presented);
    return answer.ok ? answer.actor.name : answer.code;
  };
  assert.equal(ask(), 'department');
  const next = {
    actorId: actorIdOf(department.der),
    certificate: renewed('department', 62).pem,
    earlierUntilSeconds: noon - 1,
  };
  network.pass(['ada', 'bob'], action('add_actor_certificate', next));
  assert.equal(ask(), 'CERTIFICATE_RETIRED');
});
