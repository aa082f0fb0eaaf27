import assert from 'node:assert/strict';
import { test } from 'node:test';
import { mainnetBlock, mainnetIndex } from '../../ethereum/mainnet.ts';
import { forkOf, revisions } from '../index.ts';
import { executeMainnetBlock } from './proof/mainnet-blocks.ts';

test('every real mainnet block comes to the gas, bloom and receipts root of its header', () => {
  let [blocks, roots, transactions] = [0, 0, 0];
  for (const { number } of mainnetIndex()) {
    const block = mainnetBlock(number);
    const { header, hardfork } = block;
    const result = executeMainnetBlock(block);
    assert.equal(result.gasUsed, Number(header.gasUsed), `gas of block ${number}`);
    assert.equal(result.logsBloom, header.logsBloom, `bloom of block ${number}`);
    blocks++;
    transactions += block.transactions.length;
    // Earlier receipts hold state roots, which what a block reads cannot give.
    if (forkOf(hardfork).revision < revisions.byzantium) continue;
    assert.equal(result.receiptsRoot, header.receiptTrie, `receipts root of block ${number}`);
    roots++;
  }
  assert.deepEqual(
    { blocks, roots, transactions },
    { blocks: 57, roots: 43, transactions: 12_577 },
  );
});
