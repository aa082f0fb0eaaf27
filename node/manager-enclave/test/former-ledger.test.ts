import assert from 'node:assert/strict';
import { test } from 'node:test';
import { constitutionDigest } from '@concordat/governance';
import { decodeWriteSet } from '@concordat/kv';
import { emptyBytes, fromUtf8, toHex, utf8 } from '@concordat/std';
import { SharedKeyLedger, writeSetOf } from '../../../clients/auditor/test/shared-key-ledger.ts';
import { organisation } from '../../../core/governance/test/network.ts';
import { ManagerError } from '../errors.ts';
import { FormerLedger } from '../former-ledger.ts';

const ledger = new SharedKeyLedger();
ledger.write(['a', '1'], ['b', '2']);
ledger.beginEpoch();
ledger.write(['c', '3']);
const publicWrites = writeSetOf('public:app.seen', 'k', 'v');
ledger.seal([{ publicWrites, privateWrites: emptyBytes }], 2);

const none = (): void => undefined;

/** A host with these blocks, which it gives a few at a time. */
function hostOf(blocks: readonly Uint8Array[]) {
  return {
    readFormer: async (from: number, to: number) => {
      if (from > blocks.length) throw new ManagerError('BLOCK_NOT_HELD', 'NOT_STORED: not here');
      return blocks.slice(from - 1, Math.min(to, from + 2));
    },
  };
}

const formerOf = (blocks: readonly Uint8Array[], of = ledger, lastHeight = blocks.length) =>
  new FormerLedger(hostOf(blocks), { lastHeight, networkCertificate: of.networkCertificate });

const survey = (blocks: readonly Uint8Array[], lastHeight?: number) =>
  formerOf(blocks, ledger, lastHeight).survey(none);

const corrupt = (height: number, reason?: string) => (error: unknown) => {
  assert.ok(error instanceof ManagerError, String(error));
  assert.equal(error.code, 'LEDGER_CORRUPT', error.message);
  assert.equal(error.details.height, height, error.message);
  assert.match(error.message, new RegExp(`^block ${height}: `));
  if (reason) assert.equal(error.details.reason, reason, error.message);
  return true;
};

const keys = new Map(ledger.sessionKeys.map((one) => [one.epoch, one]));

async function contentsOf(blocks: readonly Uint8Array[], given = keys) {
  const found = await survey(ledger.bytes);
  const opened: number[] = [];
  const contents = formerOf(blocks).contents(found, (epoch) => given.get(epoch), none);
  for await (const { header } of contents) opened.push(header.source);
  return opened;
}

test('a ledger says without any key what network it is of, how far it goes, and its constitution', async () => {
  const told: number[] = [];
  const { former, constitution, sources } = await formerOf(ledger.bytes).survey((done) => {
    told.push(done);
  });
  const last = ledger.blocks.at(-1);
  assert.equal(former.networkId, ledger.networkId);
  assert.equal(former.networkCertificate, ledger.networkCertificate);
  assert.equal(former.lastHeight, ledger.blocks.length);
  assert.equal(former.historyRoot, last && toHex(last.historyRoot));
  const { firstSeqno, count } = last?.header ?? { firstSeqno: 0, count: 0 };
  assert.equal(former.lastTransaction, `1.${firstSeqno + count - 1}`);
  assert.equal(former.constitutionDigest, constitutionDigest(ledger.network.constitution));
  assert.deepEqual(constitution, ledger.network.constitution);
  assert.deepEqual([...sources].sort(), [1, 2]);
  assert.equal(told.at(-1), ledger.blocks.length);
});

test('application blocks are opened with the keys of their epochs, all others passed over', async () => {
  assert.deepEqual(await contentsOf(ledger.bytes), [1, 1, 2]);
});

test('a block that is missing, doubled, swapped or of another ledger is refused at its height', async () => {
  const { bytes } = ledger;
  for (let at = 0; at < bytes.length; at++) {
    const without = bytes.filter((_, index) => index !== at);
    const isLast = at === bytes.length - 1;
    await assert.rejects(
      survey(without, bytes.length),
      corrupt(at + 1, isLast ? 'MISSING' : undefined),
    );
  }
  const [first, second, third, ...rest] = bytes as [Uint8Array, Uint8Array, Uint8Array];
  await assert.rejects(survey([first, third, second, ...rest]), corrupt(2, 'WRONG_HEIGHT'));
  await assert.rejects(survey([first, second, second, ...rest]), corrupt(3, 'WRONG_HEIGHT'));
  const other = new SharedKeyLedger(undefined, {}, 'Other').bytes;
  const spliced = [...bytes.slice(0, 5), ...other.slice(5)];
  await assert.rejects(survey(spliced), corrupt(6, 'BROKEN_CHAIN'));
  await assert.rejects(survey([], 0), corrupt(1, 'MISSING'));
});

test('a block that is cut, extended or flipped in its public part is refused at its height', async () => {
  const { bytes } = ledger;
  for (const [index, block] of bytes.entries()) {
    const swap = (changed: Uint8Array) => survey(bytes.with(index, changed));
    await assert.rejects(swap(block.subarray(0, block.length - 1)), corrupt(index + 1));
    await assert.rejects(swap(emptyBytes), corrupt(index + 1));
    await assert.rejects(swap(Buffer.concat([block, Buffer.from([0])])), corrupt(index + 1));
    const step = Math.max(1, Math.floor(block.length / 24));
    for (let at = 0; at < block.length; at += step) {
      const changed = Uint8Array.from(block);
      changed[at] = (changed[at] as number) ^ 0x40;
      let refusal: unknown;
      try {
        await swap(changed);
      } catch (error) {
        refusal = error;
      }
      // What is sealed shows when it is opened, if not before.
      if (!refusal)
        await assert.rejects(contentsOf(bytes.with(index, changed)), corrupt(index + 1));
      else corrupt(index + 1)(refusal);
    }
  }
});

test('a ledger of another network than the pinned one is refused, also one with its certificate', async () => {
  const [certificate = ''] = [organisation('ada').pem];
  const pinned = new FormerLedger(hostOf(ledger.bytes), {
    lastHeight: ledger.bytes.length,
    networkCertificate: certificate,
  });
  await assert.rejects(pinned.survey(none), corrupt(1, 'WRONG_NETWORK'));
  assert.throws(
    () => new FormerLedger(hostOf([]), { lastHeight: 1, networkCertificate: 'none' }),
    (error: ManagerError) => error.code === 'INVALID_START' || error.name === 'CryptoError',
  );
});

test('what cannot be opened, and another ledger than was verified, is refused', async () => {
  const [one] = [...keys];
  assert.ok(one);
  await assert.rejects(contentsOf(ledger.bytes, new Map([one])), (error: ManagerError) => {
    assert.equal(error.details.reason, 'UNKNOWN_EPOCH');
    return error.code === 'LEDGER_CORRUPT';
  });
  const wrong = new Map(
    [...keys].map(([epoch, { key }]) => [epoch, { epoch, key: key.toReversed() }]),
  );
  await assert.rejects(contentsOf(ledger.bytes, wrong), (error: ManagerError) => {
    assert.equal(error.details.reason, 'AUTHENTICATION_FAILED');
    return error.code === 'LEDGER_CORRUPT';
  });
  const shorter = ledger.bytes.slice(0, -1);
  await assert.rejects(contentsOf(shorter), corrupt(ledger.bytes.length, 'WRONG_ROOT'));
});

test('what the host says is wrong with a chunk is said of the block', async () => {
  const damaged = {
    readFormer: async () => {
      throw new ManagerError('HOST_FAULT', 'LEDGER_DAMAGED: a chunk ends early');
    },
  };
  const { networkCertificate } = ledger;
  const former = new FormerLedger(damaged, { lastHeight: 3, networkCertificate });
  await assert.rejects(former.survey(none), (error: ManagerError) => {
    assert.equal(error.message, 'block 1: a chunk ends early');
    return error.code === 'LEDGER_CORRUPT';
  });
  const failing = {
    readFormer: async () => {
      throw new ManagerError('HOST_FAULT', 'DISK_ERROR: no disk');
    },
  };
  const stuck = new FormerLedger(failing, { lastHeight: 3, networkCertificate });
  await assert.rejects(stuck.survey(none), (error: ManagerError) => error.code === 'HOST_FAULT');
});

test('programs that votes put in force come as writes of the workers that run their adapters', async () => {
  const voted = new SharedKeyLedger();
  voted.write(['a', '1']);
  for (const text of ['first', 'second']) {
    voted.govern((network) =>
      network.transact(() => network.deploy(network.memberNames, 'javascript', utf8(text))),
    );
  }
  voted.write(['b', '2']);
  const workers = [{ index: 2, adapters: ['javascript'] }];
  const { bytes, networkCertificate } = voted;
  const at = { lastHeight: bytes.length, networkCertificate, workers };
  const former = new FormerLedger(hostOf(bytes), at);
  const found = await former.survey(none);
  const held = new Map(voted.sessionKeys.map((one) => [one.epoch, one]));
  const seen: [number, unknown][] = [];
  for await (const { header, transactions = [] } of former.contents(
    found,
    (epoch) => held.get(epoch),
    none,
  )) {
    const writes = transactions.flatMap(({ publicWrites }) => [...decodeWriteSet(publicWrites)]);
    seen.push([header.source, writes.map(({ value }) => value && fromUtf8(value)).join()]);
  }
  assert.deepEqual(seen, [
    [1, ''],
    [2, 'first'],
    [2, 'second'],
    [1, ''],
  ]);
});
