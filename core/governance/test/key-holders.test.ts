import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createEncryptionKey } from '@concordat/crypto';
import { auditGrantOf, isAuditGranted, registerHolder } from '@concordat/governance';
import { toEpoch, toHex } from '@concordat/std';
import { action, organisation, seed } from './network.ts';
import { type Enclave, networkOf } from './shared-key-network.ts';

test('a holder key is registered by a trusted node of its member, once each: NOT_A_HOLDER', () => {
  const network = networkOf();
  const ada = network.enclaves.get('ada') as Enclave;
  const bob = network.enclaves.get('bob') as Enclave;
  const attempt =
    (enclave: Enclave, change: object = {}) =>
    () =>
      registerHolder(network.set, network.registration(enclave, change));
  network.refuses('NOT_A_HOLDER', attempt(ada));
  network.refuses('NOT_A_HOLDER', attempt(ada, { number: 1 }));
  network.refuses('NOT_A_HOLDER', attempt(ada, { nodeId: bob.nodeId }));
  network.refuses('NOT_A_HOLDER', attempt(ada, { actorId: organisation('zoe').actorId }));
  const fresh = { ...ada, holderKey: network.registrationKey() };
  const borrowed = { encryptionKey: toHex(bob.holderKey.encryptionKey) };
  assert.throws(attempt(fresh, borrowed), { code: 'INVALID_HOLDER_KEY' });
  assert.throws(attempt(fresh, { encryptionKey: 'zz' }), { code: 'INVALID_ELEMENT' });
  assert.throws(attempt(fresh, { encryptionKey: '00'.repeat(32) }), { code: 'INVALID_ELEMENT' });
  const good = network.registration(fresh);
  const unsigned = { ...good, signature: network.registration(bob).signature };
  network.refuses('BAD_NODE_SIGNATURE', () => registerHolder(network.set, unsigned));
  registerHolder(network.set, good);
  network.refuses('NOT_A_HOLDER', () => registerHolder(network.set, good));
});

const auditorKey = toHex(createEncryptionKey(seed(77)).publicKey);
const grant = (epochs: unknown, change: object = {}) =>
  action('grant_audit', { auditor: 'Audit Ltd', encryptionKey: auditorKey, epochs, ...change });

test('an auditor may read the epochs of a passed proposal and no other, until the grant is revoked', () => {
  const network = networkOf();
  const may = (epoch: number, change: object = {}): boolean =>
    isAuditGranted(network.set, {
      auditor: 'Audit Ltd',
      encryptionKey: auditorKey,
      epoch: toEpoch(epoch),
      ...change,
    });
  const { proposalId } = network.propose('ada', grant([2, 5]));
  assert.ok(!may(2), 'a proposal is no grant');
  network.vote('ada', proposalId);
  network.vote('bob', proposalId);
  assert.deepEqual(
    [1, 2, 3, 5].map((epoch) => may(epoch)),
    [false, true, false, true],
  );
  assert.ok(!may(2, { encryptionKey: auditorKey.replace(/.$/, '0') }));
  assert.ok(!may(2, { auditor: 'Audit' }));
  network.refuses('AUDITOR_EXISTS', () => network.propose('ada', grant([3])));
  const revoke = action('revoke_audit', { auditor: 'Audit Ltd' });
  network.pass(['ada', 'bob'], revoke, grant([3]));
  assert.deepEqual(auditGrantOf(network.set, 'Audit Ltd')?.epochs, [3]);
  network.pass(['ada', 'bob'], revoke);
  assert.ok(!may(3));
  network.refuses('AUDITOR_NOT_FOUND', () => network.propose('ada', revoke));
  for (const epochs of [[], [0], [2, 2], [3, 2], [1.5], ['1'], [...Array(1_001).keys()], 2]) {
    network.refuses('INVALID_ACTION', () => network.propose('ada', grant(epochs)));
  }
  network.refuses('INVALID_ACTION', () =>
    network.propose('ada', grant([1], { encryptionKey: '04' })),
  );
});
