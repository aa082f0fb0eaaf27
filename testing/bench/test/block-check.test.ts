import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { compareBlock, isMatch } from '../block-check.ts';

const real = {
  number: 4_370_000,
  hardfork: 'byzantium',
  header: { gasUsed: '0x5208', logsBloom: '0x00', receiptTrie: '0x1234' },
  transactions: 1,
};
const executed = {
  gasUsed: '0x5208',
  logsBloom: '0x0',
  receiptsRoot: '0x1234',
  transactions: ['0xaa'],
};

describe('comparison with a real block', () => {
  it('finds a block equal that is equal', () => {
    assert.ok(isMatch(compareBlock(real, executed)));
  });

  it('finds each difference', () => {
    const others = { gasUsed: '0x5209', logsBloom: '0x01', receiptsRoot: '0x1235' };
    for (const [field, value] of Object.entries(others)) {
      assert.ok(!isMatch(compareBlock(real, { ...executed, [field]: value })), field);
    }
    assert.ok(!isMatch(compareBlock(real, { ...executed, transactions: [] })));
    assert.ok(!isMatch(compareBlock(real, null)));
  });

  it('does not ask for a receipts root before Byzantium', () => {
    const check = compareBlock(
      { ...real, hardfork: 'homestead' },
      { ...executed, receiptsRoot: '0x99' },
    );
    assert.equal(check.receiptsMatch, undefined);
    assert.ok(isMatch(check));
  });
});
