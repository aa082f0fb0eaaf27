import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { gunzipSync } from 'node:zlib';
import { type MainnetBlock, mainnetBlock } from '@concordat/ethereum';
import { refusalsOf } from '../peers/anvil-mainnet.ts';
import {
  anvilArguments,
  anvilFork,
  anvilGasLimit,
  anvilState,
  anvilStateParameter,
} from '../peers/anvil-world.ts';
import { equalityOf, failuresOf } from '../sections/anvil-peers.ts';
import { paperBlocks } from '../workloads/mainnet-set.ts';

const account = '0x00000000000000000000000000000000000000aa';
const contract = '0x00000000000000000000000000000000000000bb';
const block: MainnetBlock = {
  number: 46_147,
  hash: '0x00',
  hardfork: 'chainstart',
  header: {
    coinbase: account,
    difficulty: '0x153886c1bbd',
    gasLimit: '0x520b',
    gasUsed: '0x5208',
    timestamp: '0x55c42659',
  },
  blockHashes: {},
  transactions: [],
  preState: {
    [account]: { nonce: '0x10', balance: '0x0de0b6b3a7640000' },
    [contract]: { nonce: '0x1', balance: '0x0', storage: { '0x01': '0xff' } },
  },
};
const plain = { ...block, preState: { [account]: block.preState[account] } } as MainnetBlock;

describe('the world before a real block, for Anvil', () => {
  it('has a name for the fork of every block measured', () => {
    for (const number of paperBlocks()) assert.match(anvilFork(mainnetBlock(number).hardfork), /./);
    assert.equal(anvilFork('tangerineWhistle'), 'tangerine');
    assert.throws(() => anvilFork('prague'), /prague/);
    assert.throws(() => anvilFork('toString'), /toString/);
  });

  it('stands one block and one second before it, so that it is mined next', () => {
    const { block: before, best_block_number } = anvilState(plain);
    assert.equal(before.number, '0xb442');
    assert.equal(before.timestamp, '0x55c42658');
    assert.equal(best_block_number, 46_146);
    const args = anvilArguments(block);
    assert.equal(args[args.indexOf('--number') + 1], '46146');
    assert.equal(args[args.indexOf('--timestamp') + 1], `${0x55c42658}`);
  });

  it('has the coinbase and difficulty of the block itself and twice its gas limit', () => {
    const { block: before } = anvilState(plain);
    assert.equal(before.beneficiary, account);
    assert.equal(before.difficulty, '0x153886c1bbd');
    assert.equal(before.gas_limit, 2 * 0x520b);
    const args = anvilArguments(block);
    assert.equal(args[args.indexOf('--gas-limit') + 1], `${anvilGasLimit(block)}`);
  });

  it('mines only when asked, in the order of sending', () => {
    const args = anvilArguments(block);
    assert.ok(args.includes('--no-mining'));
    assert.equal(args[args.indexOf('--order') + 1], 'fifo');
  });

  it('writes storage as whole words, balances without leading zeros, no code as 0x', () => {
    const preState = { [contract]: { nonce: '0x1', balance: '0x00', storage: { '0x1': '0xff' } } };
    assert.deepEqual(anvilState({ ...block, preState }).accounts[contract], {
      nonce: 1,
      balance: '0x0',
      code: '0x',
      storage: { [`0x${'1'.padStart(64, '0')}`]: `0x${'ff'.padStart(64, '0')}` },
    });
    assert.deepEqual(anvilState(plain).accounts[account], {
      nonce: 16,
      balance: '0xde0b6b3a7640000',
      code: '0x',
      storage: {},
    });
  });

  it('refuses a block whose code is not among the data', () => {
    const preState = {
      [contract]: { nonce: '0x1', balance: '0x0', codeHash: `0x${'0'.repeat(64)}` },
    };
    assert.throws(() => anvilState({ ...block, preState }), { code: 'MALFORMED' });
  });

  it('holds every account, slot and code of each block measured', () => {
    for (const number of paperBlocks()) {
      const real = mainnetBlock(number);
      const { accounts } = anvilState(real);
      assert.deepEqual(Object.keys(accounts), Object.keys(real.preState));
      for (const [address, { codeHash, storage, balance }] of Object.entries(real.preState)) {
        const made = accounts[address];
        assert.equal((made?.code.length ?? 0) > 2, codeHash !== undefined, `${number} ${address}`);
        assert.equal(BigInt(made?.balance ?? -1), BigInt(balance));
        assert.equal(
          Object.keys(made?.storage ?? {}).length,
          Object.keys(storage ?? {}).length,
          `${number} ${address}`,
        );
      }
    }
  });

  it('travels as compressed JSON in hex', () => {
    const state = anvilState(plain);
    const parameter = anvilStateParameter(state);
    assert.match(parameter, /^0x1f8b[0-9a-f]+$/);
    const bytes = gunzipSync(Buffer.from(parameter.slice(2), 'hex'));
    assert.deepEqual(JSON.parse(bytes.toString()), state);
  });
});

describe('what Anvil made of the blocks', () => {
  const check = {
    number: 1,
    hardfork: 'homestead',
    transactions: 2,
    gasUsed: 42_000,
    gasMatches: true,
    bloomMatches: true,
    receiptsMatch: undefined,
  };
  const whole = { sent: 2, refused: 0, mined: 2, inOrder: true, check, realGasUsed: 42_000 };

  it('finds the refusals of a batch and throws when the whole batch is refused', () => {
    const answer = [{ result: '0x1' }, { error: { message: 'nonce too low' } }];
    assert.deepEqual(refusalsOf(Buffer.from(JSON.stringify(answer))), ['nonce too low']);
    assert.throws(() => refusalsOf(Buffer.from('{"error":{"message":"too large"}}')), /too large/);
  });

  it('says nothing of failures when there are none', () => {
    assert.equal(failuresOf([{ blocks: [whole, whole] }]), '');
  });

  it('says what was refused, what was left out and what came in another order', () => {
    const refused = { ...whole, refused: 1, why: 'gas too high', mined: 0, inOrder: false };
    const said = failuresOf([{ blocks: [whole] }, { blocks: [refused] }]);
    assert.match(said, /REFUSED 1 \(gas too high\)/);
    assert.match(said, /1 NOT MINED/);
    assert.match(said, /1 BLOCKS INCOMPLETE/);
  });

  it('compares with the real blocks by the round that differs most', () => {
    const other = { ...whole, check: { ...check, gasMatches: false, gasUsed: 21_000 } };
    const said = equalityOf([{ blocks: [whole, whole] }, { blocks: [whole, other] }]);
    assert.match(said, /logs bloom of 2 of 2 real blocks and the gas used of 1, -12\.5 % off/);
    assert.match(equalityOf([{ blocks: [whole] }]), /gas used of 1, 0\.0 % off in all$/);
  });
});
