import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  type AutomationRule,
  eventsOfWrites,
  getProposal,
  maxAutomationRules,
  nodeJoins,
  nodeTrusted,
  parseConstitution,
} from '@concordat/governance';
import type { ActorId } from '@concordat/std';
import { renewed } from './identities.ts';
import {
  action,
  actorArgs,
  genesisJson,
  machine,
  measurement,
  Network,
  organisation,
  verdict,
} from './network.ts';

const idOf = (name: string): ActorId => organisation(name).actorId;
const setPolicy = (value: unknown, name = 'maxBatchDelayMs') =>
  action('set_policy', { name, value });

/** One rule for each of these members. */
const rulesOf = (names: readonly string[], rule: Partial<AutomationRule>): AutomationRule[] =>
  names.map((name) => ({ name: `rule-of-${name}`, member: idOf(name), kinds: [], ...rule }));

const votesOf = (network: Network, proposalId: string): unknown[] =>
  (getProposal(network.set, proposalId)?.votes ?? []).map((vote) => [
    network.constitution.actors.find(({ actorId }) => actorId === vote.actorId)?.name,
    vote.accept,
    vote.rule,
  ]);

const nodeOf = (owner: string, number: number, more: Record<string, unknown> = {}) =>
  action('add_node', { ...machine(organisation(owner), number).tuple, ...more });

// Network Constitution: "vote submission could be automated so that every member could add a
// specified number of VNs, provided that the VNs are running majority-endorsed code."
test('every member adds so many nodes of endorsed code, and no more, without anybody voting', () => {
  const members = ['ada', 'bob', 'cyd'];
  const network = new Network(members, {
    automationRules: rulesOf(members, {
      kinds: ['add_node'],
      ownNodes: true,
      maxNodes: 2,
      code: {},
      acceptedTee: true,
    }),
  });
  const endorsed = { measurement, platform: 'virtual' };
  const add = (number: number, more: Record<string, unknown>) =>
    network.propose('bob', nodeOf('bob', number, more));

  const first = add(1, endorsed);
  assert.equal(first.state, 'accepted');
  assert.deepEqual(
    first.effects.map(({ kind }) => kind),
    ['voted-automatically', 'voted-automatically', 'voted-automatically', 'node-admitted'],
  );
  assert.deepEqual(votesOf(network, first.proposalId), [
    ['ada', true, 'rule-of-ada'],
    ['bob', true, 'rule-of-bob'],
    ['cyd', true, 'rule-of-cyd'],
  ]);
  for (const not of [
    {},
    { measurement },
    { platform: 'virtual' },
    { ...endorsed, measurement: 'ab'.repeat(32) },
    { ...endorsed, platform: 'sev-snp' },
  ]) {
    const { state, proposalId } = add(2, not);
    assert.deepEqual([state, votesOf(network, proposalId)], ['open', []]);
    network.withdraw('bob', proposalId);
  }
  const foreign = network.propose('ada', nodeOf('bob', 2, endorsed));
  assert.equal(foreign.state, 'open', 'not proposed by its owner');
  network.withdraw('ada', foreign.proposalId);
  assert.equal(add(2, endorsed).state, 'accepted');
  assert.equal(add(3, endorsed).state, 'open', 'a third one takes a vote');
  assert.equal(network.propose('ada', nodeOf('ada', 4, endorsed)).state, 'accepted');
});

test('a node that was admitted with code and platform joins with these only', () => {
  const other = 'dd'.repeat(32);
  const code = { measurement: other, role: 'manager', name: 'manager', version: '2.0.0' };
  const network = new Network(['ada']);
  network.pass(['ada'], action('add_code', code), action('add_tee', { platform: 'tdx', rank: 9 }));
  const node = machine(organisation('ada'), 1);
  network.pass(['ada'], action('add_node', { ...node.tuple, measurement, platform: 'virtual' }));
  const joining = (more: Partial<typeof verdict>) => ({
    ...node.joining,
    verdict: { ...verdict, ...more },
  });
  for (const more of [{ measurement: other }, { platform: 'tdx' }]) {
    network.refuses('NODE_NOT_AS_ADMITTED', () => nodeJoins(network.set, joining(more)));
  }
  assert.equal(nodeJoins(network.set, node.joining).status, 'learning');
});

test('nodes are counted that wait for votes, and a node with its successor as one', () => {
  const network = new Network(['ada', 'bob', 'cyd'], {
    votingPolicies: { default: { kind: 'unanimous' } },
    automationRules: rulesOf(['bob'], { kinds: ['add_node'], maxNodes: 2 }),
  });
  const votes = (...numbers: number[]): number =>
    votesOf(network, network.propose('ada', ...numbers.map((n) => nodeOf('ada', n))).proposalId)
      .length;
  assert.equal(votes(1, 2, 3), 0, 'three in one proposal');
  network.withdraw('ada', network.propose('ada', nodeOf('ada', 9)).proposalId);
  const waiting = network.propose('ada', nodeOf('ada', 4)).proposalId;
  assert.equal(votesOf(network, waiting).length, 0, 'three wait already');
});

test('a successor that comes back in its place is no further node', () => {
  const network = new Network(['ada', 'bob'], {
    votingPolicies: { default: { kind: 'm-of-n', m: 1 } },
    automationRules: rulesOf(['bob'], { kinds: ['add_node'], maxNodes: 2 }),
  });
  const first = machine(organisation('ada'), 1);
  network.trust(['ada'], first);
  const next = machine(organisation('ada'), 2, first.tuple.address);
  nodeJoins(network.set, { ...next.joining, replaces: first.nodeId });
  const second = network.propose('ada', nodeOf('ada', 3));
  assert.equal(second.state, 'accepted');
  nodeTrusted(network.set, next.nodeId);
  const third = network.propose('ada', nodeOf('ada', 4));
  assert.deepEqual(votesOf(network, third.proposalId), []);
});

test('a rule accepts a proposal only if it accepts every action of it', () => {
  const network = new Network(['ada', 'bob'], {
    automationRules: rulesOf(['ada', 'bob'], { kinds: ['add_tee', 'set_policy'] }),
  });
  const tee = action('add_tee', { platform: 'tdx', rank: 1 });
  const mixed = network.propose('ada', tee, action('add_actor', actorArgs('cyd')));
  assert.deepEqual(votesOf(network, mixed.proposalId), []);
  assert.equal(network.propose('ada', tee, setPolicy(3)).state, 'accepted');
});

test('conditions on proposers, code and policies are what they say', () => {
  const code = (name: string, version: string) =>
    action('add_code', { measurement: 'dd'.repeat(32), role: 'worker', name, version });
  const cases: [Partial<AutomationRule>, [string, ReturnType<typeof action>, boolean][]][] = [
    [
      { kinds: ['add_tee'], proposers: [idOf('bob')] },
      [
        ['bob', action('add_tee', { platform: 'tdx', rank: 1 }), true],
        ['cyd', action('add_tee', { platform: 'sgx', rank: 1 }), false],
      ],
    ],
    [
      { kinds: ['add_code'], code: { name: 'worker', version: '2' } },
      [
        ['bob', code('worker', '2'), true],
        ['bob', code('worker', '3'), false],
        ['bob', code('other', '2'), false],
      ],
    ],
    [
      {
        kinds: ['set_policy'],
        policies: {
          maxBatchDelayMs: { min: 2, max: 9 },
          heartbeatMs: { max: 200 },
          durability: { oneOf: ['fsync'] },
          replicationQuorum: { min: 1 },
        },
      },
      [
        ['bob', setPolicy(1), false],
        ['bob', setPolicy(2), true],
        ['bob', setPolicy(9), true],
        ['bob', setPolicy(10), false],
        ['bob', setPolicy(10, 'heartbeatMs'), true],
        ['bob', setPolicy(201, 'heartbeatMs'), false],
        ['bob', setPolicy('fsync', 'durability'), true],
        ['bob', setPolicy('memory', 'durability'), false],
        ['bob', setPolicy('majority', 'replicationQuorum'), false],
        ['bob', setPolicy(50, 'maxBatchTransactions'), false],
      ],
    ],
  ];
  for (const [rule, proposals] of cases) {
    const network = new Network(['ada', 'bob', 'cyd'], { automationRules: rulesOf(['ada'], rule) });
    for (const [proposer, change, fires] of proposals) {
      const { proposalId } = network.propose(proposer, change);
      const expected = fires ? [['ada', true, 'rule-of-ada']] : [];
      assert.deepEqual(votesOf(network, proposalId), expected, JSON.stringify(change));
      network.withdraw(proposer, proposalId);
    }
  }
});

test('a rule that comes into force votes on what is opened later only', () => {
  const network = new Network(['ada', 'bob', 'cyd']);
  const before = network.propose('ada', setPolicy(1)).proposalId;
  const [rule] = rulesOf(['bob'], { kinds: ['set_policy'] });
  network.pass(['bob', 'ada'], action('set_automation_rule', { ...rule }));
  assert.deepEqual(votesOf(network, before), []);
  const after = network.propose('ada', setPolicy(2)).proposalId;
  assert.deepEqual(votesOf(network, after), [['bob', true, 'rule-of-bob']]);
  network.pass(['bob'], action('remove_automation_rule', { name: 'rule-of-bob' }));
  assert.deepEqual(votesOf(network, after), [['bob', true, 'rule-of-bob']], 'what it cast stands');
  assert.deepEqual(votesOf(network, network.propose('ada', setPolicy(3)).proposalId), []);
});

test('its member overrides what a rule cast, and the record shows both', () => {
  const network = new Network(['ada', 'bob', 'cyd'], {
    automationRules: rulesOf(['bob'], { kinds: ['set_policy'] }),
  });
  const { proposalId } = network.propose('ada', setPolicy(1));
  const openedAt = network.now;
  assert.equal(network.vote('bob', proposalId, false).state, 'open');
  const [vote] = getProposal(network.set, proposalId)?.votes ?? [];
  assert.equal(vote?.accept, false);
  assert.equal(vote.rule, undefined);
  assert.deepEqual(vote.earlier, [{ accept: true, atSeconds: openedAt, rule: 'rule-of-bob' }]);
  assert.equal(network.vote('cyd', proposalId, false).state, 'rejected');
  // To the same effect it may take the vote over, once.
  const other = network.propose('ada', setPolicy(2)).proposalId;
  network.vote('bob', other);
  network.refuses('ALREADY_VOTED', () => network.vote('bob', other));
});

test('the event of a proposal tells which rules voted on it', () => {
  const network = new Network(['ada', 'bob'], {
    automationRules: rulesOf(['bob'], { kinds: ['set_policy'] }),
  });
  network.set.takeWriteSet();
  network.propose('ada', setPolicy(1));
  const [event] = eventsOfWrites(network.set.takeWriteSet().publicWrites);
  assert.ok(event?.event === 'proposal');
  assert.deepEqual(
    event.proposal.votes.map(({ actorId, rule }) => [actorId, rule]),
    [[idOf('bob'), 'rule-of-bob']],
  );
});

test('a rule is adopted by vote and with the accept of the member it votes for', () => {
  const network = new Network(['ada', 'bob', 'cyd'], {
    votingPolicies: { default: { kind: 'm-of-n', m: 2 } },
  });
  const set = (member: string) =>
    action('set_automation_rule', { ...rulesOf([member], { kinds: ['set_policy'] })[0] });
  const imposed = network.propose('ada', set('cyd')).proposalId;
  network.vote('ada', imposed);
  assert.equal(network.vote('bob', imposed).state, 'open', 'enough accepts, but not its own');
  assert.deepEqual(getProposal(network.set, imposed)?.consents, [idOf('cyd')]);
  assert.equal(network.vote('cyd', imposed, false).state, 'rejected');

  const agreed = network.propose('ada', set('cyd')).proposalId;
  network.vote('ada', agreed);
  assert.equal(network.vote('cyd', agreed).state, 'accepted');

  const own = network.propose('ada', set('ada')).proposalId;
  network.vote('bob', own);
  assert.equal(network.vote('cyd', own).state, 'accepted', 'who proposes consents');

  const regretted = network.propose('bob', set('bob')).proposalId;
  assert.equal(network.vote('bob', regretted, false).state, 'rejected');
  assert.deepEqual(
    network.constitution.automationRules?.map(({ name }) => name),
    ['rule-of-ada', 'rule-of-cyd'],
  );
});

test('a rule for somebody who is yet to come waits until it is there', () => {
  const network = new Network(['ada']);
  const [rule] = rulesOf(['bob'], { kinds: ['set_policy'] });
  const add = action('add_actor', actorArgs('bob'));
  const set = action('set_automation_rule', { ...rule });
  network.refuses('ACTOR_NOT_FOUND', () => network.propose('ada', add, set));
  network.pass(['ada'], add);
  network.pass(['ada', 'bob'], set);
});

test('a rule for somebody who left meanwhile is rejected', () => {
  const network = new Network(['ada', 'bob', 'cyd']);
  const [rule] = rulesOf(['cyd'], { kinds: ['set_policy'] });
  const { proposalId } = network.propose('ada', action('set_automation_rule', { ...rule }));
  network.pass(['ada', 'bob'], action('remove_actor', { actorId: idOf('cyd') }));
  assert.equal(getProposal(network.set, proposalId)?.state, 'rejected');
});

test('a member ends its own rule by its own accept, and nobody else does', () => {
  const network = new Network(['ada', 'bob', 'cyd'], {
    automationRules: rulesOf(['ada', 'bob'], { kinds: ['set_policy'] }),
    votingPolicies: { default: { kind: 'unanimous' } },
  });
  const remove = (...names: string[]) =>
    names.map((name) => action('remove_automation_rule', { name: `rule-of-${name}` }));
  const foreign = network.propose('bob', ...remove('ada')).proposalId;
  assert.equal(network.vote('bob', foreign).state, 'open');
  const both = network.propose('bob', ...remove('ada', 'bob')).proposalId;
  assert.equal(network.vote('bob', both).state, 'open');
  const own = network.propose('ada', ...remove('ada')).proposalId;
  assert.equal(network.vote('ada', own).state, 'accepted');
  network.refuses('AUTOMATION_RULE_NOT_FOUND', () => network.propose('ada', ...remove('ada')));
});

test('what was opened to end one rule does not end another of its name', () => {
  const network = new Network(['ada', 'bob', 'cyd'], {
    automationRules: [{ name: 'rule', member: idOf('ada'), kinds: ['set_policy'] }],
  });
  const end = action('remove_automation_rule', { name: 'rule' });
  const waiting = network.propose('ada', end).proposalId;
  const other = { name: 'rule', member: idOf('bob'), kinds: ['add_tee'] };
  network.pass(['bob', 'cyd'], action('set_automation_rule', other));
  assert.equal(getProposal(network.set, waiting)?.state, 'superseded');
  const foreign = network.propose('ada', end).proposalId;
  assert.equal(network.vote('ada', foreign).state, 'open');
});

test('no rule votes on rules', () => {
  const network = new Network(['ada']);
  for (const kind of ['set_automation_rule', 'remove_automation_rule']) {
    const [rule] = rulesOf(['ada'], { kinds: ['add_tee', kind as never] });
    const refusal = network.refuses('INVALID_ACTION', () =>
      network.propose('ada', action('set_automation_rule', { ...rule })),
    );
    assert.equal(refusal.details.path, 'actions[0].args.kinds[1]');
  }
});

test('rules that are no rules are refused with the path', () => {
  const rule = { name: 'r', member: idOf('ada'), kinds: ['add_node', 'set_policy'] };
  const malformed: [Record<string, unknown>, string][] = [
    [{ name: 'R' }, 'name'],
    [{ name: '' }, 'name'],
    [{ member: 'ada' }, 'member'],
    [{ member: idOf('zoe') }, 'member'],
    [{ member: idOf('pat') }, 'member'],
    [{ kinds: [] }, 'kinds'],
    [{ kinds: ['default'] }, 'kinds[0]'],
    [{ kinds: ['add_node', 'add_node', 'x'] }, 'kinds[2]'],
    [{ proposers: [] }, 'proposers'],
    [{ proposers: [idOf('zoe')] }, 'proposers'],
    [{ ownNodes: false }, 'ownNodes'],
    [{ maxNodes: 0 }, 'maxNodes'],
    [{ code: { measurement } }, 'code.measurement'],
    [{ acceptedTee: 'virtual' }, 'acceptedTee'],
    [{ policies: {} }, 'policies'],
    [{ policies: { coffee: { min: 1 } } }, 'policies.coffee'],
    [{ policies: { heartbeatMs: {} } }, 'policies.heartbeatMs'],
    [{ policies: { heartbeatMs: { min: 9, max: 8 } } }, 'policies.heartbeatMs.max'],
    [{ policies: { durability: { oneOf: ['clay'] } } }, 'policies.durability.oneOf[0]'],
    [{ policies: { durability: { oneOf: [] } } }, 'policies.durability.oneOf'],
    [{ kinds: ['set_policy'], maxNodes: 3 }, 'maxNodes'],
    [{ kinds: ['add_node'], policies: { heartbeatMs: { min: 1 } } }, 'policies'],
    [{ kinds: ['remove_node'], code: {} }, 'code'],
    [{ vote: 'reject' }, 'vote'],
  ];
  const network = new Network(['ada'], {
    actors: [actorArgs('ada'), actorArgs('pat', 'participant')],
  });
  for (const [change, path] of malformed) {
    const args = { ...rule, ...change };
    const refusal = network.refuses('INVALID_ACTION', () =>
      network.propose('ada', action('set_automation_rule', args)),
    );
    assert.equal(refusal.details.path, `actions[0].args.${path}`, JSON.stringify(change));
    const genesis = genesisJson(['ada'], {
      actors: [actorArgs('ada'), actorArgs('pat', 'participant')],
      automationRules: [args],
    });
    assert.throws(() => parseConstitution(genesis), {
      code: 'INVALID_CONSTITUTION',
      details: { path: `automationRules[0].${path}` },
    });
  }
  const twice = genesisJson(['ada'], { automationRules: [rule, rule] });
  assert.throws(() => parseConstitution(twice), { details: { path: 'automationRules[1].name' } });
});

test('there are so many rules only, and one more may take the place of another', () => {
  const network = new Network(['ada'], {
    automationRules: Array.from({ length: maxAutomationRules }, (_, i) => {
      return { name: `rule-${i}`, member: idOf('ada'), kinds: ['add_tee'] };
    }),
  });
  const rule = { member: idOf('ada'), kinds: ['remove_tee'] };
  network.refuses('AUTOMATION_RULE_LIMIT', () =>
    network.propose('ada', action('set_automation_rule', { ...rule, name: 'one-more' })),
  );
  network.pass(['ada'], action('set_automation_rule', { ...rule, name: 'rule-7' }));
});

test('with a member go its rules, and those that waited for its proposals alone', () => {
  const network = new Network(['ada', 'bob', 'cyd'], {
    automationRules: [
      { name: 'a', member: idOf('cyd'), kinds: ['add_tee'] },
      { name: 'b', member: idOf('ada'), kinds: ['add_tee'], proposers: [idOf('cyd')] },
      { name: 'c', member: idOf('ada'), kinds: ['add_tee'], proposers: [idOf('bob'), idOf('cyd')] },
      { name: 'd', member: idOf('ada'), kinds: ['add_tee'] },
    ],
  });
  const { effects } = network.pass(
    ['ada', 'bob'],
    action('remove_actor', { actorId: idOf('cyd') }),
  );
  assert.deepEqual(effects, [
    { kind: 'automation-rule-removed', rule: 'a' },
    { kind: 'automation-rule-removed', rule: 'b' },
    { kind: 'automation-rule-set', rule: 'c' },
    { kind: 'actor-removed', actorId: idOf('cyd') },
  ]);
  const { automationRules } = network.constitution;
  assert.deepEqual(
    automationRules?.map(({ name, proposers }) => [name, proposers]),
    [
      ['c', [idOf('bob')]],
      ['d', undefined],
    ],
  );
  assert.deepEqual(parseConstitution(network.constitution), network.constitution);
});

test('a change of an actor: roles decide who a policy means, and a participant votes no longer', () => {
  const bank = { kind: 'subset', role: 'bank', policy: { kind: 'majority' } };
  const network = new Network([], {
    actors: ['ada', 'bob', 'cyd'].map((name) => ({ ...actorArgs(name), roles: ['bank'] })),
    votingPolicies: { default: { kind: 'm-of-n', m: 1 }, set_policy: bank },
    automationRules: [{ name: 'r', member: idOf('cyd'), kinds: ['add_tee'] }],
  });
  const { proposalId } = network.propose('ada', setPolicy(1));
  network.vote('ada', proposalId);
  network.vote('cyd', proposalId, false);
  const roles = network.pass(
    ['bob'],
    action('set_actor_roles', { actorId: idOf('cyd'), roles: [] }),
  );
  assert.deepEqual(roles.effects, [{ kind: 'actor-roles-changed', actorId: idOf('cyd') }]);
  assert.equal(getProposal(network.set, proposalId)?.state, 'open');
  network.pass(['bob'], action('set_actor_roles', { actorId: idOf('bob'), roles: ['shop'] }));
  assert.equal(
    getProposal(network.set, proposalId)?.state,
    'accepted',
    'ada is the only bank left',
  );

  network.refuses('UNSATISFIABLE_VOTING_POLICY', () =>
    network.propose('ada', action('set_actor_roles', { actorId: idOf('ada'), roles: [] })),
  );
  const kind = network.pass(
    ['ada'],
    action('set_actor_kind', { actorId: idOf('cyd'), kind: ['participant'] }),
  );
  assert.deepEqual(kind.effects, [
    { kind: 'automation-rule-removed', rule: 'r' },
    { kind: 'actor-kind-changed', actorId: idOf('cyd') },
  ]);
  network.refuses('NOT_A_MEMBER', () => network.propose('cyd', setPolicy(4)));
  network.refuses('ACTOR_NOT_FOUND', () =>
    network.propose('ada', action('set_actor_kind', { actorId: idOf('zoe'), kind: ['member'] })),
  );
  network.pass(
    ['ada'],
    action('set_actor_kind', { actorId: idOf('cyd'), kind: ['participant', 'member'] }),
  );
  assert.equal(network.propose('cyd', setPolicy(4)).state, 'open');
  assert.deepEqual(parseConstitution(network.constitution), network.constitution);
  const last = new Network(['ada']);
  last.refuses('LAST_MEMBER', () =>
    last.propose('ada', action('set_actor_kind', { actorId: idOf('ada'), kind: ['participant'] })),
  );
});

test('an owner that is named by another of its certificates has no further nodes for it', () => {
  const network = new Network(['ada', 'bob', 'cyd'], {
    automationRules: rulesOf(['ada', 'bob'], { kinds: ['add_node'], ownNodes: true, maxNodes: 1 }),
  });
  const { pem, fingerprint } = renewed('cyd', 61);
  const args = { actorId: idOf('cyd'), certificate: pem };
  network.pass(['ada', 'bob'], action('add_actor_certificate', args));
  const add = (number: number, actorId: string) =>
    network.propose('cyd', nodeOf('cyd', number, { actorId })).state;
  assert.equal(add(1, fingerprint), 'accepted');
  assert.equal(add(2, fingerprint), 'open');
  assert.equal(add(3, idOf('cyd')), 'open');
});
