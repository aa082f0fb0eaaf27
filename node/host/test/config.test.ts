import { strict as assert } from 'node:assert';
import { test } from 'node:test';
import { applyOverrides, parseConfig } from '../config.ts';

const minimal = {
  version: 1,
  name: 'alpha-1',
  mode: 'genesis',
  dataDirectory: 'data',
  genesisFile: 'genesis.json',
  listen: { node: '127.0.0.1:7000', admin: '127.0.0.1:7001' },
  manager: { image: 'images/manager' },
  workers: [{ image: 'images/worker', listen: '127.0.0.1:8001' }],
};

const faultsOf = (document: unknown): string => {
  try {
    parseConfig(document, '/vn');
    return '';
  } catch (error) {
    assert.equal((error as { code: string }).code, 'INVALID_CONFIG');
    return (error as Error).message;
  }
};

test('a minimal configuration gets every default, and paths beside the file', () => {
  const config = parseConfig(minimal, '/vn');
  assert.equal(config.dataDirectory, '/vn/data');
  assert.equal(config.bridgeDirectory, '/vn/data/bridge');
  assert.equal(config.platformKeyFile, '/vn/data/platform-key.pem');
  assert.equal(config.genesisFile, '/vn/genesis.json');
  assert.deepEqual(config.ledger, { chunkBytes: 16_777_216 });
  assert.deepEqual(config.advertise, minimal.listen);
  assert.equal(config.workers[0]!.image, '/vn/images/worker');
  assert.equal(config.workers[0]!.advertise, '127.0.0.1:8001');
  assert.equal(config.limits.halfOpenTimeoutMs, 30_000);
  assert.equal(config.restart.maxDelayMs, 30_000);
  assert.equal(config.tickMs, 10);
  assert.equal(config.sandbox, 'auto');
  assert(config.firstUid >= 20_000 && config.firstUid + 15 < 60_000);
});

test('unknown keys are refused at every level, by path', () => {
  assert.match(faultsOf({ ...minimal, extra: 1 }), /extra is not a known key/);
  assert.match(faultsOf({ ...minimal, listen: { ...minimal.listen, x: 1 } }), /listen\.x/);
  const workers = [{ ...minimal.workers[0], port: 5 }];
  assert.match(faultsOf({ ...minimal, workers }), /workers\[0\]\.port/);
});

test('all faults are listed at once', () => {
  const faults = faultsOf({ ...minimal, name: 'Not A Name', tickMs: 0, mode: 'maybe' });
  for (const path of ['name', 'tickMs', 'mode']) assert.match(faults, new RegExp(path));
});

test('values out of bounds or of another type are refused', () => {
  for (const change of [
    { ledger: { chunkBytes: 10 } },
    { ledger: { durability: 'memory' } },
    { limits: { maxConnections: 1.5 } },
    { workers: [] },
    { workers: {} },
    { listen: { node: 'nowhere', admin: '127.0.0.1:1' } },
    { listen: { node: '127.0.0.1:70000', admin: '127.0.0.1:1' } },
    { version: 2 },
    { dataDirectory: '' },
    { bridgeDirectory: `/${'x'.repeat(90)}` },
  ]) {
    assert.notEqual(faultsOf({ ...minimal, ...change }), '', JSON.stringify(change));
  }
  for (const document of [null, [], 'text', 5]) assert.notEqual(faultsOf(document), '');
});

test('genesis needs a constitution, joining needs a peer', () => {
  const { genesisFile: _, ...rest } = minimal;
  assert.match(faultsOf(rest), /genesisFile/);
  assert.match(faultsOf({ ...rest, mode: 'join' }), /peers/);
  assert.equal(faultsOf({ ...rest, mode: 'join', peers: ['[::1]:7000'] }), '');
  const joining = { ...rest, mode: 'join', peers: ['[::1]:7000'] };
  for (const approve of ['ask', 'any', 'ab'.repeat(32)]) {
    assert.equal(faultsOf({ ...joining, approve }), '');
  }
  for (const approve of ['', 'all', 'AB'.repeat(32), 'ab', true]) {
    assert.match(faultsOf({ ...joining, approve }), /approve/);
  }
  const both = { approve: 'any', approvedConstitutionFile: 'constitution.json' };
  assert.match(faultsOf({ ...joining, ...both }), /exclude each other/);
  assert.equal(faultsOf({ ...joining, approvedConstitutionFile: 'constitution.json' }), '');
});

test('a data directory too long for socket names moves the bridge to a short one', () => {
  const config = parseConfig({ ...minimal, dataDirectory: `/${'x'.repeat(90)}` }, '/vn');
  assert(config.bridgeDirectory.length <= 80);
  assert.match(config.bridgeDirectory, /concordat-[0-9a-f]{16}$/);
});

test('the environment overrides any key and cannot add an unknown one', () => {
  const changed = applyOverrides(minimal, {
    CONCORDAT_VN_LISTEN__NODE: '127.0.0.1:9',
    CONCORDAT_VN_LEDGER__CHUNK_BYTES: '8192',
    CONCORDAT_VN_TICK_MS: '25',
    OTHER: 'x',
  });
  const config = parseConfig(changed, '/vn');
  assert.equal(config.listen.node, '127.0.0.1:9');
  assert.equal(config.ledger.chunkBytes, 8192);
  assert.equal(config.tickMs, 25);
  assert.equal(minimal.listen.node, '127.0.0.1:7000');
  assert.match(faultsOf(applyOverrides(minimal, { CONCORDAT_VN_NONSENSE: '1' })), /nonsense/);
});
