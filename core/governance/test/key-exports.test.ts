import assert from 'node:assert/strict';
import test from 'node:test';
import { createEncryptionKey } from '@concordat/crypto';
import {
  buildKeyExport,
  keyExports,
  keyExportsOf,
  type MessageOptions,
  messageIdOf,
  readKeyExportRequest,
  recordedSharing,
  recordedSharings,
  type Submission,
} from '@concordat/governance';
import { toHex } from '@concordat/std';
import { organisation, seed } from './network.ts';
import { founders, networkOf, type SharedKeyNetwork } from './shared-key-network.ts';

const publicKey = toHex(createEncryptionKey(seed(77)).publicKey);
const otherKey = toHex(createEncryptionKey(seed(78)).publicKey);

/** Ada's network after its first ceremony. */
function shared(): SharedKeyNetwork {
  const network = networkOf();
  network.ceremonyOf();
  return network;
}

function ask(
  network: SharedKeyNetwork,
  name: string,
  request: { publicKey?: string; again?: boolean } = {},
): Submission & { readonly bytes: Uint8Array } {
  const bytes = buildKeyExport({
    ...network.options(name),
    request: { publicKey, again: false, ...request },
  });
  return { ...network.transact(() => network.submit(bytes)), bytes };
}

test('what copies a member is given stands in the ledger, and in every replay of it', () => {
  const network = shared();
  const { bytes, state, effects } = ask(network, 'ada');
  assert.equal(state, 'accepted');
  const { actorId } = organisation('ada');
  assert.deepEqual(effects, [{ kind: 'key-exported', actorId, keys: [1] }]);
  const [row, ...more] = [...keyExports(network.set)];
  assert.deepEqual(row, {
    actorId,
    key: 1,
    sharing: 1,
    index: recordedSharing(network.set, 1)?.holders.find((one) => one.actorId === actorId)?.index,
    publicKey,
    message: messageIdOf(bytes),
    atSeconds: network.now,
    times: 1,
  });
  assert.equal(more.length, 0);
  assert.deepEqual(keyExportsOf(network.set, messageIdOf(bytes)), [row]);
  assert.deepEqual([...keyExports(network.replayed().head())], [row]);
});

test('a copy is given once; again only to who says so, and that is counted', () => {
  const network = shared();
  ask(network, 'ada');
  network.refuses('KEY_EXPORTED', () => ask(network, 'ada', { publicKey: otherKey }));
  const again = ask(network, 'ada', { publicKey: otherKey, again: true });
  const [row] = [...keyExports(network.set)];
  assert.equal(row?.times, 2);
  assert.equal(row?.publicKey, otherKey);
  assert.equal(row?.message, messageIdOf(again.bytes));
  // Bob's are not Ada's.
  ask(network, 'bob');
  assert.equal([...keyExports(network.set)].length, 2);
});

test('after a resharing a copy of the new sharing is given, and the old one stays in the record', () => {
  const network = shared();
  ask(network, 'ada');
  network.enclaveOf(organisation('bob').actorId).holderKey = network.registrationKey();
  network.register(network.enclaveOf(organisation('bob').actorId));
  network.ceremonyOf();
  const { effects } = ask(network, 'ada');
  assert.deepEqual(effects, [
    { kind: 'key-exported', actorId: organisation('ada').actorId, keys: [1] },
  ]);
  const rows = [...keyExports(network.set)].map(({ key, sharing, times }) => [key, sharing, times]);
  assert.deepEqual(rows, [
    [1, 1, 1],
    [1, 2, 1],
  ]);
  assert.deepEqual(
    Array.from(recordedSharings(network.set), ({ number, row }) => [number, row.key]),
    [
      [1, 1],
      [2, 1],
    ],
  );
});

test('a replayed message, one of another network, and one of a member without a share are refused', () => {
  const network = shared();
  const { bytes } = ask(network, 'ada');
  network.refuses('REPLAY', () => network.submit(bytes));
  const options: MessageOptions = { ...network.options('bob'), networkId: 'ab'.repeat(32) };
  const request = { publicKey, again: false };
  network.refuses('WRONG_NETWORK', () => network.submit(buildKeyExport({ ...options, request })));
  const none = networkOf(founders);
  none.refuses('NOT_A_HOLDER', () => ask(none, 'ada'));
});

test('a request without its form is refused: no point, no answer about again, members beside', () => {
  const network = shared();
  const request = { publicKey, again: false };
  const forms: Record<string, unknown>[] = [
    { ...request, publicKey: '04'.repeat(65) },
    { ...request, publicKey: publicKey.slice(2) },
    { ...request, again: 1 },
    { publicKey },
  ];
  for (const form of forms) {
    const options = { ...network.options('ada'), request: form as never };
    network.refuses('MALFORMED_MESSAGE', () => network.submit(buildKeyExport(options)));
  }
  const beside = { ...request, passphrase: 'in the ledger' };
  assert.throws(() => readKeyExportRequest(beside), { code: 'MALFORMED_MESSAGE' });
});
