import assert from 'node:assert/strict';
import { mock, test } from 'node:test';
import { createEncryptionKey } from '@concordat/crypto';
import {
  buildKeyExport,
  buildVote,
  keyExports,
  recordedSharing,
  thresholdKeyOf,
} from '@concordat/governance';
import { decodeRecoveryShare, openRecoveryShare } from '@concordat/keys';
import { CodedError, toEpoch, toHex } from '@concordat/std';
import { organisation, seed } from '../../../core/governance/test/network.ts';
import {
  type Enclave,
  networkOf,
  type SharedKeyNetwork,
} from '../../../core/governance/test/shared-key-network.ts';
import { ManagerError } from '../errors.ts';
import { KeyExportDesk } from '../key-export-desk.ts';
import type { HeldShare } from '../share-vault.ts';
import { sharedKeysState } from '../shared-keys-state.ts';

const recipient = createEncryptionKey(seed(71));
const publicKey = toHex(recipient.publicKey);

/** A network that shares a key, and the desks of its members' nodes on it. */
function world() {
  const network = networkOf();
  network.ceremonyOf();
  const lines: Record<string, unknown>[] = [];
  let submitted = 0;
  const governance = {
    submit: async (message: Uint8Array) => {
      submitted += 1;
      const { proposalId, state, effects } = network.transact(() => network.submit(message));
      return { proposalId, state, effects, transactionId: '1.1' };
    },
  };
  const deskOf = (
    member: string,
    change: { shareOf?: (key: number, sharing: number) => HeldShare | undefined } = {},
  ): KeyExportDesk => {
    const enclave = network.enclaves.get(member) as Enclave;
    const node = {
      administration: { committedState: network.set, committedConstitution: network.constitution },
      identity: { nodeId: enclave.nodeId },
      control: { log: (event: string, fields: object) => lines.push({ event, ...fields }) },
      network: { id: network.networkId },
      vault: {
        shareOf: (_: number, sharing: number) => shareOf(network, enclave, sharing),
        ...change,
      },
    };
    return new KeyExportDesk(node as never, governance as never);
  };
  return { network, deskOf, lines, submissions: () => submitted };
}

function shareOf(
  network: SharedKeyNetwork,
  { name, shares }: Enclave,
  sharing: number,
): HeldShare | undefined {
  const secret = shares.get(sharing);
  const { actorId } = organisation(name);
  const row = recordedSharing(network.set, sharing);
  const holder = row?.holders.find((one) => one.actorId === actorId);
  return secret && holder && { index: holder.index, secret };
}

const ask = (network: SharedKeyNetwork, member: string, again = false): Uint8Array =>
  buildKeyExport({ ...network.options(member), request: { publicKey, again } });

const stateOf = (network: SharedKeyNetwork) =>
  sharedKeysState(network.set, { actors: network.constitution.actors, epoch: toEpoch(1) });

const refused = (code: string) => (error: unknown) =>
  error instanceof CodedError && error.code === code;

test('a member gets its share, sealed to the key it named, after everybody can see that it did', async () => {
  const { network, deskOf, lines } = world();
  const { copies, missing } = await deskOf('ada').give(ask(network, 'ada'));
  assert.deepEqual(missing, []);
  const [copy] = copies;
  const share = decodeRecoveryShare(copy?.file ?? '');
  const { actorId } = organisation('ada');
  assert.equal(share.actor, actorId);
  assert.equal(share.networkId, network.networkId);
  const row = recordedSharing(network.set, 1);
  assert.ok(row);
  const secret = openRecoveryShare(share, { key: recipient }, thresholdKeyOf(row));
  assert.deepEqual(secret, network.enclaves.get('ada')?.shares.get(1));
  assert.deepEqual(
    Array.from(keyExports(network.set), ({ actorId: who, sharing, times }) => [
      who,
      sharing,
      times,
    ]),
    [[actorId, 1, 1]],
  );
  assert.deepEqual(lines, [{ event: 'keys.exported', keys: [1], missing: 0 }]);
});

test('the same message again gets the same share, to the same key, and is recorded once', async () => {
  const { network, deskOf, submissions } = world();
  const message = ask(network, 'ada');
  const first = await deskOf('ada').give(message);
  const second = await deskOf('ada').give(message);
  assert.equal(submissions(), 1);
  assert.equal(second.copies.length, first.copies.length);
  assert.notEqual(second.copies[0]?.file, first.copies[0]?.file);
  assert.equal([...keyExports(network.set)][0]?.times, 1);
});

test('a node gives nothing to another member, or for another network: NOT_OWN_NODE', async () => {
  const { network, deskOf, submissions } = world();
  await assert.rejects(deskOf('bob').give(ask(network, 'ada')), refused('NOT_OWN_NODE'));
  const elsewhere = { ...network.options('ada'), networkId: 'ab'.repeat(32) };
  const foreign = buildKeyExport({ ...elsewhere, request: { publicKey, again: false } });
  await assert.rejects(deskOf('ada').give(foreign), refused('NOT_OWN_NODE'));
  assert.equal(submissions(), 0);
});

test('whoever signs in the member’s name without its key gets nothing', async () => {
  const { network, deskOf } = world();
  const { key } = network.options('bob');
  const request = { publicKey, again: false };
  const forged = buildKeyExport({ ...network.options('ada'), key, request });
  await assert.rejects(deskOf('ada').give(forged), refused('BAD_SIGNATURE'));
  const honest = ask(network, 'ada');
  await deskOf('ada').give(honest);
  // Nor by changing what was recorded: it is another message then.
  const changed = Uint8Array.from(honest);
  const last = changed.length - 1;
  changed[last] = (changed[last] as number) ^ 1;
  await assert.rejects(deskOf('ada').give(changed), refused('BAD_SIGNATURE'));
  for (let at = 0; at < honest.length; at += 7) {
    const flipped = Uint8Array.from(honest);
    flipped[at] = (flipped[at] as number) ^ 4;
    await assert.rejects(deskOf('ada').give(flipped), (error) => error instanceof CodedError);
  }
});

test('another message, and bytes that are none, are refused: MALFORMED_MESSAGE', async () => {
  const { network, deskOf } = world();
  const vote = buildVote({ ...network.options('ada'), proposalId: 'ab'.repeat(32), accept: true });
  for (const bytes of [vote, new Uint8Array(), Uint8Array.of(0xd2, 0x84)]) {
    await assert.rejects(deskOf('ada').give(bytes), refused('MALFORMED_MESSAGE'));
  }
});

test('a node that holds no share yet says so, and nothing is recorded: SHARE_NOT_HELD', async () => {
  const { network, deskOf, submissions } = world();
  const empty = deskOf('ada', { shareOf: () => undefined });
  await assert.rejects(empty.give(ask(network, 'ada')), refused('SHARE_NOT_HELD'));
  assert.equal(submissions(), 0);
});

test('a share this node lacks is named, and another node of the member gives it for the same message', async () => {
  const { network, deskOf } = world();
  // A second key: cyd is removed.
  const voters = ['ada', 'bob'];
  network.transact(() =>
    network.pass(voters, {
      name: 'remove_actor',
      args: { actorId: organisation('cyd').actorId },
    }),
  );
  network.ceremonyOf();
  network.ceremonyOf();
  const enclave = network.enclaves.get('ada') as Enclave;
  const newestOnly = (key: number, sharing: number) =>
    key === 2 ? shareOf(network, enclave, sharing) : undefined;
  const message = ask(network, 'ada');
  const partly = await deskOf('ada', { shareOf: newestOnly }).give(message);
  assert.deepEqual(
    partly.copies.map(({ key, sharing }) => [key, sharing]),
    [[2, 2]],
  );
  assert.deepEqual(partly.missing, [{ key: 1, sharing: 3 }]);
  const whole = await deskOf('ada').give(message);
  assert.deepEqual(whole.copies.map(({ key }) => key).toSorted(), [1, 2]);
  assert.deepEqual(whole.missing, []);
});

test('a share of another index than the record says is not given', async () => {
  const { network, deskOf } = world();
  const enclave = network.enclaves.get('ada') as Enclave;
  const wrong = (_: number, sharing: number): HeldShare | undefined => {
    const held = shareOf(network, enclave, sharing);
    return held && { ...held, index: held.index + 1 };
  };
  const { copies, missing } = await deskOf('ada', { shareOf: wrong }).give(ask(network, 'ada'));
  assert.deepEqual(copies, []);
  assert.deepEqual(missing, [{ key: 1, sharing: 1 }]);
});

test('a node that the record does not reach says that the outcome is open: TRANSACTION_UNKNOWN', async (context) => {
  const { network } = world();
  const { nodeId } = network.enclaves.get('ada') as Enclave;
  const node = {
    administration: { committedState: network.set, committedConstitution: network.constitution },
    identity: { nodeId },
    control: { log: () => undefined },
    network: { id: network.networkId },
    vault: { shareOf: () => ({ index: 1, secret: new Uint8Array(32) }) },
  };
  let nowMs = 0;
  context.mock.method(performance, 'now', () => (nowMs += 4_000));
  const desk = new KeyExportDesk(node as never, { submit: async () => ({}) } as never);
  await assert.rejects(desk.give(ask(network, 'ada')), refused('TRANSACTION_UNKNOWN'));
  mock.restoreAll();
  const down = { submit: () => Promise.reject(new ManagerError('LEADER_UNKNOWN', 'none')) };
  const leaderless = new KeyExportDesk(node as never, down as never);
  await assert.rejects(leaderless.give(ask(network, 'ada')), refused('LEADER_UNKNOWN'));
});

test('the state of the keys says whose copies are of which sharing', async () => {
  const { network, deskOf } = world();
  await deskOf('ada').give(ask(network, 'ada'));
  await deskOf('ada').give(ask(network, 'ada', true));
  const bob = network.enclaves.get('bob') as Enclave;
  bob.holderKey = network.registrationKey();
  network.register(bob);
  const { ceremony } = stateOf(network);
  assert.deepEqual(ceremony, {
    state: 'due',
    purpose: 'reshare',
    reason: 'holders-changed',
    key: 1,
  });
  network.ceremonyOf();
  const state = stateOf(network);
  const told = state.keys.map(({ number, sharings }) => ({
    number,
    sharings: sharings.map(({ number: sharing, threshold, holders }) => ({
      sharing,
      threshold,
      copies: Object.fromEntries(holders.map(({ name, copies }) => [name, copies])),
    })),
  }));
  assert.deepEqual(told, [
    {
      number: 1,
      sharings: [
        { sharing: 1, threshold: 2, copies: { ada: 2, bob: 0, cyd: 0 } },
        { sharing: 2, threshold: 2, copies: { ada: 0, bob: 0, cyd: 0 } },
      ],
    },
  ]);
  assert.equal(state.ceremony, undefined);
  assert.deepEqual(state.outOfReach, []);
});
