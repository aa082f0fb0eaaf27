import assert from 'node:assert/strict';
import { test } from 'node:test';
import { nodeIdOf, sha256 } from '@concordat/crypto';
import { toHex, toSeqno } from '@concordat/std';
import {
  ChainPlace,
  type ChainRequest,
  HistoryTree,
  headerBytes,
  type VerifiedBlock,
  verifyChain,
} from '../index.ts';
import { Ledger, record, refusal } from './fixture.ts';

const blocksOf = (ledger: Ledger): Buffer[] => ledger.blocks.map(({ bytes }) => bytes);

function requestFor(ledger: Ledger, withKeys: boolean): ChainRequest {
  const nodeKey: ChainRequest['nodeKey'] = (leader) =>
    leader === nodeIdOf(ledger.nodeKey.publicKeySpki) ? ledger.nodeKey.publicKeySpki : undefined;
  return withKeys ? { nodeKey, sessionKey: () => ledger.sessionKey } : { nodeKey };
}

/** Whether a byte of a block lies in its sealed segment. */
function isSealed(block: Buffer, at: number): boolean {
  const from = headerBytes + 32 + 4 + block.readUInt32BE(headerBytes + 32) + 4;
  return at >= from && at < from + block.readUInt32BE(from - 4);
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
    Array(9).fill('signature'),
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
      if (withKeys || !isSealed(blocks[3]!, i)) assert.notEqual(code, 'accepted', `byte ${i}`);
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

test('without any key, public writes and headers that the leader did not sign are refused', () => {
  const ledger = new Ledger().grow(9);
  const blocks = blocksOf(ledger);
  const request = requestFor(ledger, false);
  // A host forges what is public and, knowing no secret, puts every chain link right again.
  const forgeFrom = (at: number, change: (block: Buffer) => void): Buffer[] => {
    const forged = blocks.map((block) => Buffer.from(block));
    change(forged[at]!);
    for (let next = at + 1; next < forged.length; next++) {
      forged[next]!.set(sha256(forged[next - 1]!.subarray(0, headerBytes)), 81);
    }
    return forged;
  };
  const publicFrom = headerBytes + 32 + 4;
  assert.ok(blocks[3]!.readUInt32BE(publicFrom - 4) > 3, 'there are public writes to forge');
  const forgeries: Record<string, (block: Buffer) => void> = {
    'a public write': (block) => {
      block[publicFrom + 3]! ^= 1;
    },
    'its time': (block) => {
      block[48]! ^= 1;
    },
    'its epoch': (block) => {
      block[40]! ^= 2;
    },
    "the transactions' root": (block) => {
      block[headerBytes]! ^= 1;
    },
  };
  for (const [name, change] of Object.entries(forgeries)) {
    for (const at of [3, 8]) {
      let seen = 0;
      const code = refusal(() => {
        for (const _ of verifyChain(forgeFrom(at, change), request)) seen += 1;
      });
      assert.deepEqual([code, seen], ['WRONG_ROOT', at], name);
    }
  }
  const rooted = forgeFrom(3, (block) => {
    block[publicFrom + 3]! ^= 1;
    const leaf = sha256(
      Buffer.concat([
        block.subarray(0, headerBytes - 32),
        sha256(block.subarray(publicFrom, publicFrom + block.readUInt32BE(publicFrom - 4))),
      ]),
    );
    const root = block.subarray(headerBytes, headerBytes + 32);
    block.set(sha256(Buffer.concat([leaf, root])), headerBytes - 32);
  });
  assert.equal(
    refusal(() => verifyAll(rooted, request)),
    'BAD_SIGNATURE',
  );
});

test('verification goes on from where a history summary says the chain has got to', () => {
  const ledger = new Ledger().grow(9);
  const at = ledger.blocks[4]!;
  const history = HistoryTree.fromRoots(
    Buffer.alloc(0),
    Buffer.concat(ledger.blocks.slice(0, 5).map(({ header }) => header.blockRoot)),
  );
  const { view } = at.header;
  const nextSeqno = toSeqno(at.header.firstSeqno + at.header.count);
  const end = { history, headerHash: at.headerHash, nextSeqno, view };
  const place = new ChainPlace(end);
  const request = requestFor(ledger, false);
  const rest = blocksOf(ledger).slice(5);
  const roots = rest.map((block) => toHex(place.next(block, request).historyRoot));
  assert.deepEqual(
    roots,
    ledger.blocks.slice(5).map(({ historyRoot }) => toHex(historyRoot)),
  );
  const other = new Ledger(2).grow(6);
  const elsewhere = new ChainPlace({ ...end, history: other.history });
  assert.equal(
    refusal(() => elsewhere.next(rest[0]!, request)),
    'WRONG_HEIGHT',
  );
});
