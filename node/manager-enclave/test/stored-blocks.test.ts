import assert from 'node:assert/strict';
import { test } from 'node:test';
import { verifyReceipt } from '@concordat/ledger';
import { toSeqno, toView } from '@concordat/std';
import { ReceiptDesk } from '../receipt-desk.ts';
import { batch, threeNodes } from './fixture.ts';

async function filled() {
  const { world, first, second } = await threeNodes();
  const placed: { view: number; seqno: number }[] = [];
  for (let n = 0; n < 6; n++) {
    const at = first.driver.place(1, batch(`a${n}`, `b${n}`, `c${n}`));
    assert(at.ok);
    placed.push({ view: at.view, seqno: at.firstSeqno + 1 });
  }
  await world.tick(3);
  return { world, first, second, placed };
}

const idOf = ({ view, seqno }: { view: number; seqno: number }) => ({
  view: toView(view),
  seqno: toSeqno(seqno),
});

test('every committed transaction, old or new, has a receipt that verifies, on every node', async () => {
  const { world, first, second, placed } = await filled();
  world.cut.add(first.id);
  const leader = await world.elect();
  const at = leader.driver.place(1, batch('after'));
  assert(at.ok);
  await world.tick(2);
  placed.push({ view: at.view, seqno: at.firstSeqno }, { view: 1, seqno: 1 });
  for (const id of placed) {
    const receipt = await new ReceiptDesk(second).receipt(idOf(id));
    const verdict = verifyReceipt(receipt, second.network.certificate);
    assert(verdict.ok);
    assert.equal(verdict.transactionId, `${id.view}.${id.seqno}`);
  }
});

test('what became of a transaction is told by its id', async () => {
  const { world, first, placed } = await filled();
  const desk = new ReceiptDesk(first);
  const [some] = placed as [{ view: number; seqno: number }];
  assert.equal(desk.status(idOf(some)), 'Committed');
  assert.equal(desk.status(idOf({ view: some.view + 1, seqno: some.seqno })), 'Invalid');
  assert.equal(desk.status(idOf({ view: some.view, seqno: 10_000 })), 'Unknown');
  const pending = first.driver.place(1, batch('pending'));
  assert(pending.ok);
  assert.equal(desk.status(idOf({ view: pending.view, seqno: pending.firstSeqno })), 'Pending');
  await assert.rejects(desk.receipt(idOf({ view: 1, seqno: 10_000 })), {
    code: 'TRANSACTION_PENDING',
  });
  await assert.rejects(desk.receipt(idOf({ view: 9, seqno: some.seqno })), {
    code: 'TRANSACTION_NOT_FOUND',
  });
  await world.settle();
});

test('no receipt is made from a block the host changed, swapped or lost: it is named', async () => {
  const { world, first, placed } = await filled();
  // Nobody else can be asked.
  world.cut.add(first.id);
  const id = idOf(placed[2] as { view: number; seqno: number });
  const desk = new ReceiptDesk(first);
  const height = first.log.locate(id.seqno)?.height as number;
  const otherBlock = first.host.blocks[height] as Uint8Array;
  for (const tamper of [
    (block: Uint8Array) => [block.with(block.length - 90, 1)],
    (block: Uint8Array) => [block.with(60, 1)],
    (block: Uint8Array) => [block.with(block.length - 3, 1)],
    (block: Uint8Array) => [block.subarray(0, 50)],
    () => [otherBlock],
    () => [],
  ]) {
    first.host.tamper = ([block]) => tamper(block as Uint8Array);
    await assert.rejects(
      desk.receipt(id),
      (error: { code: string; details: { height: number } }) => {
        assert.equal(error.code, 'LEDGER_CORRUPT');
        assert.equal(error.details.height, height);
        return true;
      },
    );
  }
});

test('while another node has the block, a damaged copy costs nobody a receipt', async () => {
  const { first, placed } = await filled();
  const id = idOf(placed[2] as { view: number; seqno: number });
  first.host.tamper = ([block]) => [(block as Uint8Array).with(60, 1)];
  const receipt = await new ReceiptDesk(first).receipt(id);
  assert(verifyReceipt(receipt, first.network.certificate).ok);
});
