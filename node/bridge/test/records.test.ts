import { strict as assert } from 'node:assert';
import { test } from 'node:test';
import {
  decodeIdentity,
  decodeManagerStart,
  decodeWorkerStart,
  encodeIdentity,
  encodeStart,
  formatEnclaveArguments,
  listenerSocket,
  type ManagerStart,
  parseEnclaveArguments,
} from '../index.ts';

const identity = {
  actorId: 'a'.repeat(64),
  name: 'Alpha',
  kinds: ['member'],
  roles: [],
  subject: 'clerk',
  serial: '0a',
  isStaff: true,
  fingerprint: 'b'.repeat(64),
  certificate: 'PEM',
};

const start: ManagerStart = {
  role: 'manager',
  mode: 'genesis',
  node: { name: 'alpha-1' },
  addresses: { node: '127.0.0.1:1', admin: '127.0.0.1:2', applications: ['127.0.0.1:3'] },
  peers: [],
  lastHeight: 0,
  firstHeight: 1,
  missing: [],
  snapshots: [],
  tickMs: 20,
  workers: [{ index: 1, adapters: ['keyvalue'] }],
  genesisData: [],
  restarts: 0,
};

test('an identity survives the round trip and is refused with a field missing, added or wrong', () => {
  assert.deepEqual(decodeIdentity(encodeIdentity(identity)), identity);
  for (const key of Object.keys(identity)) {
    const { [key as 'name']: _, ...rest } = identity;
    assert.throws(() => decodeIdentity(Buffer.from(JSON.stringify(rest))), { code: 'INVALID' });
    const wrong = { ...identity, [key]: 5 };
    assert.throws(() => decodeIdentity(Buffer.from(JSON.stringify(wrong))), { code: 'INVALID' });
  }
  const extended = { ...identity, admin: true };
  assert.throws(() => decodeIdentity(Buffer.from(JSON.stringify(extended))), { code: 'INVALID' });
});

test('a refused identity is not quoted in the error', () => {
  assert.throws(
    () => decodeIdentity(Buffer.from('{"secret')),
    (error: Error) => !error.message.includes('secret'),
  );
});

test('a start record survives the round trip and names the field that is wrong', () => {
  assert.deepEqual(decodeManagerStart(encodeStart(start)), start);
  for (const key of Object.keys(start)) {
    if (key === 'role') continue;
    const wrong = { ...start, [key]: null };
    assert.throws(() => decodeManagerStart(Buffer.from(JSON.stringify(wrong))), {
      code: 'MALFORMED_FRAME',
      message: new RegExp(key),
    });
  }
  assert.throws(() => decodeWorkerStart(encodeStart(start)), { code: 'MALFORMED_FRAME' });
});

test('enclave arguments survive the round trip and anything else is refused', () => {
  for (const given of [{ bridgeDirectory: '/b' }, { bridgeDirectory: '/b', worker: 2 }]) {
    assert.deepEqual(parseEnclaveArguments(formatEnclaveArguments(given)), given);
  }
  for (const args of [
    [],
    ['--bridge'],
    ['--bridge', '/b', '--worker'],
    ['--bridge', '/b', 'x', '1'],
    ['--bridge', '/b', '--worker', '0'],
    ['--bridge', '/b', '--worker', '1', 'more'],
  ]) {
    assert.throws(() => parseEnclaveArguments(args), { code: 'INVALID_ARGUMENTS' });
  }
});

test('a listener name cannot lead out of the bridge directory', () => {
  assert.equal(listenerSocket('/b', 'app-1'), '/b/app-1.sock');
  for (const which of ['../x', 'app-0', 'app-1/..', 'control', 'worker-1']) {
    assert.throws(() => listenerSocket('/b', which), { code: 'INVALID_ARGUMENTS' });
  }
});
