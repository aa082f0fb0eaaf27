import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createEncryptionKey } from '@concordat/crypto';
import {
  auditGrantOf,
  buildGiving,
  isAuditGranted,
  isGivingRecorded,
  keyGrants,
  messageIdOf,
  registerHolder,
} from '@concordat/governance';
import { toEpoch, toHex } from '@concordat/std';
import { action, type Network, organisation, seed } from './network.ts';
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

const giving = (
  network: Network,
  member: string,
  epochs: readonly number[],
  change: object = {},
): Uint8Array => {
  const asked = { auditor: 'Audit Ltd', encryptionKey: auditorKey, epochs, ...change };
  return buildGiving({ ...network.options(member), giving: asked });
};

test('a member that gives shares is recorded with its order, epoch by epoch as they follow each other', () => {
  const network = networkOf();
  network.ceremonyOf();
  network.pass(['ada', 'bob'], grant([2, 3, 5]));
  const message = giving(network, 'ada', [2, 3, 5]);
  const { effects, proposalId } = network.submit(message);
  assert.deepEqual(effects, [{ kind: 'shares-given', auditor: 'Audit Ltd' }]);
  assert.equal(proposalId, messageIdOf(message));
  const row = {
    reason: 'audit',
    to: [`auditor:Audit Ltd:${auditorKey}`],
    by: organisation('ada').actorId,
    message: messageIdOf(message),
    atSeconds: network.now,
  };
  assert.deepEqual(
    [...keyGrants(network.set)],
    [
      { ...row, epochs: [2, 3] },
      { ...row, epochs: [5, 5] },
    ],
  );
  assert.ok(isGivingRecorded(network.set, messageIdOf(message)));
  assert.ok(!isGivingRecorded(network.set, 'ab'.repeat(32)));
  network.refuses('REPLAY', () => network.submit(message));
});

test('shares are given under a grant in force to the key it names, by whoever holds one: AUDIT_NOT_GRANTED', () => {
  const network = networkOf();
  const submit = (
    ...args: Parameters<typeof giving> extends [unknown, ...infer Rest] ? Rest : never
  ) => network.submit(giving(network, ...args));
  network.pass(['ada', 'bob'], grant([2, 3]));
  network.refuses('NOT_A_HOLDER', () => submit('ada', [2]));
  network.ceremonyOf();
  network.refuses('AUDIT_NOT_GRANTED', () => submit('ada', [2, 4]));
  network.refuses('AUDIT_NOT_GRANTED', () => submit('ada', [2], { auditor: 'Audit' }));
  const other = toHex(createEncryptionKey(seed(78)).publicKey);
  network.refuses('AUDIT_NOT_GRANTED', () => submit('ada', [2], { encryptionKey: other }));
  for (const epochs of [[], [2, 2], [3, 2], [0], ['2'], null] as never[]) {
    network.refuses('MALFORMED_MESSAGE', () => submit('ada', epochs));
  }
  network.refuses('MALFORMED_MESSAGE', () => submit('ada', [2], { encryptionKey: '04' }));
  const late = giving(network, 'ada', [2]);
  network.pass(['ada', 'bob'], action('revoke_audit', { auditor: 'Audit Ltd' }));
  network.refuses('AUDIT_NOT_GRANTED', () => network.submit(late));
});
