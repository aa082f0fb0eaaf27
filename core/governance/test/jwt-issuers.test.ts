import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createSigningKey } from '@concordat/crypto';
import { GovernanceError, parseConstitution } from '@concordat/governance';
import { toHex } from '@concordat/std';
import { action, jwkOf, Network, seed } from './network.ts';

const issuer = 'https://login.example/tenant';
const keyOf = (number: number): string => toHex(createSigningKey(seed(number)).publicKeySpki);
const keys = (...kids: string[]) => ({ keys: kids.map((kid, at) => ({ ...jwkOf(at + 1), kid })) });

function refused(run: () => unknown): string {
  try {
    run();
  } catch (error) {
    assert.ok(error instanceof GovernanceError, String(error));
    return error.code;
  }
  return 'taken';
}

const propose = (network: Network, name: Parameters<typeof action>[0], args: object): string =>
  refused(() => network.pass(['ada', 'bob'], action(name, args as Record<string, unknown>)));

test('an issuer is trusted by vote, its keys are replaced, and it is trusted no more', () => {
  const network = new Network(['ada', 'bob']);
  const trusted = () => network.constitution.jwtIssuers;
  assert.equal(trusted(), undefined);
  network.pass(['ada', 'bob'], action('set_jwt_issuer', { issuer, jwks: keys('b', 'a') }));
  assert.deepEqual(trusted(), [
    {
      issuer,
      keys: [
        { kid: 'a', key: keyOf(2), constraint: issuer },
        { kid: 'b', key: keyOf(1), constraint: issuer },
      ],
    },
  ]);
  const other = { issuer, jwks: { keys: [{ ...jwkOf(5), kid: 'c' }] } };
  network.pass(['ada', 'bob'], action('set_jwt_public_signing_keys', other));
  const held = [{ kid: 'c', key: keyOf(5), constraint: issuer }];
  assert.deepEqual(trusted()?.[0]?.keys, held);
  network.pass(['ada', 'bob'], action('set_jwt_issuer', { issuer }));
  assert.deepEqual(trusted()?.[0]?.keys, held, 'without jwks they stay');
  network.pass(['ada', 'bob'], action('remove_jwt_issuer', { issuer }));
  assert.equal(trusted(), undefined);
});

test('issuers are part of the constitution, whose text reads back as it is', () => {
  const network = new Network(['ada', 'bob']);
  const jwks = { keys: [{ ...jwkOf(1), kid: 'k', issuer: 'https://eu.login.example/x' }] };
  network.pass(['ada', 'bob'], action('set_jwt_issuer', { issuer, jwks }));
  const { constitution } = network;
  assert.deepEqual(parseConstitution(JSON.stringify(constitution)), constitution);
  const [known] = constitution.jwtIssuers ?? [];
  for (const bad of [
    [known, known],
    [{ ...known, more: 1 }],
    [{ ...known, keys: [{ ...known?.keys[0], key: 'ab' }] }],
    [{ ...known, keys: [{ ...known?.keys[0], constraint: 'https://else.example' }] }],
    [{ ...known, keys: [known?.keys[0], known?.keys[0]] }],
  ]) {
    const text = JSON.stringify({ ...constitution, jwtIssuers: bad });
    assert.equal(
      refused(() => parseConstitution(text)),
      'INVALID_CONSTITUTION',
    );
  }
});

test('keys of an issuer nobody trusts, and its removal, are refused', () => {
  const network = new Network(['ada', 'bob']);
  const args = { issuer, jwks: keys('a') };
  const code = 'JWT_ISSUER_NOT_FOUND';
  assert.equal(propose(network, 'set_jwt_public_signing_keys', args), code);
  assert.equal(propose(network, 'remove_jwt_issuer', { issuer }), code);
});

test('there are at most 64 issuers', () => {
  const network = new Network(['ada', 'bob']);
  for (let at = 0; at < 64; at++) {
    network.pass(['ada', 'bob'], action('set_jwt_issuer', { issuer: `issuer-${at}` }));
  }
  assert.equal(propose(network, 'set_jwt_issuer', { issuer: 'another' }), 'JWT_ISSUER_LIMIT');
  assert.equal(propose(network, 'set_jwt_issuer', { issuer: 'issuer-3' }), 'taken');
});

test('arguments that would weaken what tokens are verified by are refused', () => {
  const network = new Network(['ada', 'bob']);
  const key = { ...jwkOf(1), kid: 'a' };
  const bad: object[] = [
    { issuer: '', jwks: keys('a') },
    { issuer: 'two words' },
    { issuer, auto_refresh: true },
    { issuer, ca_cert_bundle_name: 'roots' },
    { issuer, jwks: [] },
    { issuer, jwks: { keys: [key, key] } },
    { issuer, jwks: { keys: [jwkOf(1)] } },
    { issuer, jwks: { keys: [{ ...key, kid: '' }] } },
    { issuer, jwks: { keys: [{ ...key, d: 'AAAA' }] } },
    { issuer, jwks: { keys: [{ kid: 'a', kty: 'oct', k: 'AAAA' }] } },
    { issuer, jwks: { keys: [{ ...key, issuer: 'https://elsewhere.example' }] } },
    { issuer, jwks: { keys: [{ ...key, issuer: 'https://notlogin.example' }] } },
    { issuer: 'plain', jwks: { keys: [{ ...key, issuer: 'other' }] } },
    { issuer, jwks: { keys: Array.from({ length: 65 }, (_, at) => ({ ...key, kid: `${at}` })) } },
  ];
  for (const args of bad) {
    assert.equal(propose(network, 'set_jwt_issuer', args), 'INVALID_ACTION', JSON.stringify(args));
  }
  const template = 'https://login.example/{tenantid}/v2.0';
  const jwks = { keys: [{ ...key, issuer: template }] };
  network.pass(['ada', 'bob'], action('set_jwt_issuer', { issuer, jwks }));
  assert.equal(network.constitution.jwtIssuers?.[0]?.keys[0]?.constraint, template);
});
