import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import type { BlockEnvironment } from '../block-environment.ts';
import { historyAddress, startBlock } from '../block-start.ts';
import { createEvm, type Evm } from '../evm.ts';
import type { EvmHost } from '../host.ts';
import { keccak256 } from '../keccak.ts';
import { accountOf, MemoryHost, recordIn } from '../memory-host.ts';
import type { EvmTransaction } from '../transaction.ts';
import { transactionOf } from './scene.ts';

const address = (byte: number): Buffer => Buffer.alloc(20, byte);
const keyOf = (bytes: Uint8Array): string => Buffer.from(bytes).toString('latin1');
const hex = (digits: string): Buffer => Buffer.from(digits, 'hex');

const sender = address(0x11);
const receiver = address(0x22);
const coinbase = address(0xcc);
const ether = 10n ** 18n;

const block: BlockEnvironment = {
  number: 300,
  timestamp: 1_700_000_000,
  coinbase,
  gasLimit: 30_000_000,
  difficulty: 0n,
  prevRandao: 9n,
  baseFee: 7n,
  blobBaseFee: 2n,
  blockHash: (number) => number * 1_000_003n,
};

const transfer = transactionOf({
  from: sender,
  maxFeePerGas: 20n,
  gasLimit: 100_000n,
  to: receiver,
  value: 5n,
});

function world(): MemoryHost {
  const state = new MemoryHost();
  state.putAccount(keyOf(sender), accountOf({ balance: ether }));
  return state;
}

/** Gives an address code. */
function deploy(state: MemoryHost, at: Uint8Array, code: Uint8Array): void {
  const codeKey = keyOf(keccak256(code));
  state.putCode(codeKey, code);
  state.putAccount(keyOf(at), accountOf({ nonce: 1n, codeKey }));
}

const evmOver = (host: EvmHost, fork = 'prague'): Evm => createEvm({ fork, chainId: 1n, host });

/** Maps of a host, to see that nothing changed. */
const contents = ({ accounts, slots, codes }: MemoryHost): unknown => [
  new Map(accounts),
  new Map(slots),
  new Map(codes),
];

describe('a transaction', () => {
  test('moves value, pays the fee and counts the nonce', () => {
    const state = world();
    const evm = evmOver(state);
    const applied = evm.execute(transfer, block);
    assert.deepEqual(
      [applied.status, applied.gasUsed, applied.effectiveGasPrice, applied.refund],
      [1, 21_000, 8n, 0],
    );
    evm.finish(state);
    assert.equal(recordIn(state, keyOf(sender))?.balance, ether - 5n - 8n * 21_000n);
    assert.equal(recordIn(state, keyOf(sender))?.nonce, 1n);
    assert.equal(recordIn(state, keyOf(receiver))?.balance, 5n);
    assert.equal(recordIn(state, keyOf(coinbase))?.balance, 21_000n);
    assert.equal(evm.account(receiver).balance, 5n);
  });

  test('leaves nothing when it is abandoned', () => {
    const state = world();
    const before = contents(state);
    const evm = evmOver(state);
    evm.execute(transfer, block);
    evm.abandon();
    assert.deepEqual(contents(state), before);
    assert.equal(evm.account(sender).nonce, 0n);
    // The same transaction is as good as it was.
    assert.equal(evm.execute(transfer, block).status, 1);
    evm.abandon();
  });

  test('must be ended before the next, which is a mistake of the caller', () => {
    const evm = evmOver(world());
    evm.execute(transfer, block);
    assert.throws(() => evm.execute(transfer, block), { name: 'AssertionError' });
    assert.throws(() => evm.call({}, block), { name: 'AssertionError' });
    evm.abandon();
    assert.throws(() => evm.finish(world()), { name: 'AssertionError' });
  });

  test('in a block whose fields cannot be read is refused, and the block of before is as it was', () => {
    const evm = evmOver(world());
    const request = { data: hex('4160005260206000f3') };
    const before = evm.call(request, block).output;
    for (const wrong of [
      { ...block, coinbase: Buffer.alloc(19) },
      { ...block, coinbase: Buffer.alloc(20, 0x77), number: 1.5 },
    ]) {
      assert.throws(() => evm.call(request, wrong));
      assert.deepEqual(evm.call(request, block).output, before);
    }
  });

  test('gives its logs in order, with topics and data', () => {
    const state = world();
    // LOG0 of nothing, then LOG2 of the word 0x2a.
    deploy(state, receiver, hex('60006000a0602a60005260bb60aa60206000a200'));
    const evm = evmOver(state);
    const { logs } = evm.execute({ ...transfer, value: 0n }, block);
    const text = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex');
    assert.deepEqual(
      logs.map((log) => [text(log.address), log.topics.map(text), text(log.data)]),
      [
        ['22'.repeat(20), [], ''],
        ['22'.repeat(20), [`${'0'.repeat(62)}aa`, `${'0'.repeat(62)}bb`], `${'0'.repeat(62)}2a`],
      ],
    );
    evm.abandon();
  });

  test('reads the hashes of the 256 blocks before its own, and no others', () => {
    const state = world();
    // Returns BLOCKHASH of the number in the call data.
    deploy(state, receiver, hex('6000354060005260206000f3'));
    const evm = evmOver(state);
    for (const [number, known] of [
      [299, true],
      [44, true],
      [43, false],
      [300, false],
      [301, false],
    ] as const) {
      const data = Buffer.alloc(32);
      data.writeUInt32BE(number, 28);
      const { output } = evm.call({ to: receiver, data }, block);
      const hash = BigInt(`0x${Buffer.from(output).toString('hex')}`);
      assert.equal(hash, known ? BigInt(number) * 1_000_003n : 0n, `${number}`);
    }
  });

  test('sets delegations that were signed for this chain and passes over others', () => {
    const state = world();
    const evm = evmOver(state);
    const one = { chainId: 1n, address: address(0x77), nonce: 0n, authority: address(0x31) };
    const list = [
      one,
      { ...one, chainId: 2n, authority: address(0x32) },
      { ...one, authority: undefined },
      { ...one, chainId: 0n, authority: address(0x33) },
      { ...one, nonce: 2n ** 64n - 1n, authority: address(0x34) },
    ];
    const applied = evm.execute(
      { ...transfer, type: 4, gasLimit: 300_000n, authorizationList: list },
      block,
    );
    assert.equal(applied.status, 1);
    evm.finish(state);
    const delegated = [0x31, 0x32, 0x33, 0x34].filter(
      (byte) => recordIn(state, keyOf(address(byte)))?.nonce === 1n,
    );
    assert.deepEqual(delegated, [0x31, 0x33]);
    const key = recordIn(state, keyOf(address(0x31)))?.codeKey as string;
    assert.deepEqual(state.code(key), Buffer.concat([hex('ef0100'), address(0x77)]));
  });
});

describe('a refused transaction', () => {
  const cases: readonly (readonly [code: string, fork: string, Partial<EvmTransaction>])[] = [
    ['NONCE_TOO_HIGH', 'prague', { nonce: 1n }],
    ['NONCE_TOO_HIGH', 'prague', { nonce: 2n ** 64n - 1n }],
    ['INSUFFICIENT_FUNDS', 'prague', { value: ether }],
    ['INSUFFICIENT_FUNDS', 'prague', { maxFeePerGas: 2n ** 256n - 1n }],
    ['FEE_TOO_LOW', 'prague', { maxFeePerGas: 6n, maxPriorityFeePerGas: 0n }],
    ['TIP_ABOVE_FEE_CAP', 'prague', { maxPriorityFeePerGas: 21n }],
    ['GAS_LIMIT_TOO_HIGH', 'prague', { gasLimit: 30_000_001n }],
    ['GAS_LIMIT_TOO_HIGH', 'osaka', { gasLimit: 16_777_217n }],
    ['GAS_LIMIT_TOO_HIGH', 'prague', { gasLimit: 2n ** 64n - 1n }],
    ['INTRINSIC_GAS_TOO_LOW', 'prague', { gasLimit: 20_999n }],
    ['INTRINSIC_GAS_TOO_LOW', 'prague', { gasLimit: 24_000n, data: Buffer.alloc(100, 1) }],
    ['TRANSACTION_TYPE_NOT_SUPPORTED', 'berlin', {}],
    ['TRANSACTION_TYPE_NOT_SUPPORTED', 'istanbul', { type: 1 }],
    ['TRANSACTION_TYPE_NOT_SUPPORTED', 'shanghai', { type: 3 }],
    ['TRANSACTION_TYPE_NOT_SUPPORTED', 'cancun', { type: 4 }],
    ['UNDECODABLE', 'prague', { type: 3 }],
    ['UNDECODABLE', 'prague', { type: 4 }],
    ['UNDECODABLE', 'prague', { to: Buffer.alloc(19) }],
    ['UNDECODABLE', 'prague', { from: Buffer.alloc(21) }],
    ['UNDECODABLE', 'prague', { accessList: [{ address: Buffer.alloc(21), storageKeys: [] }] }],
    [
      'UNDECODABLE',
      'prague',
      { accessList: [{ address: receiver, storageKeys: [hash1(), sender] }] },
    ],
    ['UNDECODABLE', 'prague', { blobVersionedHashes: [Buffer.alloc(33, 1)] }],
    ['UNDECODABLE', 'prague', { value: -1n }],
    ['UNDECODABLE', 'prague', { value: 2n ** 256n }],
    ['INVALID_BLOBS', 'prague', { type: 3, blobVersionedHashes: [Buffer.alloc(32, 2)] }],
    ['INVALID_BLOBS', 'cancun', { type: 3, blobVersionedHashes: Array(7).fill(hash1()) }],
    ['INVALID_BLOBS', 'osaka', { type: 3, blobVersionedHashes: Array(7).fill(hash1()) }],
    ['FEE_TOO_LOW', 'prague', { type: 3, blobVersionedHashes: [hash1()], maxFeePerBlobGas: 1n }],
  ];

  function hash1(): Buffer {
    const hash = Buffer.alloc(32, 7);
    hash[0] = 1;
    return hash;
  }

  test('is refused with its reason and leaves no trace', () => {
    for (const [code, fork, fields] of cases) {
      const state = world();
      const before = contents(state);
      const evm = evmOver(state, fork);
      assert.throws(() => evm.execute({ ...transfer, ...fields }, block), { code }, code);
      assert.deepEqual(contents(state), before);
      evm.abandon();
      const plain: EvmTransaction = { ...transfer, type: 0 };
      assert.equal(evm.execute(plain, block).status, 1, `${code}: the next one runs`);
      evm.abandon();
    }
  });

  test('is told the next nonce', () => {
    const state = world();
    const evm = evmOver(state);
    evm.execute(transfer, block);
    evm.finish(state);
    assert.throws(() => evm.execute(transfer, block), {
      code: 'NONCE_TOO_LOW',
      details: { next: '1' },
    });
  });

  test('may not come from a contract, unless it only delegates (EIP-3607, 7702)', () => {
    const state = world();
    const balance = ether;
    for (const [code, allowed] of [
      [hex('00'), false],
      [Buffer.concat([hex('ef0100'), receiver]), true],
    ] as const) {
      const codeKey = keyOf(keccak256(code));
      state.putCode(codeKey, code);
      state.putAccount(keyOf(sender), accountOf({ balance, codeKey }));
      const evm = evmOver(state);
      if (allowed) assert.equal(evm.execute(transfer, block).status, 1);
      else assert.throws(() => evm.execute(transfer, block), { code: 'SENDER_NOT_EOA' });
    }
  });

  test('may carry blobs up to the limit and pays for them', () => {
    const state = world();
    const evm = evmOver(state, 'osaka');
    const blobs = { type: 3, blobVersionedHashes: Array(6).fill(hash1()), maxFeePerBlobGas: 2n };
    const applied = evm.execute({ ...transfer, ...blobs } as EvmTransaction, block);
    assert.equal(applied.status, 1);
    evm.finish(state);
    const paid = 5n + 8n * 21_000n + 6n * 131_072n * 2n;
    assert.equal(recordIn(state, keyOf(sender))?.balance, ether - paid);
  });
});

test('a call whose fields are out of range is refused', () => {
  const evm = evmOver(world());
  for (const request of [
    { from: Buffer.alloc(19) },
    { to: Buffer.alloc(21) },
    { gas: -1 },
    { gas: 1.5 },
    { value: -1n },
    { gasPrice: 2n ** 256n },
    { nonce: 2n ** 64n - 1n },
    { accessList: [{ address: Buffer.alloc(19), storageKeys: [] }] },
    { blobVersionedHashes: [Buffer.alloc(31)] },
  ]) {
    assert.throws(() => evm.call(request, block), { code: 'INVALID_CALL' });
  }
  assert.throws(() => evm.call({ to: receiver, gas: 20_999 }, block), {
    code: 'INTRINSIC_GAS_TOO_LOW',
  });
  assert.throws(() => evm.call({ to: receiver, gasPrice: 6n }, block), { code: 'FEE_TOO_LOW' });
  assert.throws(() => evm.call({ to: receiver, value: 1n }, block), { code: 'INSUFFICIENT_FUNDS' });
  assert.equal(evm.call({ to: receiver }, block).status, 'success');
});

describe('a host', () => {
  test('that stops the engine costs the transaction alone: everything cached is forgotten', () => {
    const state = world();
    let stops = true;
    const host: EvmHost = {
      account(key) {
        if (stops && key === keyOf(receiver)) throw new WebAssembly.RuntimeError('unreachable');
        return state.account(key);
      },
      slot: (key) => state.slot(key),
      code: (key) => state.code(key),
    };
    const evm = evmOver(host);
    assert.throws(() => evm.execute(transfer, block), { code: 'ENGINE_FAULT' });
    stops = false;
    const applied = evm.execute(transfer, block);
    evm.finish(state);
    assert.equal(applied.gasUsed, 21_000);
    assert.equal(recordIn(state, keyOf(sender))?.nonce, 1n);
  });

  test('that throws is heard, and the engine goes on as if nothing had been', () => {
    const state = world();
    let broken = true;
    const host: EvmHost = {
      account(key) {
        if (broken && key === keyOf(receiver)) throw new Error('the disk is gone');
        return state.account(key);
      },
      slot: (key) => state.slot(key),
      code: (key) => state.code(key),
    };
    const evm = evmOver(host);
    assert.throws(() => evm.execute(transfer, block), /the disk is gone/);
    broken = false;
    assert.equal(evm.execute(transfer, block).status, 1);
    evm.finish(state);
    assert.equal(recordIn(state, keyOf(receiver))?.balance, 5n);
  });

  test('that hands over bytes of no record is refused', () => {
    for (const bytes of [Buffer.alloc(0), Buffer.alloc(500), Buffer.from([0, 9, 0])]) {
      const state = world();
      state.putAccount(keyOf(receiver), bytes);
      const evm = evmOver(state);
      assert.throws(() => evm.execute(transfer, block), { code: 'MALFORMED' });
    }
    const state = world();
    deploy(state, receiver, hex('60005400'));
    const key = keyOf(receiver);
    state.putAccount(key, withStorage(state, key));
    state.putSlot(key + '\0'.repeat(32), Buffer.alloc(33, 1));
    assert.throws(() => evmOver(state).execute(transfer, block), { code: 'MALFORMED' });
  });

  test('that lacks the code of an account is refused wherever that would run or be read', () => {
    const contract = address(0x33);
    const codeKey = keyOf(keccak256(hex('6001600055')));
    const named = contract.toString('hex');
    const readers = {
      CALL: `5f5f5f5f5f73${named}5af1`,
      STATICCALL: `5f5f5f5f73${named}5afa`,
      DELEGATECALL: `5f5f5f5f73${named}5af4`,
      EXTCODESIZE: `73${named}3b`,
      EXTCODECOPY: `60015f5f73${named}3c`,
      delegation: `ef0100${named}`,
    };
    const lacking = (code: string, found?: Uint8Array): MemoryHost => {
      const state = world();
      deploy(state, receiver, hex(code));
      state.putAccount(keyOf(contract), accountOf({ nonce: 1n, codeKey }));
      if (found !== undefined) state.putCode(codeKey, found);
      return state;
    };
    for (const [name, code] of Object.entries(readers)) {
      // No bytes at all are not the code of that hash either.
      for (const found of [undefined, hex('')]) {
        const state = lacking(code, found);
        const before = contents(state);
        const evm = evmOver(state);
        assert.throws(() => evm.execute(transfer, block), { code: 'MALFORMED' }, name);
        assert.throws(() => evm.call({ to: receiver }, block), { code: 'MALFORMED' }, name);
        assert.deepEqual(contents(state), before, name);
        assert.equal(evm.execute({ ...transfer, to: address(0x44) }, block).status, 1, name);
        evm.abandon();
      }
    }
    for (const harmless of [`73${named}3f`, `73${named}31`]) {
      assert.equal(evmOver(lacking(harmless)).execute(transfer, block).status, 1);
    }
    const target = { target: contract, data: hex('') };
    assert.throws(() => evmOver(lacking('')).systemCall(target, block), { code: 'MALFORMED' });
    const state = world();
    state.putAccount(keyOf(sender), accountOf({ balance: ether, codeKey }));
    assert.throws(() => evmOver(state).execute(transfer, block), { code: 'MALFORMED' });
  });

  test('need not have the empty code, even when a record spells its hash out', () => {
    const state = world();
    state.putAccount(keyOf(receiver), Buffer.concat([hex('010000'), keccak256(hex(''))]));
    assert.equal(evmOver(state).execute(transfer, block).status, 1);
  });

  test('may be another from batch to batch, and what it changed is seen after forgetting', () => {
    const state = world();
    const evm = evmOver(state);
    evm.execute(transfer, block);
    evm.finish(state);
    const other = new MemoryHost();
    evm.attach(other);
    assert.equal(evm.account(receiver).balance, 5n, 'from the cache');
    evm.forget();
    assert.equal(evm.account(receiver).balance, 0n, 'from the other host');
  });
});

function withStorage(state: MemoryHost, key: string): Uint8Array {
  const record = recordIn(state, key);
  assert.ok(record);
  return accountOf({ ...record, hasStorage: true });
}

describe('the start of a block', () => {
  const historyCode = hex(
    '3373fffffffffffffffffffffffffffffffffffffffe14604657602036036042575f35600143038111604257611fff' +
      '81430311604257611fff9006545f5260205ff35b5f5ffd5b5f35611fff60014303065500',
  );
  const parents = { parentHash: Buffer.alloc(32, 0xab), parentBeaconBlockRoot: Buffer.alloc(32) };

  test('stores the hash of the block before where EIP-2935 has its contract', () => {
    const state = world();
    deploy(state, historyAddress, historyCode);
    const evm = evmOver(state);
    startBlock(evm, block, { parents, sink: state });
    const data = Buffer.alloc(32);
    data.writeUInt32BE(block.number - 1, 28);
    const { output } = evm.call({ to: historyAddress, data }, block);
    assert.deepEqual(Buffer.from(output), parents.parentHash);
    assert.equal(state.slots.size, 1);
  });

  test('changes nothing without the contracts, nor before their forks', () => {
    for (const fork of ['shanghai', 'prague']) {
      const state = world();
      if (fork === 'shanghai') deploy(state, historyAddress, historyCode);
      const before = contents(state);
      startBlock(evmOver(state, fork), block, { parents, sink: state });
      assert.deepEqual(contents(state), before, fork);
    }
  });
});

test('one engine runs by the rules of one fork after another', () => {
  const state = world();
  // Returns CHAINID, which is no operation before Istanbul.
  deploy(state, receiver, hex('4660005260206000f3'));
  const evm = evmOver(state, 'petersburg');
  assert.equal(evm.call({ to: receiver }, block).error, 'invalid opcode');
  evm.useFork('istanbul');
  assert.equal(evm.call({ to: receiver }, block).status, 'success');
  assert.throws(() => evm.useFork('never'), { code: 'INVALID_CONFIGURATION' });
});

test('an account that makes the memory grow is read from what it has grown to', () => {
  const state = world();
  const evm = evmOver(state);
  for (let at = 0; at < 100_000; at++) {
    assert.equal(evm.nonceOf(hex(at.toString(16).padStart(40, '0'))), 0n);
  }
});

test('one engine serves one chain after another, and mixes up nothing of theirs', () => {
  const first = world();
  const second = world();
  deploy(first, receiver, hex('4660005260206000f3'));
  // Returns its first slot.
  deploy(second, receiver, hex('60005460005260206000f3'));
  const evm = createEvm({ fork: 'prague', chainId: 7n, host: first });
  const answer = (): number =>
    Buffer.from(evm.call({ to: receiver }, block).output).readUInt32BE(28);
  assert.equal(answer(), 7);
  evm.forget();
  evm.attach(second);
  evm.useFork('london', 9n);
  assert.deepEqual([evm.chainId, evm.fork.name, answer()], [9n, 'london', 0]);
  evm.execute({ ...transfer, nonce: evm.nonceOf(sender) }, block);
  assert.equal(evm.nonceOf(sender), transfer.nonce + 1n);
  evm.finish(second);
  evm.forget();
  evm.attach(first);
  evm.useFork('prague', 11n);
  assert.deepEqual([answer(), evm.nonceOf(sender)], [11, transfer.nonce]);
});

test('the example of the README is what runs, and says what it says', () => {
  const path = fileURLToPath(new URL('example.ts', import.meta.url));
  const readme = readFileSync(new URL('../README.md', import.meta.url), 'utf8');
  assert.ok(readme.includes(readFileSync(path, 'utf8').trim()));
  const output = execFileSync(process.execPath, [path], { encoding: 'utf8' });
  assert.equal(output, '1 1 1\nsuccess 2\n2n\n');
});
