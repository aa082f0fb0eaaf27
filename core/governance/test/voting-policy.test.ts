import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  acceptsNeeded,
  canonicalJson,
  getProposal,
  judge,
  parseConstitution,
  type Voter,
  type VotingPolicy,
  votingPolicyText,
} from '@concordat/governance';
import type { ActorId } from '@concordat/std';
import { action, actorArgs, genesisJson, Network, organisation } from './network.ts';

const idOf = (name: string): ActorId => organisation(name).actorId;
const harmless = action('set_policy', { name: 'maxBatchDelayMs', value: 1 });

/** Whole numbers below a bound, the same ones for a seed. */
function numbers(seed: number): (below: number) => number {
  let state = seed >>> 0;
  return (below) => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return Math.floor((state / 2 ** 32) * below);
  };
}

const voterIds = ['a', 'b', 'c', 'd', 'e', 'f'] as ActorId[];
const roles = ['bank', 'auditor'];

function randomPolicy(below: (bound: number) => number, depth = 1): VotingPolicy {
  const inner = (): VotingPolicy => randomPolicy(below, depth + 1);
  switch (below(depth < 4 ? 7 : 4)) {
    case 0:
      return { kind: 'unanimous' };
    case 1:
      return { kind: 'majority' };
    case 2:
      return { kind: 'm-of-n', m: 1 + below(6) };
    case 3:
      return { kind: 'percentage', percent: 1 + below(100) };
    case 4: {
      const members = voterIds.filter(() => below(2) === 0);
      const role = below(2) === 0 ? roles[below(2)] : undefined;
      return { kind: 'subset', members, ...(role && { role }), policy: inner() };
    }
    case 5:
      return { kind: 'all-of', policies: Array.from({ length: 2 + below(2) }, inner) };
    default:
      return { kind: 'any-of', policies: Array.from({ length: 2 + below(2) }, inner) };
  }
}

/** What the docs say of each policy, written down a second time: by votes instead of by counts. */
function isMet(policy: VotingPolicy, voters: readonly Voter[], yes: ReadonlySet<string>): boolean {
  const accepts = voters.filter(({ actorId }) => yes.has(actorId)).length;
  if (policy.kind === 'all-of') return !policy.policies.some((part) => !isMet(part, voters, yes));
  if (policy.kind === 'any-of') return policy.policies.some((part) => isMet(part, voters, yes));
  if (policy.kind === 'subset') {
    const named = voters.filter(
      (voter) =>
        (policy.members ?? []).some((id) => id === voter.actorId) ||
        voter.roles.some((role) => role === policy.role),
    );
    return isMet(policy.policy, named, yes);
  }
  if (voters.length === 0) return false;
  if (policy.kind === 'unanimous') return accepts === voters.length;
  if (policy.kind === 'majority') return accepts * 2 > voters.length;
  if (policy.kind === 'm-of-n') return accepts >= policy.m;
  return accepts * 100 >= policy.percent * voters.length;
}

test('the judgement of any policy is what every way to complete the votes comes to', () => {
  const below = numbers(7);
  const seen = { accepted: 0, rejected: 0, open: 0 };
  for (let round = 0; round < 4_000; round++) {
    const policy = randomPolicy(below);
    const voters = voterIds.slice(0, 1 + below(6)).map((actorId) => {
      return { actorId, roles: roles.filter(() => below(2) === 0) };
    });
    const cast = voters.map(() => below(3));
    const idsOf = (what: number) =>
      new Set<string>(voters.flatMap(({ actorId }, i) => (cast[i] === what ? [actorId] : [])));
    const [accepts, rejects, silent] = [idsOf(1), idsOf(2), [...idsOf(0)]];
    const outcomes = new Set<boolean>();
    for (let mask = 0; mask < 2 ** silent.length; mask++) {
      const more = silent.filter((_, i) => (mask >> i) & 1);
      outcomes.add(isMet(policy, voters, new Set([...accepts, ...more])));
    }
    const expected = outcomes.size > 1 ? 'open' : outcomes.has(true) ? 'accepted' : 'rejected';
    const verdict = judge(policy, { voters, accepts, rejects });
    assert.equal(verdict, expected, canonicalJson({ policy, voters, cast }));
    seen[verdict]++;
    // Another accept never makes it worse, another reject never better.
    for (const id of silent) {
      const better = judge(policy, { voters, accepts: new Set([...accepts, id]), rejects });
      const worse = judge(policy, { voters, accepts, rejects: new Set([...rejects, id]) });
      if (verdict !== 'open') assert.deepEqual([better, worse], [verdict, verdict]);
      else assert.ok(better !== 'rejected' && worse !== 'accepted');
    }
  }
  for (const count of Object.values(seen)) assert.ok(count > 400, JSON.stringify(seen));
});

test('votes of those who are no members decide nothing', () => {
  const voters = [{ actorId: 'a' as ActorId, roles: [] }];
  const ballot = { voters, accepts: new Set(['x', 'y', 'z']), rejects: new Set<string>() };
  assert.equal(judge({ kind: 'm-of-n', m: 1 }, ballot), 'open');
});

test('a majority is more than half; a percentage is rounded up to whole members', () => {
  const majority = [1, 2, 3, 4, 5].map((n) => acceptsNeeded({ kind: 'majority' }, n));
  assert.deepEqual(majority, [1, 2, 2, 3, 3]);
  const percent = (part: number) =>
    [1, 2, 3, 4, 100].map((n) => acceptsNeeded({ kind: 'percentage', percent: part }, n));
  assert.deepEqual(percent(1), [1, 1, 1, 1, 1]);
  assert.deepEqual(percent(50), [1, 1, 2, 2, 50]);
  assert.deepEqual(percent(66), [1, 2, 2, 3, 66]);
  assert.deepEqual(percent(67), [1, 2, 3, 3, 67]);
  assert.deepEqual(percent(100), [1, 2, 3, 4, 100]);
});

test('named members alone decide, and the votes of others are recorded only', () => {
  const policy = {
    kind: 'subset',
    members: [idOf('ada'), idOf('bob')],
    policy: { kind: 'unanimous' },
  };
  const network = new Network(['ada', 'bob', 'cyd'], { votingPolicies: { default: policy } });
  const { proposalId } = network.propose('cyd', harmless);
  assert.equal(network.vote('cyd', proposalId).state, 'open');
  assert.equal(network.vote('ada', proposalId).state, 'open');
  assert.equal(network.vote('bob', proposalId).state, 'accepted');
  assert.equal(getProposal(network.set, proposalId)?.votes.length, 3);
  const other = network.propose('cyd', harmless);
  assert.equal(network.vote('ada', other.proposalId, false).state, 'rejected');
});

test('two of the banks and a majority of all: both parts count the same votes', () => {
  const policy = {
    kind: 'all-of',
    policies: [
      { kind: 'majority' },
      { kind: 'subset', role: 'bank', policy: { kind: 'm-of-n', m: 2 } },
    ],
  };
  const network = new Network([], {
    actors: ['ada', 'bob', 'cyd', 'dan', 'eve'].map((name) => {
      return { ...actorArgs(name), roles: name < 'd' ? ['bank'] : [] };
    }),
    votingPolicies: { default: policy },
  });
  const first = network.propose('ada', harmless).proposalId;
  for (const name of ['dan', 'eve', 'ada']) assert.equal(network.vote(name, first).state, 'open');
  assert.equal(network.vote('bob', first).state, 'accepted');
  const second = network.propose('ada', harmless).proposalId;
  network.vote('ada', second, false);
  assert.equal(network.vote('bob', second, false).state, 'rejected');
});

test('a policy that nobody could ever meet is refused with the path of the part', () => {
  const ada = { kind: 'subset', members: [idOf('ada')], policy: { kind: 'unanimous' } };
  const unmeetable: [unknown, string][] = [
    [{ kind: 'm-of-n', m: 4 }, ''],
    [
      { kind: 'all-of', policies: [{ kind: 'm-of-n', m: 4 }, { kind: 'majority' }] },
      '.policies[0]',
    ],
    [{ ...ada, policy: { kind: 'm-of-n', m: 2 } }, '.policy'],
    [{ kind: 'subset', members: [], policy: { kind: 'majority' } }, '.policy'],
    [{ kind: 'subset', role: 'pope', policy: { kind: 'm-of-n', m: 1 } }, '.policy'],
    [
      {
        kind: 'any-of',
        policies: [
          { kind: 'm-of-n', m: 4 },
          { kind: 'm-of-n', m: 5 },
        ],
      },
      '',
    ],
    [
      { kind: 'subset', members: [idOf('ada'), idOf('zoe')], policy: { kind: 'majority' } },
      '.members[',
    ],
  ];
  const network = new Network(['ada', 'bob', 'cyd']);
  for (const [policy, path] of unmeetable) {
    const set = action('set_voting_policy', { kind: 'add_node', policy });
    const refusal = network.refuses('UNSATISFIABLE_VOTING_POLICY', () =>
      network.propose('ada', set),
    );
    assert.ok(String(refusal.details.path).startsWith(`votingPolicies.add_node${path}`));
    const votingPolicies = { default: { kind: 'majority' }, add_node: policy };
    assert.throws(() => parseConstitution(genesisJson(['ada', 'bob', 'cyd'], { votingPolicies })), {
      code: 'UNSATISFIABLE_VOTING_POLICY',
    });
  }
});

test('policies that are no policies are refused with the path', () => {
  const deep = (levels: number): unknown =>
    levels === 0
      ? { kind: 'majority' }
      : { kind: 'subset', members: [idOf('ada')], policy: deep(levels - 1) };
  const many = { kind: 'any-of', policies: new Array(16).fill({ kind: 'majority' }) };
  const malformed: [unknown, string][] = [
    [undefined, 'policy'],
    [null, 'policy'],
    [[], 'policy'],
    [{}, 'policy.kind'],
    [{ kind: 'coin' }, 'policy.kind'],
    [{ kind: ['majority'] }, 'policy.kind'],
    [{ kind: 'majority', m: 2 }, 'policy.m'],
    [{ kind: 'm-of-n' }, 'policy.m'],
    [{ kind: 'm-of-n', m: 1.5 }, 'policy.m'],
    [{ kind: 'm-of-n', m: 0 }, 'policy.m'],
    [{ kind: 'percentage', percent: 0 }, 'policy.percent'],
    [{ kind: 'percentage', percent: 101 }, 'policy.percent'],
    [{ kind: 'percentage', percent: '50' }, 'policy.percent'],
    [{ kind: 'all-of', policies: [{ kind: 'majority' }] }, 'policy.policies'],
    [{ kind: 'any-of', policies: { length: 2 } }, 'policy.policies'],
    [{ kind: 'any-of', policies: new Array(17).fill({ kind: 'majority' }) }, 'policy.policies'],
    [{ kind: 'all-of', policies: [many, many, many, many] }, 'policy'],
    [
      { kind: 'all-of', policies: [{ kind: 'majority' }, { kind: 'x' }] },
      'policy.policies[1].kind',
    ],
    [{ kind: 'subset', policy: { kind: 'majority' } }, 'policy'],
    [{ kind: 'subset', role: 'Bank', policy: { kind: 'majority' } }, 'policy.role'],
    [{ kind: 'subset', members: ['ada'], policy: { kind: 'majority' } }, 'policy.members[0]'],
    [
      { kind: 'subset', members: [idOf('ada'), idOf('ada')], policy: { kind: 'majority' } },
      'policy.members',
    ],
    [{ kind: 'subset', members: [idOf('ada')] }, 'policy.policy'],
    [deep(4), 'policy.policy.policy.policy.policy'],
    [deep(50), 'policy.policy.policy.policy.policy'],
  ];
  const network = new Network(['ada', 'bob']);
  for (const [policy, path] of malformed) {
    const set = action('set_voting_policy', { kind: 'add_node', policy });
    const refusal = network.refuses('INVALID_ACTION', () => network.propose('ada', set));
    assert.equal(refusal.details.path, `actions[0].args.${path}`, canonicalJson({ policy }));
  }
  network.pass(['ada', 'bob'], action('set_voting_policy', { kind: 'add_node', policy: deep(3) }));
});

test('equal policies are equal JSON, in whatever order their parts were written', () => {
  const digestOf = (members: readonly string[], parts: readonly unknown[]): string => {
    const subset = { kind: 'subset', members, policy: { kind: 'majority' } };
    const votingPolicies = { default: { kind: 'all-of', policies: [...parts, subset] } };
    return canonicalJson(parseConstitution(genesisJson(['ada', 'bob'], { votingPolicies })));
  };
  const [one, other] = [{ kind: 'unanimous' }, { kind: 'm-of-n', m: 1 }];
  assert.equal(
    digestOf([idOf('ada'), idOf('bob')], [one, other]),
    digestOf([idOf('bob'), idOf('ada')], [other, one]),
  );
});

test('a member that is removed leaves the policies that name it, unless nobody is left in them', () => {
  const both = {
    kind: 'subset',
    members: [idOf('ada'), idOf('bob')].sort(),
    policy: { kind: 'unanimous' },
  };
  const network = new Network(['ada', 'bob', 'cyd'], {
    votingPolicies: { default: { kind: 'm-of-n', m: 1 }, add_node: both },
  });
  const removeBob = action('remove_actor', { actorId: idOf('bob') });
  const { effects } = network.pass(['cyd'], removeBob);
  assert.deepEqual(effects, [
    { kind: 'voting-policy-changed', policy: 'add_node' },
    { kind: 'actor-removed', actorId: idOf('bob') },
  ]);
  const left = { ...both, members: [idOf('ada')] };
  assert.deepEqual(network.constitution.votingPolicies.add_node, left);
  // Who comes back is not named again.
  network.pass(['cyd'], action('add_actor', actorArgs('bob')));
  assert.deepEqual(network.constitution.votingPolicies.add_node, left);
  const removeAda = action('remove_actor', { actorId: idOf('ada') });
  const refusal = network.refuses('UNSATISFIABLE_VOTING_POLICY', () =>
    network.propose('cyd', removeAda),
  );
  assert.equal(refusal.details.path, 'votingPolicies.add_node.policy');
  network.pass(['cyd'], removeAda, action('remove_voting_policy', { kind: 'add_node' }));
  assert.deepEqual(network.constitution, parseConstitution(network.constitution));
});

test('an open proposal whose policy names only those who left is rejected', () => {
  const ada = { kind: 'subset', members: [idOf('ada')], policy: { kind: 'unanimous' } };
  const network = new Network(['ada', 'bob', 'cyd'], {
    votingPolicies: { default: { kind: 'm-of-n', m: 1 }, set_policy: ada },
  });
  const { proposalId } = network.propose('bob', harmless);
  network.pass(
    ['bob'],
    action('remove_voting_policy', { kind: 'set_policy' }),
    action('remove_actor', { actorId: idOf('ada') }),
  );
  assert.equal(getProposal(network.set, proposalId)?.state, 'rejected');
});

test('a composed policy is told in a few words', () => {
  const policy: VotingPolicy = {
    kind: 'any-of',
    policies: [
      { kind: 'all-of', policies: [{ kind: 'majority' }, { kind: 'percentage', percent: 60 }] },
      {
        kind: 'subset',
        members: [idOf('ada')],
        role: 'bank',
        policy: { kind: 'm-of-n', m: 2 },
      },
    ],
  };
  assert.equal(
    votingPolicyText(policy, () => 'ada'),
    '((majority and 60%) or 2 of n of [ada, role bank])',
  );
});

test('parts stay sorted when a member leaves: the constitution reads to itself', () => {
  const [first, second, third] = ['ada', 'bob', 'cyd', 'dan']
    .map((name) => ({ name, id: organisation(name).actorId }))
    .sort((a, b) => (a.id < b.id ? -1 : 1)) as unknown as [Named, Named, Named];
  const subset = (...of: Named[]) => ({
    kind: 'subset',
    members: of.map(({ id }) => id),
    policy: { kind: 'majority' },
  });
  const policy = { kind: 'any-of', policies: [subset(first, third), subset(second)] };
  const network = new Network(['ada', 'bob', 'cyd', 'dan'], {
    votingPolicies: { default: { kind: 'majority' }, add_node: policy },
  });
  network.pass(['ada', 'bob', 'cyd', 'dan'], action('remove_actor', { actorId: first.id }));
  const { constitution } = network;
  assert.deepEqual(parseConstitution(JSON.stringify(constitution)), constitution);
});

interface Named {
  readonly name: string;
  readonly id: string;
}
