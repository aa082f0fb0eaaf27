import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { paramsBlock } from '@ethereumjs/block';
import { createCustomCommon, Hardfork, Mainnet } from '@ethereumjs/common';
import { paramsEVM } from '@ethereumjs/evm';
import { paramsTx } from '@ethereumjs/tx';
import { blobBaseFee, fitsBlobs, nextExcessBlobGas } from '../blob-fees.ts';
import { forkNames, forkOf, isForkName, revisions } from '../fork.ts';

/** Names that no chain schedules and that have no rules. */
const notRun = ['bpo3', 'bpo4', 'bpo5'];

const commonOf = (hardfork: string) => {
  const common = createCustomCommon({ chainId: 1, name: 'reference' }, Mainnet, { hardfork });
  common.updateParams(paramsBlock);
  common.updateParams(paramsEVM);
  common.updateParams(paramsTx);
  return common;
};

describe('forks', () => {
  test('are those the reference knows, but for names without rules', () => {
    const known = Object.values(Hardfork).filter((name) => !notRun.includes(name));
    assert.deepEqual([...forkNames].toSorted(), known.toSorted());
  });

  test('price transactions as the reference does', () => {
    for (const name of forkNames) {
      const common = commonOf(name);
      const { prices, revision } = forkOf(name);
      const expected: Record<string, number> = {
        transaction: Number(common.param('txGas')),
        dataZero: Number(common.param('txDataZeroGas')),
        dataNonZero: Number(common.param('txDataNonZeroGas')),
        creation: revision >= revisions.homestead ? Number(common.param('txCreationGas')) : 0,
      };
      if (revision >= revisions.berlin) {
        expected.accessListAddress = Number(common.param('accessListAddressGas'));
        expected.accessListSlot = Number(common.param('accessListStorageKeyGas'));
      }
      if (revision >= revisions.shanghai) {
        expected.initCodeWord = Number(common.param('initCodeWordGas'));
        expected.maxInitCodeBytes = Number(common.param('maxInitCodeSize'));
      }
      if (revision >= revisions.cancun) {
        expected.blobGas = Number(common.param('blobGasPerBlob'));
      }
      if (revision >= revisions.prague) {
        expected.floorToken = Number(common.param('totalCostFloorPerToken'));
        expected.emptyAuthorization = Number(common.param('perEmptyAccountCost'));
      }
      if (revision >= revisions.osaka) {
        expected.maxTransactionGas = Number(common.param('maxTransactionGasLimit'));
      }
      if (revision >= revisions.amsterdam) {
        // The account itself is paid when it is written, and the limit is one of regular gas.
        expected.emptyAuthorization = Number(common.param('perAuthBaseGas'));
        expected.recipient = Number(common.param('txRecipientAccessGas'));
        expected.recipientValue = Number(common.param('txValueCost'));
        expected.maxRegularGas = expected.maxTransactionGas as number;
        expected.maxTransactionGas = Number.POSITIVE_INFINITY;
      }
      const own = Object.fromEntries(Object.entries(prices).filter(([key]) => key in expected));
      assert.deepEqual(own, expected, name);
    }
  });

  test('schedule blobs as the reference does', () => {
    for (const name of forkNames) {
      const { blobs, revision } = forkOf(name);
      assert.equal(blobs !== undefined, revision >= revisions.cancun, name);
      if (blobs === undefined) continue;
      const { targetBlobGasPerBlock, maxBlobGasPerBlock, blobGasPriceUpdateFraction } =
        commonOf(name).getBlobGasSchedule();
      assert.equal(BigInt(blobs.target) * 131_072n, targetBlobGasPerBlock, name);
      assert.equal(BigInt(blobs.max) * 131_072n, maxBlobGasPerBlock, name);
      assert.equal(BigInt(blobs.updateFraction), blobGasPriceUpdateFraction, name);
    }
  });

  test('are found by their names only, and in order', () => {
    assert.throws(() => forkOf('Prague'), { code: 'INVALID_CONFIGURATION' });
    assert.throws(() => forkOf('toString'), { code: 'INVALID_CONFIGURATION' });
    assert.ok(isForkName('cancun', 'london'));
    assert.ok(!isForkName('berlin', 'london'));
    assert.ok(!isForkName('bpo3'));
  });
});

describe('blob fees', () => {
  test('are one wei without excess and grow by an eighth a full block', () => {
    const cancun = forkOf('cancun');
    assert.equal(blobBaseFee(cancun, 0n), 1n);
    assert.equal(blobBaseFee(cancun, 2_314_057n), 1n);
    assert.equal(blobBaseFee(cancun, 2_314_058n), 2n);
    assert.equal(blobBaseFee(cancun, 10n * 1024n * 1024n), 23n);
    assert.equal(blobBaseFee(forkOf('shanghai'), 10n), 0n);
  });

  test('follow what is used beyond the target', () => {
    const cancun = forkOf('cancun');
    const blob = 131_072n;
    const demand = { excessBlobGas: blob, blobGasUsed: 3n * blob, baseFee: 7n };
    assert.equal(nextExcessBlobGas(cancun, demand), blob);
    assert.equal(nextExcessBlobGas(cancun, { ...demand, blobGasUsed: blob }), 0n);
    assert.equal(nextExcessBlobGas(forkOf('london'), demand), 0n);
  });

  test('count demand in part where blobs are cheaper than their proofs (EIP-7918)', () => {
    const osaka = forkOf('osaka');
    const blob = 131_072n;
    const cheap = { excessBlobGas: 6n * blob, blobGasUsed: 9n * blob, baseFee: 1_000_000_000n };
    assert.equal(nextExcessBlobGas(osaka, cheap), 6n * blob + 3n * blob);
    assert.equal(nextExcessBlobGas(osaka, { ...cheap, baseFee: 1n }), 9n * blob);
    assert.ok(fitsBlobs(osaka, 9) && !fitsBlobs(osaka, 10) && !fitsBlobs(forkOf('london'), 1));
  });
});
