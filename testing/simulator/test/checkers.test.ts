import assert from 'node:assert/strict';
import crypto from 'node:crypto';
import { syncBuiltinESMExports } from 'node:module';
import { test } from 'node:test';
import type { TransactionSet } from '@concordat/kv';
import type { ProvenBlock, ReceiptJson, SessionKey } from '@concordat/ledger';
import { emptyBytes, type Seqno } from '@concordat/std';
import { Configurations } from '../../../core/consensus/configurations.ts';
import { Store } from '../../../core/kv/store.ts';
import { BlockLog } from '../../../node/manager-enclave/block-log.ts';
import { LedgerDriver } from '../../../node/manager-enclave/ledger-driver.ts';
import { LifeCycle } from '../../../node/manager-enclave/life-cycle.ts';
import { SessionKeys } from '../../../node/manager-enclave/session-keys.ts';
import { StoredBlocks } from '../../../node/manager-enclave/stored-blocks.ts';
import { LaneHost } from '../../../node/worker-enclave/lane-host.ts';
import { ReadGate } from '../../../node/worker-enclave/read-gate.ts';
import { SimulatedFile } from '../disk/simulated-file.ts';
import type { World } from '../network/world.ts';
import { breakMethod, expectCaught, violationOf } from './sabotage.ts';

// Each test breaks the product, or the machine below it, in one way and expects the check that is
// there for it to say so. What is broken is put right again at the end of the test.

test('the network that is to be broken is sound', async () => {
  assert.equal(await violationOf({ faults: { partition: 0.5, kill: 0.3 } }), undefined);
});

test('acknowledging before the disk has it is caught', () =>
  expectCaught(
    breakMethod(SimulatedFile.prototype, 'beginSync', () => () => () => undefined),
    ['COMMIT_NOT_DURABLE'],
  ));

test('committing what one node alone holds is caught', () =>
  expectCaught(
    breakMethod(
      Configurations.prototype,
      'quorumValue',
      () =>
        function (this: Configurations, reached: (voter: string) => number) {
          const voters = this.list.flatMap((one) => one.voters);
          return Math.max(...voters.map(reached));
        },
    ),
    ['COMMIT_NOT_DURABLE'],
  ));

test('leading without an election quorum is caught', () =>
  expectCaught(
    breakMethod(
      Configurations.prototype,
      'haveQuorum',
      (sound) =>
        function (this: Configurations, kind: string, agrees: (voter: string) => boolean) {
          if (kind === 'election') return this.list.some((one) => one.voters.some(agrees));
          return sound(this, [kind, agrees]);
        },
    ),
    ['TWO_LEADERS', 'COMMIT_LOST', 'DISHONEST_PEER', 'NONCE_REUSED'],
    { faults: { partition: 1, pause: 1 }, seeds: 5, chaosMs: 5_000 },
  ));

test('sealing one position of a view twice is caught by the product itself, and its end by us', () =>
  expectCaught(
    breakMethod(
      BlockLog.prototype,
      'seal',
      (sound) =>
        function (this: BlockLog, request: { timeMs: number }) {
          const last = this.lastHeight;
          sound(this, [{ ...request, timeMs: request.timeMs + 1 }]);
          this.truncate(last);
          return sound(this, [request]);
        },
    ),
    ['BUG'],
  ));

test('a source of entropy that repeats itself is caught by the nonces it gives', () => {
  const onStart = (): void => {
    const { randomBytes } = crypto;
    crypto.randomBytes = ((bytes: number) =>
      bytes === 12 ? Buffer.alloc(12) : randomBytes(bytes)) as typeof randomBytes;
    syncBuiltinESMExports();
  };
  // The end of the run gives the real source back.
  return expectCaught(() => undefined, ['NONCE_REUSED'], { onStart });
});

test('private values in the public part of a block are caught', () =>
  expectCaught(
    breakMethod(
      LedgerDriver.prototype,
      'place',
      (sound) =>
        function (
          this: LedgerDriver,
          source: number,
          transactions: { privateWrites: Uint8Array }[],
          options: object,
        ) {
          const open = transactions.map(({ privateWrites }) => ({
            publicWrites: privateWrites,
            privateWrites: emptyBytes,
          }));
          return sound(this, [source, source > 0 ? open : transactions, options]);
        },
    ),
    ['PLAINTEXT_LEAKED'],
  ));

test('a session key in the public part of a block is caught', () =>
  expectCaught(
    breakMethod(
      SessionKeys.prototype,
      'begin',
      (sound) =>
        function (this: SessionKeys, set: TransactionSet, beginning: unknown) {
          const session = sound(this, [set, beginning]) as SessionKey;
          set.table('public:concordat.epoch').set('key', Uint8Array.from(session.key));
          return session;
        },
    ),
    ['KEY_EXPOSED'],
  ));

test('a leader that answers reads without asking whether it still leads is caught', () =>
  expectCaught(
    breakMethod(
      ReadGate.prototype,
      'whenCurrent',
      () => (_actor: object, done: () => void) => process.nextTick(done),
    ),
    ['NOT_LINEARIZABLE'],
    { faults: { partition: 2 }, chaosMs: 6_000, seeds: 12 },
  ));

test('answering a write before it is committed is caught', () =>
  expectCaught(
    breakMethod(
      LaneHost.prototype,
      'submitWith',
      (sound) =>
        function (this: LaneHost, raw: object, actor: object, _wait: string, done: object) {
          sound(this, [raw, actor, 'local', done]);
        },
    ),
    ['NOT_LINEARIZABLE'],
    { faults: { crash: 1, kill: 1, partition: 1 }, chaosMs: 6_000, seeds: 5 },
  ));

test('a follower that leaves a write out of its state is caught', () => {
  let blocks = 0;
  return expectCaught(
    breakMethod(
      Store.prototype,
      'applyCommitted',
      (sound) =>
        function (this: Store, writeSets: readonly object[]) {
          blocks += 1;
          sound(this, [blocks % 20 === 0 ? [] : writeSets]);
        },
    ),
    ['STATE_DIFFERS', 'NOT_LINEARIZABLE'],
  );
});

test('a receipt that proves something else is caught', () =>
  expectCaught(
    breakMethod(
      StoredBlocks.prototype,
      'prove',
      (sound) =>
        async function (this: StoredBlocks, ...args: unknown[]) {
          const block = (await sound(this, args)) as ProvenBlock;
          const receipt = (seqno: Seqno): ReceiptJson => {
            const proof = block.receipt(seqno);
            const claims_digest = 'f'.repeat(64);
            return { ...proof, leaf_components: { ...proof.leaf_components, claims_digest } };
          };
          return { ...block, receipt };
        },
    ),
    ['RECEIPT_REFUSED'],
    { chaosMs: 4_000 },
  ));

test('a node that never finds out that the others went on without it is caught', () =>
  expectCaught(
    breakMethod(LifeCycle.prototype, 'checkNetworkLive', () => () => undefined),
    ['NOT_LIVE'],
    { faults: { crash: 1 } },
  ));

test('a disk that loses what it had synced is caught by the node, and the false alarm by us', () =>
  expectCaught(
    breakMethod(
      SimulatedFile.prototype,
      'crash',
      (sound) =>
        function (this: SimulatedFile, ...args: unknown[]) {
          const bytes = this.durableBytes;
          if (bytes.toString('latin1', 0, 8) !== 'CCDTLDG1') sound(this, args);
          else this.tamper(bytes.subarray(0, bytes.length >> 1));
        },
    ),
    ['FALSE_ALARM'],
    { faults: { crash: 1 }, chaosMs: 4_000 },
  ));

/** One bit of the first blocks of a machine's ledger turns over while its node runs. */
const flipOneBit = (machines: World['machines']): void => {
  const machine = machines[0] as World['machines'][number];
  machine.suspect = true;
  machine.isSpoiled = true;
  const files = machine.disk.durableFiles(`${machine.dataDirectory}/ledger`);
  const file = [...files.values()][0] as SimulatedFile;
  const bytes = Buffer.from(file.durableBytes);
  const at = 2_000;
  bytes[at] = (bytes[at] as number) ^ 1;
  file.tamper(bytes);
};

test('a node that gives a damaged block away is caught, one that refuses it is not', async () => {
  const onStart = (world: World): void => {
    world.clock.after(8_000, undefined, () => flipOneBit(world.machines));
  };
  const attempt = { chaosMs: 6_000, onStart };
  assert.equal(await violationOf(attempt), undefined);
  await expectCaught(
    breakMethod(StoredBlocks.prototype, 'prove', () => async () => ({ receipt: () => ({}) })),
    ['DAMAGE_UNNOTICED', 'RECEIPT_REFUSED'],
    attempt,
  );
});
