import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createBlock } from '@ethereumjs/block';
import { createCustomCommon, Mainnet } from '@ethereumjs/common';
import { SimpleStateManager } from '@ethereumjs/statemanager';
import { createTxFromRLP } from '@ethereumjs/tx';
import { Account, Address } from '@ethereumjs/util';
import { createVM, runTx } from '@ethereumjs/vm';
import type { TransactionFields } from '../chain-reader.ts';
import type { AppliedTransaction } from '../executor.ts';
import { forkOf } from '../fork.ts';
import { memoryTables, type StateTables } from '../state-source.ts';
import { decodeTransaction, signedAuthorization } from '../transaction.ts';
import { apply, balanceIn, engineNames, executorOn, plainBlock, put, slotIn } from './execution.ts';
import { code, deploying, Wallet } from './wallet.ts';

const alice = new Wallet(1);
const bob = new Wallet(2);
const coinbase = new Uint8Array(20).fill(0xcb);
const contract = new Uint8Array(20).fill(0xc0);
const wealth = 10n ** 21n;

/** Stores the first word of the call data in slot 0, logs it, returns it; reverts when it is 0. */
const contractCode = code(`
  600035 80 600055 80 600052 6001 6020 6000 a1
  80 15 6018 57 6020 6000 f3 5b 6020 6000 fd
`);

const context = {
  ...plainBlock,
  number: 100,
  timestamp: 1_700_000_000,
  coinbase,
  baseFee: 7n,
  blobBaseFee: 1n,
};

function freshTables(): StateTables {
  const tables = memoryTables();
  for (const wallet of [alice, bob]) put(tables, wallet.address, { balance: wealth });
  put(tables, contract, { nonce: 1n, balance: 5n, code: contractCode });
  return tables;
}

async function byTheVm(raw: Uint8Array, hardfork: string) {
  // The VM's own cryptography, so that ours is compared too.
  const common = createCustomCommon({ chainId: 1337 }, Mainnet, { hardfork });
  const stateManager = new SimpleStateManager({ common });
  for (const { address } of [alice, bob]) {
    await stateManager.putAccount(new Address(address), new Account(0n, wealth));
  }
  await stateManager.putAccount(new Address(contract), new Account(1n, 5n));
  await stateManager.putCode(new Address(contract), contractCode);
  const vm = await createVM({ common, stateManager });
  const block = createBlock(
    {
      header: {
        number: 100n,
        timestamp: 1_700_000_000n,
        coinbase: new Address(coinbase),
        gasLimit: 30_000_000n,
        ...(common.isActivatedEIP(1559) ? { baseFeePerGas: 7n } : {}),
      },
    },
    { common, skipConsensusFormatValidation: true },
  );
  const result = await runTx(vm, { tx: createTxFromRLP(raw, { common }), block });
  const balanceOf = async (address: Uint8Array) =>
    (await stateManager.getAccount(new Address(address)))?.balance ?? 0n;
  return { result, balanceOf, stateManager };
}

async function agrees(raw: Uint8Array, hardfork: string): Promise<AppliedTransaction> {
  const { rules } = forkOf(hardfork, 1337n);
  const transaction = decodeTransaction(raw, {
    chainId: 1337n,
    highestType: 4,
    blobs: false,
    lowS: true,
    maxBytes: 131_072,
  });
  const block = { ...context, baseFee: rules.london ? 7n : 0n };
  const { result, balanceOf, stateManager } = await byTheVm(raw, hardfork);
  let applied: AppliedTransaction | undefined;
  for (const engine of engineNames) {
    const tables = freshTables();
    const executor = executorOn(tables, { engine, fork: hardfork, chainId: 1337n });
    applied = await apply(executor, tables, transaction, block);
    assert.equal(applied.gasUsed, Number(result.totalGasSpent), engine);
    assert.equal(applied.status, result.execResult.exceptionError === undefined ? 1 : 0);
    assert.deepEqual(
      applied.logs.map(({ address, topics, data }) => [address, ...topics, data].map(hex)),
      (result.execResult.logs ?? []).map(([address, topics, data]) =>
        [address, ...topics, data].map(hex),
      ),
    );
    for (const address of [alice.address, bob.address, coinbase, contract]) {
      assert.equal(balanceIn(tables, address), await balanceOf(address), engine);
    }
    const slot = await stateManager.getStorage(new Address(contract), new Uint8Array(32));
    const expected = BigInt(`0x${Buffer.from(slot).toString('hex') || '0'}`);
    assert.equal(slotIn(tables, contract, 0n), expected);
    assert.deepEqual(
      Buffer.from(applied.contractAddress ?? []),
      Buffer.from(result.createdAddress?.bytes ?? []),
    );
  }
  return applied as AppliedTransaction;
}

const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex');
const word = (value: number): Uint8Array =>
  Buffer.from(value.toString(16).padStart(64, '0'), 'hex');
const fees = { maxFeePerGas: 100n, maxPriorityFeePerGas: 3n };
const legacyFees = { type: 0 as const, maxFeePerGas: 50n, maxPriorityFeePerGas: 50n };
const listed = [{ address: contract, storageKeys: [word(0), word(1)] }];

const cases: readonly (readonly [string, Partial<TransactionFields>, readonly string[]])[] = [
  [
    'a legacy transfer',
    { ...legacyFees, to: bob.address, value: 77n },
    ['byzantium', 'istanbul', 'berlin', 'london', 'prague', 'amsterdam'],
  ],
  [
    'a legacy call that writes a slot',
    { ...legacyFees, to: contract, data: word(9) },
    ['byzantium', 'petersburg', 'istanbul', 'berlin', 'cancun', 'prague', 'amsterdam'],
  ],
  [
    'a call with an access list',
    { ...legacyFees, type: 1, to: contract, data: word(9), accessList: listed },
    ['berlin', 'london', 'prague'],
  ],
  [
    'a fee market call',
    { ...fees, to: contract, data: word(5), value: 3n },
    ['london', 'osaka', 'amsterdam'],
  ],
  ['a call that reverts', { ...fees, to: contract, data: word(0) }, ['london', 'cancun']],
  [
    'a call that runs out of gas',
    { ...fees, to: contract, data: word(9), gasLimit: 30_000n },
    ['london', 'cancun'],
  ],
  [
    'a creation',
    { ...fees, data: deploying(contractCode), gasLimit: 300_000n },
    ['london', 'shanghai', 'prague', 'amsterdam'],
  ],
  [
    'a creation whose code begins with 0xef',
    { ...fees, data: deploying(code('ef00')), gasLimit: 300_000n },
    ['berlin', 'london', 'prague'].slice(1),
  ],
  [
    'call data that pays the floor of EIP-7623',
    { ...fees, to: bob.address, data: new Uint8Array(1_000).fill(1) },
    ['cancun', 'prague', 'amsterdam'],
  ],
];

for (const [name, fields, hardforks] of cases) {
  test(`${name} ends as @ethereumjs/vm ends it`, async () => {
    for (const hardfork of hardforks) await agrees(alice.transaction(fields), hardfork);
  });
}

test('a delegation set by an authorization ends as @ethereumjs/vm ends it', async () => {
  const sound = signedAuthorization({ chainId: 1337n, address: contract, nonce: 0n }, bob.sign);
  const anywhere = signedAuthorization({ chainId: 0n, address: contract, nonce: 0n }, bob.sign);
  const elsewhere = signedAuthorization({ chainId: 1n, address: contract, nonce: 0n }, bob.sign);
  const early = signedAuthorization({ chainId: 1337n, address: contract, nonce: 4n }, bob.sign);
  for (const authorization of [sound, anywhere, elsewhere, early]) {
    const raw = alice.transaction({
      ...fees,
      type: 4,
      to: bob.address,
      data: word(8),
      gasLimit: 200_000n,
      authorizationList: [authorization],
    });
    const applied = await agrees(raw, 'prague');
    const delegates = authorization === sound || authorization === anywhere;
    assert.equal(applied.logs.length, delegates ? 1 : 0);
  }
});
