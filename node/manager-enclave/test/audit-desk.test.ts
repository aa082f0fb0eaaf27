import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createEncryptionKey } from '@concordat/crypto';
import {
  buildGiving,
  buildVote,
  currentSharedKey,
  epochTables,
  keyGrants,
  messageIdOf,
  recordEpoch,
  recordedSharing,
  thresholdKeyOf,
} from '@concordat/governance';
import {
  auditorRequester,
  combineDecryptionShares,
  type DecryptionShare,
  decodeAuditShares,
  decodeCiphertext,
  encodeCiphertext,
  encryptToThreshold,
  openAuditShares,
  publicKeyOf,
  sessionKeyLabel,
  verificationKeyOf,
} from '@concordat/keys';
import { type ReadView, Store } from '@concordat/kv';
import { toEpoch, toHex } from '@concordat/std';
import { action, organisation, seed } from '../../../core/governance/test/network.ts';
import { type Enclave, networkOf } from '../../../core/governance/test/shared-key-network.ts';
import { AuditDesk } from '../audit-desk.ts';

const auditorKey = createEncryptionKey(seed(77));
const encryptionKey = toHex(auditorKey.publicKey);
const name = 'Audit Ltd';

/** A network with a shared key and two epochs, whose second one an auditor may read. */
function audited() {
  const network = networkOf();
  network.ceremonyOf();
  const sessionKeys: Uint8Array[] = [];
  const ciphertexts: Uint8Array[] = [];
  const epochs = new Store(epochTables).begin(1);
  for (const number of [1, 2]) {
    const shared = currentSharedKey(network.set) as NonNullable<
      ReturnType<typeof currentSharedKey>
    >;
    const epoch = toEpoch(number);
    const { networkId } = network;
    const message32 = Uint8Array.from(network.entropy(32));
    const ciphertext = encodeCiphertext(
      encryptToThreshold({
        publicKey: publicKeyOf(shared.key),
        label: sessionKeyLabel({ networkId, epoch, keyId: shared.key.id }),
        message32,
        entropy128: network.entropy(128),
      }),
    );
    sessionKeys.push(message32);
    ciphertexts.push(ciphertext);
    const begun = { epoch, height: number, reason: 'vote', timeMs: 1 } as const;
    recordEpoch(epochs, begun, { keyNumber: shared.number, ciphertext });
  }
  network.pass(
    ['ada', 'bob'],
    action('grant_audit', { auditor: name, encryptionKey, epochs: [2, 3] }),
  );
  const isOfEpochs = (table: string): boolean => epochTables.some(({ name }) => name === table);
  const committed: ReadView = {
    table: (table) => (isOfEpochs(table) ? epochs : network.set).table(table),
  } as ReadView;
  return { network, committed, sessionKeys, ciphertexts };
}

type Audited = Pick<ReturnType<typeof audited>, 'network' | 'committed'>;
type Network = Audited['network'];

/** The desk of a member's node. */
function deskOf(
  { network, committed }: Audited,
  member: string,
  how: { holds?: boolean; records?: boolean } = {},
) {
  const { holds = true, records = true } = how;
  const enclave = network.enclaves.get(member) as Enclave;
  const { actorId } = organisation(member);
  const told: unknown[] = [];
  const node = {
    administration: {
      get committedState() {
        return committed;
      },
      get committedConstitution() {
        return network.constitution;
      },
    },
    identity: { nodeId: enclave.nodeId },
    network: { id: network.networkId },
    control: { log: (...args: unknown[]) => told.push(args) },
    vault: {
      shareOf: (_key: number, sharing: number) => {
        const secret = enclave.shares.get(sharing);
        const row = recordedSharing(network.set, sharing);
        const index = row?.holders.find((holder) => holder.actorId === actorId)?.index;
        return holds && secret && index ? { index, secret } : undefined;
      },
    },
  };
  const governance = {
    submit: async (bytes: Uint8Array) => (records ? network.submit(bytes) : {}) as never,
  };
  return { desk: new AuditDesk(node as never, governance), told };
}

const order = (network: Network, member: string, change: object = {}): Uint8Array => {
  const giving = { auditor: name, encryptionKey, epochs: [2], ...change };
  return buildGiving({ ...network.options(member), giving });
};

const refused = (promise: Promise<unknown>, code: string): Promise<void> =>
  assert.rejects(promise, (error: { code?: string }) => {
    assert.equal(error.code, code, String(error));
    return true;
  });

test('an actor gives what the auditor reads the epoch with, and the ledger says so first', async () => {
  const world = audited();
  const { network, sessionKeys, ciphertexts } = world;
  const requester = auditorRequester({ name, encryptionKey });
  const shares: DecryptionShare[] = [];
  for (const member of ['ada', 'bob']) {
    const { desk, told } = deskOf(world, member);
    const message = order(network, member);
    const { epochs, file } = await desk.give(message);
    assert.deepEqual(epochs, [2]);
    const [grant] = [...keyGrants(network.set)].filter((one) => {
      return one.message === messageIdOf(message);
    });
    assert.deepEqual(grant?.epochs, [2, 2]);
    assert.equal(told.length, 1);
    const opened = openAuditShares(decodeAuditShares(file), auditorKey);
    assert.deepEqual(
      opened.map(({ epoch, key, sharing }) => [epoch, key, sharing]),
      [[2, 1, 1]],
    );
    shares.push(...opened.map(({ share }) => share));
  }
  const sharing = recordedSharing(network.set, 1);
  const key = thresholdKeyOf(sharing as NonNullable<typeof sharing>);
  const request = {
    ciphertext: decodeCiphertext(ciphertexts[1] as Uint8Array),
    label: sessionKeyLabel({ networkId: network.networkId, epoch: toEpoch(2), keyId: key.id }),
    requester,
  };
  const against = {
    threshold: key.threshold,
    verificationKey: (index: number) => verificationKeyOf(key, index),
  };
  assert.deepEqual(combineDecryptionShares(request, shares, against), sessionKeys[1]);
  assert.throws(
    () => combineDecryptionShares({ ...request, requester: new Uint8Array() }, shares, against),
    { code: 'INVALID_SHARE' },
  );
});

test('an order that was heard is not heard again: REPLAY', async () => {
  const world = audited();
  const { network } = world;
  const { desk } = deskOf(world, 'ada');
  const message = order(network, 'ada');
  await desk.give(message);
  await refused(desk.give(message), 'REPLAY');
});

test('what no grant in force covers is not given, and nothing is recorded of it', async () => {
  const world = audited();
  const { network } = world;
  const { desk } = deskOf(world, 'ada');
  const stranger = toHex(createEncryptionKey(seed(78)).publicKey);
  const before = network.dump();
  await refused(desk.give(order(network, 'ada', { epochs: [1] })), 'AUDIT_NOT_GRANTED');
  await refused(desk.give(order(network, 'ada', { epochs: [1, 2] })), 'AUDIT_NOT_GRANTED');
  await refused(desk.give(order(network, 'ada', { auditor: 'Audit' })), 'AUDIT_NOT_GRANTED');
  await refused(desk.give(order(network, 'ada', { encryptionKey: stranger })), 'AUDIT_NOT_GRANTED');
  await refused(desk.give(order(network, 'ada', { epochs: [2, 3] })), 'EPOCH_NOT_BEGUN');
  await refused(desk.give(order(network, 'ada', { epochs: [] })), 'MALFORMED_MESSAGE');
  assert.equal(network.dump(), before);
  network.pass(['ada', 'bob'], action('revoke_audit', { auditor: name }));
  await refused(desk.give(order(network, 'ada')), 'AUDIT_NOT_GRANTED');
});

test('a node gives only its own actor’s shares, and only if it holds them', async () => {
  const world = audited();
  const { network } = world;
  await refused(deskOf(world, 'ada').desk.give(order(network, 'bob')), 'NOT_OWN_NODE');
  const elsewhere = { ...network.options('ada'), networkId: 'ee'.repeat(32) };
  const giving = { auditor: name, encryptionKey, epochs: [2] };
  await refused(
    deskOf(world, 'ada').desk.give(buildGiving({ ...elsewhere, giving })),
    'NOT_OWN_NODE',
  );
  const before = network.dump();
  await refused(
    deskOf(world, 'ada', { holds: false }).desk.give(order(network, 'ada')),
    'SHARE_NOT_HELD',
  );
  assert.equal(network.dump(), before);
  const { actorId: _, ...forged } = organisation('bob');
  const unsigned = buildGiving({ ...network.options('ada'), key: forged.key, giving });
  await refused(deskOf(world, 'ada').desk.give(unsigned), 'BAD_SIGNATURE');
});

test('a grant that is revoked between record and giving gives nothing', async () => {
  const world = audited();
  const { network } = world;
  const { desk } = deskOf(world, 'ada');
  const revoke = () => network.pass(['ada', 'bob'], action('revoke_audit', { auditor: name }));
  const giving = desk.give(order(network, 'ada'));
  // It is recorded by now, and its answer comes in a later turn.
  revoke();
  await refused(giving, 'AUDIT_NOT_GRANTED');
});

test('no message but an order to give is taken', async () => {
  const world = audited();
  const { network } = world;
  const { desk } = deskOf(world, 'ada');
  await refused(desk.give(new Uint8Array(5)), 'MALFORMED_MESSAGE');
  const vote = { ...network.options('ada'), proposalId: 'ab'.repeat(32), accept: true };
  await refused(desk.give(buildVote(vote)), 'MALFORMED_MESSAGE');
});
