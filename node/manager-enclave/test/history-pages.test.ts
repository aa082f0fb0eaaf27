import assert from 'node:assert/strict';
import { test } from 'node:test';
import { pageBlocks } from '@concordat/ledger';
import { toEpoch, toHeight, toView } from '@concordat/std';
import { BlockLog } from '../block-log.ts';
import { HistoryPages } from '../history-pages.ts';
import { createNodeIdentity } from '../node-identity.ts';
import { RefusalCounts } from '../refusal-counts.ts';
import { batch, entropyOf } from './fixture.ts';

const identity = createNodeIdentity(entropyOf('log'), 1_700_000_000_000);
const sessionKey = { epoch: toEpoch(1), key: entropyOf('key')(32) };
const blocks = 5 * pageBlocks + 200;

/** A log so long that its first page is no longer in memory, and where its pages went. */
function longLog() {
  const log = new BlockLog(identity.nodeId, {
    sessionKey: () => sessionKey,
    nodeKey: () => identity.signing.publicKeySpki,
    // Nothing here opens a block.
    sign: () => new Uint8Array(70),
  });
  const host = new Map<number, Uint8Array>();
  const others: Uint8Array[] = [];
  const refusals = new RefusalCounts();
  const asked = { host: 0, others: 0 };
  const pages = new HistoryPages({
    log,
    sources: {
      putPage: async (page, bytes) => void host.set(page, bytes),
      getPage: async (page) => {
        asked.host += 1;
        return host.get(page);
      },
      async *otherPages() {
        asked.others += 1;
        yield* others;
      },
    },
    refusals,
    tell: () => undefined,
  });
  for (let n = 0; n < blocks; n++) {
    const transactions = batch('x');
    log.seal({ view: toView(1), timeMs: 1, source: 1, flags: 0, transactions, sessionKey });
    if (n % 100 === 99) {
      log.commit(toHeight(n));
      pages.keepCompleted();
    }
  }
  return { log, pages, host, others, refusals, asked };
}

const { log, pages, host, others, refusals, asked } = longLog();

test('pages go to the host as they become complete', () => {
  assert.deepEqual([...host.keys()], [0, 1, 2, 3, 4]);
});

test('what is asked of an old page is answered once the host has given it back', async () => {
  assert.throws(() => log.locate(5), { code: 'PAGE_NEEDED' });
  const answers = await Promise.all([1, 5, 4000].map((at) => pages.answer(() => log.locate(at))));
  assert.deepEqual(
    answers.map((answer) => answer?.height),
    [1, 5, 4000],
  );
  assert.equal(asked.host, 1, 'a page is read once, however many wait');
  assert.equal(log.viewOfSeqno(5), 1, 'views need no page');
});

test('a page the host changed is refused and counted, and another node asked', async () => {
  const fresh = longLog();
  const page = fresh.host.get(0) as Uint8Array;
  fresh.host.set(0, page.with(5000, (page[5000] as number) ^ 1));
  fresh.others.push(page.subarray(1), page);
  const place = await fresh.pages.answer(() => fresh.log.locate(7));
  assert.deepEqual(place, { height: 7, index: 0 });
  assert.deepEqual([...fresh.refusals], [{ what: 'page', code: 'WRONG_PAGE', count: 2 }]);
  assert.deepEqual(fresh.host.get(0), page, 'the host gets a sound one');
});

test('a page that is nowhere to be had is said to be so, and nothing is made up', async () => {
  const fresh = longLog();
  fresh.host.clear();
  await assert.rejects(
    fresh.pages.answer(() => fresh.log.locate(7)),
    { code: 'BLOCK_NOT_HELD' },
  );
  assert.equal(fresh.asked.others, 1);
  await assert.rejects(
    pages.answer(() => assert.fail('a fault of the question')),
    { name: 'AssertionError' },
  );
  assert.equal(others.length + [...refusals].length, 0);
});
