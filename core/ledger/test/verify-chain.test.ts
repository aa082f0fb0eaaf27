import assert from 'node:assert/strict';
import { test } from 'node:test';
import { nodeIdOf } from '@concordat/crypto';
import { type ChainRequest, type VerifiedBlock, verifyChain } from '../index.ts';
import { Ledger, record, refusal } from './fixture.ts';

const blocksOf = (ledger: Ledger): Buffer[] => ledger.blocks.map(({ bytes }) => bytes);

function requestFor(ledger: Ledger, withKeys: boolean): ChainRequest {
  const nodeKey: ChainRequest['nodeKey'] = (leader) =>
    leader === nodeIdOf(ledger.nodeKey.publicKeySpki) ? ledger.nodeKey.publicKeySpki : undefined;
  return withKeys ? { nodeKey, sessionKey: () => ledger.sessionKey } : { nodeKey };
}

const verifyAll = (blocks: Iterable<Uint8Array>, request: ChainRequest): VerifiedBlock[] => [
  ...verifyChain(blocks, request),
];

test('a whole ledger verifies with its keys, and without them up to its contents', () => {
  const ledger = new Ledger().grow(9);
  const open = verifyAll(blocksOf(ledger), requestFor(ledger, true));
  const closed = verifyAll(blocksOf(ledger), requestFor(ledger, false));
  assert.deepEqual(
    open.map(({ covered }) => covered),
    Array(9).fill('contents'),
  );
  assert.deepEqual(
    closed.map(({ covered }) => covered),
    ['chain', ...Array(8).fill('signature')],
  );
  const expected = Buffer.from(ledger.history.root()).toString('hex');
  for (const verified of [open, closed]) {
    // A single root stands for itself: with its key or without, the history root is the same.
    assert.deepEqual(
      verified.map(({ historyRoot }) => Buffer.from(historyRoot).toString('hex')),
      ledger.blocks.map(({ historyRoot }) => Buffer.from(historyRoot).toString('hex')),
    );
    assert.equal(Buffer.from(verified.at(-1)!.historyRoot).toString('hex'), expected);
  }
  assert.equal(open[4]!.transactions?.length, open[4]!.header.count);
  assert.equal(closed[4]!.transactions, undefined);
});

test('blocks left out, doubled, swapped or changed stop the verification at their height', () => {
  const ledger = new Ledger().grow(6);
  const blocks = blocksOf(ledger);
  for (const withKeys of [true, false]) {
    const request = requestFor(ledger, withKeys);
    const check = (changed: Buffer[]): string => refusal(() => verifyAll(changed, request));
    assert.equal(check(blocks), 'accepted');
    assert.equal(check(blocks.toSpliced(2, 1)), 'WRONG_HEIGHT');
    assert.equal(check(blocks.slice(1)), 'WRONG_HEIGHT');
    assert.equal(check(blocks.toSpliced(2, 0, blocks[2]!)), 'WRONG_HEIGHT');
    assert.equal(check([blocks[1]!, blocks[0]!, ...blocks.slice(2)]), 'WRONG_HEIGHT');
    for (let i = 0; i < blocks[3]!.length; i++) {
      const changed = Buffer.from(blocks[3]!);
      changed[i]! ^= 0x10;
      const code = check(blocks.with(3, changed));
      // Without keys, sealed contents are beyond judgement; all else is not.
      if (withKeys || i < 150) assert.notEqual(code, 'accepted', `byte ${i}`);
    }
    try {
      verifyAll(blocks.with(3, blocks[4]!), request);
      assert.fail('accepted');
    } catch (error) {
      assert.equal((error as { details: { height: number } }).details.height, 5);
    }
  }
});

test('a fork that joins back is refused, and so is a view that falls', () => {
  const ledger = new Ledger().grow(2);
  const fork = new Ledger().grow(1);
  fork.seal([record('not the same'), record('but as many')]);
  ledger.grow(1);
  const joined = [blocksOf(ledger)[0]!, blocksOf(fork)[1]!, blocksOf(ledger)[2]!];
  const request = requestFor(ledger, false);
  assert.equal(
    refusal(() => verifyAll(joined, request)),
    'BROKEN_CHAIN',
  );
  const falling = new Ledger();
  falling.view = 5;
  falling.seal([record('x')]);
  const restarted = new Ledger();
  Object.assign(restarted, { view: 4, previous: falling.previous, nextSeqno: 2 });
  restarted.history.append(falling.blocks[0]!.header.blockRoot);
  restarted.seal([record('y')]);
  const both = [...blocksOf(falling), ...blocksOf(restarted)];
  assert.equal(
    refusal(() => verifyAll(both, request)),
    'WRONG_VIEW',
  );
});

test('nodes are learnt from public writes while the ledger is read', () => {
  const ledger = new Ledger().grow(4);
  const seen: number[] = [];
  const known = new Set<string>();
  const verified = verifyChain(blocksOf(ledger), {
    nodeKey: (leader, { header, publicWrites }) => {
      seen.push(publicWrites.length);
      if (header.height === 1) known.add(leader);
      return known.has(leader) ? ledger.nodeKey.publicKeySpki : undefined;
    },
  });
  assert.equal([...verified].length, 4);
  assert.deepEqual(
    seen,
    ledger.blocks.map(({ header }) => header.count),
  );
});

test('a key that is not the one the leader is named after is refused', () => {
  const ledger = new Ledger().grow(2);
  const wrong = { nodeKey: () => new Ledger(3).nodeKey.publicKeySpki };
  assert.equal(
    refusal(() => verifyAll(blocksOf(ledger), wrong)),
    'UNKNOWN_LEADER',
  );
});
