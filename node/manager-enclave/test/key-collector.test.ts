import assert from 'node:assert/strict';
import { test } from 'node:test';
import { nodeRetired } from '@concordat/governance';
import { decodeDecryptionShare, encodeDecryptionShare } from '@concordat/keys';
import { CodedError, type Epoch, toEpoch, utf8 } from '@concordat/std';
import { machine, organisation } from '../../../core/governance/test/network.ts';
import type { ManagerError } from '../errors.ts';
import type { ShareGiver } from '../key-sources.ts';
import {
  decodeGivenShares,
  encodeGivenShares,
  encodeShareRequest,
  type GivenShare,
  maxEpochsAsked,
} from '../share-messages.ts';
import { KeyNetwork, type KeyNode } from './key-network.ts';

const one = toEpoch(1);
const members = ['ada', 'bob', 'cyd'];

function networkWith(epochs = 1, names = members, policies: Record<string, unknown> = {}) {
  const network = new KeyNetwork(names, policies);
  network.begin(epochs);
  const [ada, bob, cyd] = network.nodes as [KeyNode, KeyNode, KeyNode];
  return { network, ada, bob, cyd };
}

const asking = (...epochs: number[]): Uint8Array =>
  encodeShareRequest(epochs.map((epoch) => ({ epoch: toEpoch(epoch), key: 1 })));

/** Changes the shares of an answer. */
const changed =
  (change: (share: GivenShare) => GivenShare) =>
  (answer: Uint8Array): Uint8Array => {
    const given = decodeGivenShares(answer);
    return encodeGivenShares({ ...given, shares: given.shares.map(change) });
  };

const missing = (error: unknown): NonNullable<ManagerError['details']> => {
  assert.equal((error as ManagerError).code, 'KEY_SHARES_MISSING');
  return (error as ManagerError).details;
};

/** Long enough for a few attempts. */
const soon = { timeoutMs: 60 };

const failure = (promise: Promise<unknown>): Promise<unknown> =>
  promise.then(
    () => assert.fail('it was had'),
    (error: unknown) => error,
  );

test('a node puts a key together from its own share and that of one other actor', async () => {
  const { network, ada, bob, cyd } = networkWith(3);
  await ada.collector.acquire([1, 2, 3].map(toEpoch), network.sourceOf(ada));
  for (const epoch of [1, 2, 3]) {
    assert.deepEqual(ada.keys.get(toEpoch(epoch))?.key, network.key(epoch));
  }
  assert.equal(bob.asked + cyd.asked, 1, 'all epochs in one question, of no more than needed');
  assert.equal(ada.collector.collected, 3);
});

test('whoever asks for an epoch that is being gathered waits for that', async () => {
  const { network, ada, bob, cyd } = networkWith();
  const source = network.sourceOf(ada);
  await Promise.all([1, 2, 3].map(() => ada.collector.acquire([one], source)));
  assert.equal(bob.asked + cyd.asked, 1);
  await ada.collector.acquire([one], source);
  assert.equal(bob.asked + cyd.asked, 1, 'a key that is held is not gathered');
});

test('one fewer than the threshold reads nothing, and the error names who failed and how', async () => {
  const { network, ada, bob, cyd } = networkWith();
  for (const node of [bob, cyd]) {
    node.tamper = () => {
      throw new CodedError('PEER_TIMEOUT', 'nobody there');
    };
  }
  const details = missing(await failure(ada.collector.acquire([one], network.sourceOf(ada), soon)));
  assert.deepEqual(details.epochs, [1]);
  assert.equal(details.missing, 1);
  const actors = details.actors as Record<string, string>;
  assert.deepEqual(Object.values(actors), ['PEER_TIMEOUT', 'PEER_TIMEOUT']);
  assert.deepEqual(ada.collector.missing?.actors, actors);
  assert.equal(ada.keys.get(one), undefined);
  const alone = await failure(ada.collector.acquire([one], network.sourceOf(ada, []), soon));
  assert.deepEqual(missing(alone).actors, {});
});

test('it is tried again until the others are there', async () => {
  const { network, ada, bob, cyd } = networkWith();
  let left = 5;
  for (const node of [bob, cyd]) {
    node.tamper = (answer) => {
      left -= 1;
      if (left > 0) throw new CodedError('CHANNEL_FAILED', 'not yet');
      return answer;
    };
  }
  await ada.collector.acquire([one], network.sourceOf(ada));
  assert.deepEqual(ada.keys.get(one)?.key, network.key(1));
  assert.equal(ada.collector.missing, undefined);
});

test('an actor whose share is on one of its nodes only is asked there as well', async () => {
  const names = [...members, 'dan'];
  const { network, ada, bob, cyd } = networkWith(1, names, { keyThreshold: 3 });
  const dan = network.nodes[3] as KeyNode;
  dan.tamper = () => {
    throw new CodedError('SHARE_NOT_HELD', 'lost with its record');
  };
  const { view, peers } = network.sourceOf(ada, [bob, cyd]);
  const [ofBob, ofCyd] = peers() as [ShareGiver, ShareGiver];
  const empty = (of: ShareGiver): ShareGiver => ({ ...of, nodeId: dan.nodeId });
  // Whichever of its nodes each actor is asked by, never are both of them the right ones at once.
  const givers = [empty(ofBob), ofBob, ofCyd, empty(ofCyd)];
  await ada.collector.acquire([one], { view, peers: () => givers }, soon);
  assert.deepEqual(ada.keys.get(one)?.key, network.key(1));
  assert.equal(bob.asked + cyd.asked, 2);
});

test('a forged share is refused as INVALID_SHARE, its actor named, and another one asked', async () => {
  const { network, ada, bob, cyd } = networkWith();
  const forge = changed(({ share, ...given }) => {
    const { index, value, proof } = decodeDecryptionShare(share);
    const wrong = Uint8Array.from(proof);
    wrong[40] = (wrong[40] as number) ^ 1;
    return { ...given, share: encodeDecryptionShare({ index, value, proof: wrong }) };
  });
  for (const [forger, honest] of [
    [bob, cyd],
    [cyd, bob],
  ] as const) {
    forger.tamper = forge;
    honest.tamper = undefined;
    ada.keys.forgetAll();
    await ada.collector.acquire([one], network.sourceOf(ada));
    assert.deepEqual(ada.keys.get(one)?.key, network.key(1));
  }
  const refusals = ada.told.filter(({ event }) => event === 'keys.share-refused');
  assert.ok(refusals.length >= 1);
  for (const { code } of refusals) assert.equal(code, 'INVALID_SHARE');
});

test('a share of another epoch, another sharing, another place or another requester opens nothing', async () => {
  const { network, ada, bob, cyd } = networkWith(2);
  const only = network.sourceOf(ada, [bob]);
  const ways: Record<string, (answer: Uint8Array) => Uint8Array | Promise<Uint8Array>> = {
    INVALID_SHARE: changed((given) => {
      const { index, value, proof } = decodeDecryptionShare(given.share);
      const other = index === 3 ? 2 : index + 1;
      return { ...given, share: encodeDecryptionShare({ index: other, value, proof }) };
    }),
    CHANNEL_FAILED: changed((given) => ({ ...given, sharing: given.sharing + 1 })),
    MALFORMED: changed((given) => ({ ...given, share: given.share.subarray(1) })),
  };
  for (const [code, tamper] of Object.entries(ways)) {
    bob.tamper = tamper as typeof bob.tamper;
    const { actors } = missing(await failure(ada.collector.acquire([one], only, soon)));
    assert.deepEqual(Object.values(actors as object), [code]);
  }
  const ofOther = async (asker: KeyNode, epoch: Epoch): Promise<Uint8Array> =>
    bob.desk.give(asker.nodeId, asking(epoch));
  const answers = [await ofOther(ada, toEpoch(2)), await ofOther(cyd, one)];
  for (const answer of answers) {
    bob.tamper = () => changed((given) => ({ ...given, epoch: one }))(answer);
    const { actors } = missing(await failure(ada.collector.acquire([one], only, soon)));
    assert.deepEqual(Object.values(actors as object), ['INVALID_SHARE']);
  }
  assert.equal(ada.keys.get(one), undefined);
});

test('the same actor twice is one share: its place is taken once', async () => {
  const { network, ada, bob, cyd } = networkWith(1, members, { keyThreshold: 3 });
  // Whatever cyd is asked, it answers with what bob gives.
  let answer: Uint8Array | undefined;
  bob.tamper = (given) => {
    answer = given;
    return given;
  };
  cyd.tamper = () => answer ?? utf8('{}');
  const details = missing(await failure(ada.collector.acquire([one], network.sourceOf(ada), soon)));
  assert.equal(details.missing, 1);
  const codes = new Set(Object.values(details.actors as object));
  assert.ok(codes.has('INVALID_SHARE') || codes.has('CHANNEL_FAILED'), [...codes].join());
  assert.equal(ada.keys.get(one), undefined);
  bob.tamper = undefined;
  cyd.tamper = undefined;
  await ada.collector.acquire([one], network.sourceOf(ada));
  assert.deepEqual(ada.keys.get(one)?.key, network.key(1));
});

test('a share of another network is none here', async () => {
  const { network, ada, bob } = networkWith();
  const other = networkWith(1, ['dan', 'eve', 'fay']);
  const answer = await other.bob.desk.give(other.ada.nodeId, asking(1));
  bob.tamper = () => answer;
  const failed = await failure(ada.collector.acquire([one], network.sourceOf(ada, [bob]), soon));
  assert.deepEqual(Object.values(missing(failed).actors as object), ['INVALID_SHARE']);
});

test('a key that was reshared since is put together by the new shares, though the asker knows the old ones only', async () => {
  const { network, ada, bob, cyd } = networkWith();
  const source = { ...network.sourceOf(bob, [ada, cyd]), view: network.copy().head() };
  const { governance } = network;
  const dan = 'dan';
  governance.pass(members, {
    name: 'add_actor',
    args: { kind: ['member'], name: dan, certificate: organisation(dan).pem },
  });
  const before = [...governance.set.table('public:concordat.keys.keys').entries()];
  governance.bringUp(dan, members);
  const { purpose } = governance.ceremonyOf();
  assert.equal(purpose, 'fresh', 'four holders need three shares: another key');
  governance.ceremonyOf();
  network.update();
  assert.notDeepEqual([...governance.set.table('public:concordat.keys.keys').entries()], before);
  await bob.collector.acquire([one], source);
  assert.deepEqual(bob.keys.get(one)?.key, network.key(1));
});

test('garbage in place of an answer has a code and no effect', async () => {
  const { network, ada, bob } = networkWith();
  const only = network.sourceOf(ada, [bob]);
  for (const text of [
    '',
    'null',
    '[]',
    '{}',
    '{"shares":1,"forms":[]}',
    '{"shares":[null],"forms":[]}',
    '{"shares":[{"epoch":1,"key":1,"sharing":1,"share":"zz"}],"forms":[]}',
    '{"shares":[{"epoch":-1,"key":1,"sharing":1,"share":"00"}],"forms":[]}',
    `{"shares":[],"forms":[{"key":1,"sharing":1,"form":"${'00'.repeat(20_000)}"}]}`,
    JSON.stringify({ shares: Array.from({ length: 33 }, () => ({})), forms: [] }),
    '['.repeat(100_000),
  ]) {
    bob.tamper = () => utf8(text);
    const { actors } = missing(await failure(ada.collector.acquire([one], only, soon)));
    assert.deepEqual(Object.values(actors as object), ['CHANNEL_FAILED'], text.slice(0, 60));
  }
});

test('an epoch the ledger at hand does not name cannot be asked for', async () => {
  const { network, ada } = networkWith();
  await assert.rejects(ada.collector.acquire([toEpoch(9)], network.sourceOf(ada)), {
    code: 'EPOCH_NOT_COMMITTED',
  });
});

test('a desk gives nothing of an epoch whose block is not committed', async () => {
  const { network, ada, bob } = networkWith();
  network.begin(1, { stays: false });
  await assert.rejects(bob.desk.give(ada.nodeId, asking(2)), { code: 'EPOCH_NOT_COMMITTED' });
  await assert.rejects(bob.desk.give(ada.nodeId, encodeShareRequest([{ epoch: one, key: 2 }])), {
    code: 'EPOCH_NOT_COMMITTED',
  });
  assert.deepEqual(bob.refused, Array(2).fill('EPOCH_NOT_COMMITTED'));
  assert.equal(bob.desk.given, 0);
});

test('a desk gives what it can of what it is asked for: what it lacks others may have', async () => {
  const { network, ada, bob, cyd } = networkWith();
  network.begin(1, { stays: false });
  const { shares } = decodeGivenShares(await bob.desk.give(ada.nodeId, asking(1, 2)));
  assert.deepEqual(
    shares.map(({ epoch }) => epoch),
    [1],
  );
  assert.deepEqual(bob.refused, []);
  bob.enclave.shares.clear();
  await ada.collector.acquire([one], network.sourceOf(ada, [bob, cyd]));
  assert.deepEqual(ada.keys.get(one)?.key, network.key(1));
});

test('a desk gives only to nodes that are learning or trusted in the committed list, and granted the epoch', async () => {
  const { network, ada, bob, cyd } = networkWith();
  const newcomer = machine(organisation('ada'), 90);
  const ask = (epoch = 1) => bob.desk.give(newcomer.nodeId, asking(epoch));
  await assert.rejects(ask(), { code: 'NODE_NOT_ADMITTED' });
  const { governance } = network;
  const trusted = governance.trust(members, newcomer);
  await assert.rejects(ask(), { code: 'NODE_NOT_ADMITTED' }, 'listed in the head only');
  network.update();
  assert.equal(trusted, newcomer.nodeId);
  await assert.rejects(ask(), { code: 'EPOCH_NOT_GRANTED' });
  network.grant(newcomer.nodeId, 1, 1);
  assert.ok(await ask());
  network.begin();
  assert.ok(await ask(2), 'an epoch that began with it in the list is granted to it');
  governance.transact(() => nodeRetired(governance.set, cyd.nodeId));
  network.update();
  await assert.rejects(bob.desk.give(cyd.nodeId, asking(1)), { code: 'NODE_NOT_ADMITTED' });
  assert.ok(await bob.desk.give(ada.nodeId, asking(1)));
});

test('a desk without a share says so', async () => {
  const { ada, bob } = networkWith();
  bob.enclave.shares.clear();
  await assert.rejects(bob.desk.give(ada.nodeId, asking(1)), { code: 'SHARE_NOT_HELD' });
});

test('requests that are not what they should be are refused before anything is done for them', async () => {
  const { ada, bob } = networkWith();
  for (const text of [
    '',
    '[]',
    '{}',
    '{"epochs":[]}',
    '{"epochs":[1]}',
    '{"epochs":[{"epoch":1}]}',
    '{"epochs":[{"epoch":-1,"key":1}]}',
    '{"epochs":[{"epoch":1.5,"key":1}]}',
    '{"epochs":[{"epoch":9007199254740993,"key":1}]}',
    '{"epochs":[{"epoch":"1","key":1}]}',
    '{"epochs":[{"epoch":1,"key":1},{"epoch":1,"key":1}]}',
    `{"epochs":[${Array.from({ length: maxEpochsAsked + 1 }, (_, n) => `{"epoch":${n + 1},"key":1}`)}]}`,
    `{"epochs":[{"epoch":1,"key":1}],"more":"${' '.repeat(5_000)}"}`,
    '\u0000'.repeat(64),
  ]) {
    await assert.rejects(bob.desk.give(ada.nodeId, utf8(text)), { code: 'CHANNEL_FAILED' }, text);
  }
  assert.equal(bob.desk.given, 0);
});

test('a node that asks too often is slowed down, and nobody else with it', async () => {
  const { network, ada, bob, cyd } = networkWith(maxEpochsAsked);
  const all = asking(...Array.from({ length: maxEpochsAsked }, (_, n) => n + 1));
  for (let n = 0; n < 512 / maxEpochsAsked; n++) await bob.desk.give(ada.nodeId, all);
  await assert.rejects(bob.desk.give(ada.nodeId, asking(1)), { code: 'OVERLOADED' });
  assert.ok(await bob.desk.give(cyd.nodeId, asking(1)));
  network.nowMs += 1_000;
  assert.ok(await bob.desk.give(ada.nodeId, all));
});
