import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createSigningKey, issueCertificate, toPem } from '@concordat/crypto';
import { constitutionDigest, GovernanceError, parseConstitution } from '@concordat/governance';
import { action, Network, seed } from './network.ts';

const rates = { name: 'rates', origin: 'https://rates.example:8443', adapters: ['javascript'] };
const usual = {
  certificates: [],
  timeoutMs: 5_000,
  maxRequestBytes: 65_536,
  maxAnswerBytes: 262_144,
  maxCalls: 16,
};

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

function certificate(number: number): string {
  const key = createSigningKey(seed(number));
  return toPem(
    issueCertificate({
      subject: { commonName: `authority ${number}` },
      publicKeySpki: key.publicKeySpki,
      issuer: { key },
      serial: Uint8Array.of(number),
      notBeforeMs: 0,
      notAfterMs: 1e12,
      isCa: true,
      usages: [],
    }),
  );
}

test('a system is listed by vote with its limits, changed, and listed no more', () => {
  const network = new Network(['ada', 'bob']);
  const before = constitutionDigest(network.constitution);
  const listed = () => network.constitution.externalSystems;
  assert.equal(listed(), undefined);
  network.pass(['ada', 'bob'], action('set_external_system', rates));
  assert.deepEqual(listed(), [{ ...rates, ...usual }]);
  const pems = [certificate(1), certificate(2)];
  const changed = {
    ...rates,
    origin: 'https://other.example',
    adapters: ['sawtooth', 'javascript', 'sawtooth'],
    certificates: [pems[1], `\n${pems[0]?.replaceAll('\n', '\r\n')}`, pems[1]],
    timeoutMs: 100,
  };
  network.pass(['ada', 'bob'], action('set_external_system', changed));
  assert.deepEqual(listed(), [
    {
      ...rates,
      ...usual,
      origin: 'https://other.example:443',
      adapters: ['javascript', 'sawtooth'],
      certificates: [...pems].sort(),
      timeoutMs: 100,
    },
  ]);
  network.pass(['ada', 'bob'], action('remove_external_system', { name: 'rates' }));
  assert.equal(listed(), undefined);
  assert.deepEqual(constitutionDigest(network.constitution), before, 'as it always was');
});

test('systems are part of the constitution, whose text reads back as it is', () => {
  const network = new Network(['ada', 'bob']);
  for (const name of ['zurich', 'basel']) {
    network.pass(['ada', 'bob'], action('set_external_system', { ...rates, name }));
  }
  const { constitution } = network;
  assert.deepEqual(
    constitution.externalSystems?.map(({ name }) => name),
    ['basel', 'zurich'],
  );
  const backwards = {
    ...constitution,
    externalSystems: constitution.externalSystems?.toReversed(),
  };
  assert.deepEqual(parseConstitution(JSON.stringify(backwards)), constitution);
  const twice = [constitution.externalSystems?.[0], constitution.externalSystems?.[0]];
  const bad = { ...constitution, externalSystems: twice };
  assert.equal(
    refused(() => parseConstitution(bad)),
    'INVALID_CONSTITUTION',
  );
});

test('a genesis may list systems', () => {
  const { constitution } = new Network(['ada', 'bob'], { externalSystems: [rates] });
  assert.deepEqual(constitution.externalSystems, [{ ...rates, ...usual }]);
});

test('what is no system is refused', () => {
  const network = new Network(['ada', 'bob']);
  const origins = [
    'http://rates.example:80',
    'https://rates.example/',
    'https://rates.example/path',
    'https://Rates.example',
    'https://user@rates.example',
    'https://rates.example:0',
    'https://rates.example:65536',
    'https://rates.example:443?x',
    'https://rates.example#x',
    'https://0x7f.1',
    'https://2130706433',
    'https://ra tes.example',
    'https://rates.example\n',
    'https://-rates.example',
    'https://',
    'https://[::1',
    'https://[0:0::1]',
    'https://xn--/',
    'rates.example:443',
    '',
    7,
    null,
  ];
  for (const origin of origins) {
    const code = propose(network, 'set_external_system', { ...rates, origin });
    assert.equal(code, 'INVALID_ACTION', String(origin));
  }
  const others: object[] = [
    { name: '' },
    { name: 'Rates' },
    { name: undefined },
    { adapters: [] },
    { adapters: 'javascript' },
    { adapters: ['java script'] },
    { adapters: ['a'.repeat(33)] },
    { adapters: Array.from({ length: 17 }, (_, at) => `a${at}`) },
    { certificates: certificate(1) },
    { certificates: [certificate(1) + certificate(2)] },
    { certificates: ['-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n'] },
    { certificates: Array.from({ length: 5 }, (_, at) => certificate(at + 1)) },
    { timeoutMs: 99 },
    { timeoutMs: 15_001 },
    { timeoutMs: '5000' },
    { maxAnswerBytes: 4_194_305 },
    { maxRequestBytes: -1 },
    { maxCalls: 0 },
    { maxCalls: 65 },
    { maxCalls: 1.5 },
    { redirects: true },
  ];
  for (const wrong of others) {
    const code = propose(network, 'set_external_system', { ...rates, ...wrong });
    assert.equal(code, 'INVALID_ACTION', JSON.stringify(wrong));
  }
  assert.equal(propose(network, 'set_external_system', [rates]), 'INVALID_ACTION');
  assert.equal(network.constitution.externalSystems, undefined);
});

test('addresses and ports are taken as they are written', () => {
  const network = new Network(['ada', 'bob']);
  for (const origin of ['https://127.0.0.1:9000', 'https://[::1]:443', 'https://a:65535']) {
    assert.equal(propose(network, 'set_external_system', { ...rates, origin }), 'taken', origin);
    assert.equal(network.constitution.externalSystems?.[0]?.origin, origin);
  }
});

test('a system that is not listed cannot be removed, and there is an end to their number', () => {
  const network = new Network(['ada', 'bob']);
  const missing = propose(network, 'remove_external_system', { name: 'rates' });
  assert.equal(missing, 'EXTERNAL_SYSTEM_NOT_FOUND');
  for (const args of [{}, { name: 'rates', more: 1 }, { name: 7 }, 'rates']) {
    const code = propose(network, 'remove_external_system', args as object);
    assert.equal(code, 'INVALID_ACTION', JSON.stringify(args));
  }
  for (let at = 0; at < 64; at++) {
    network.pass(['ada', 'bob'], action('set_external_system', { ...rates, name: `s${at}` }));
  }
  assert.equal(propose(network, 'set_external_system', rates), 'EXTERNAL_SYSTEM_LIMIT');
  const known = propose(network, 'set_external_system', { ...rates, name: 's7' });
  assert.equal(known, 'taken', 'one that is listed can be changed');
});
