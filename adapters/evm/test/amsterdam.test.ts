import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { decodeAccount, type EvmTransaction } from '../index.ts';
import { BothEngines, type Ending } from './both-engines.ts';
import { deploying, type Piece, program, push, returnTop } from './bytecode.ts';
import { addressOf, contract, keccak256, Scene, sender, toHex, wordOf } from './scene.ts';

// What the EIPs of Amsterdam say, one by one; the reference must say the same.

/** What a call of a contract costs before it runs: EIP-2780. */
const callGas = 15_000;
/** 64, 120 and 23 bytes of state (EIP-8037). */
const slotGas = 97_920;
const accountGas = 183_600;
const delegationGas = 35_190;
const living = addressOf(0x11);
const dead = addressOf(0xdd);

function world(block = {}): BothEngines {
  const engines = new BothEngines('amsterdam', block);
  engines.place(living, { nonce: 1n });
  return engines;
}

/** Runs a contract by both engines. */
function running(
  pieces: readonly Piece[],
  fields: Partial<EvmTransaction> = {},
  account = {},
): Promise<Ending> {
  const engines = world();
  engines.place(contract, { code: program(...pieces), nonce: 1n, balance: 100n, ...account });
  return engines.run(fields);
}

const hex = (bytes: Uint8Array): string => toHex(bytes).padStart(64, '0');
const transferTopic = toHex(keccak256(Buffer.from('Transfer(address,address,uint256)')));
const transferLog = (from: Uint8Array, to: Uint8Array, value: bigint): string[] => [
  `${'ff'.repeat(19)}fe`,
  transferTopic,
  hex(from),
  hex(to),
  value.toString(16).padStart(64, '0'),
];

/** The record of an account after a transaction. */
function recordAfter({ changes = [] }: Ending, address: Uint8Array) {
  const [, record] = changes.find(([key]) => key === `account ${toHex(address)}`) ?? [];
  return record === undefined ? undefined : decodeAccount(Buffer.from(record, 'hex'));
}

describe('the price of a transaction', () => {
  test('is that of what it does to the sender and the recipient (EIP-2780)', async () => {
    const engines = world();
    const cases: [Partial<EvmTransaction>, number][] = [
      [{ to: sender }, 12_000],
      [{ to: sender, value: 1n }, 12_000],
      [{ to: living }, 15_000],
      [{ to: living, value: 1n }, 21_000],
      [{ to: dead }, 15_000],
      [{ to: dead, value: 1n }, 21_000 + accountGas],
      [{ to: undefined as never }, 24_000 + accountGas],
      [{ to: undefined as never, value: 1n }, 24_000 + accountGas],
    ];
    for (const [fields, gas] of cases) {
      const { gasUsed, status } = await engines.run(fields);
      assert.deepEqual([gasUsed, status], [gas, 1]);
    }
  });

  test('is at least 64 a byte, zero or not (EIP-7976)', async () => {
    const engines = world();
    for (const byte of [0, 1]) {
      const data = new Uint8Array(1_000).fill(byte);
      const { gasUsed } = await engines.run({ to: living, data });
      assert.equal(gasUsed, 15_000 + 64_000);
    }
  });

  test('counts the bytes of an access list as data (EIP-7981, 8038)', async () => {
    const accessList = [
      { address: living, storageKeys: [new Uint8Array(32), Buffer.alloc(32, 1)] },
    ];
    const { gasUsed } = await world().run({ to: living, accessList });
    assert.equal(gasUsed, 15_000 + 2_900 + 2 * 2_000 + 64 * (20 + 2 * 32));
  });

  test('has room for state beyond the limit of regular gas (EIP-7825, 8037)', async () => {
    const engines = world({ gasLimit: 60_000_000 });
    const { gasUsed } = await engines.run({ to: living, gasLimit: 50_000_000n });
    assert.equal(gasUsed, 15_000);
    const data = new Uint8Array(262_000);
    const { refused } = await engines.run({ to: living, data, gasLimit: 50_000_000n });
    assert.equal(refused, 'GAS_LIMIT_TOO_HIGH');
  });
});

describe('the operations of EIP-8024', () => {
  const cases: [string, string, readonly bigint[] | undefined][] = [
    ['DUPN 17', `60016000${'80'.repeat(15)}e680`, [1n, ...Array(16).fill(0n), 1n]],
    ['SWAPN 17', `60016000${'80'.repeat(15)}6002e780`, [1n, ...Array(16).fill(0n), 2n]],
    ['EXCHANGE 1 2', '600060016002e88e', [2n, 0n, 1n]],
    ['DUPN with the byte of a JUMPDEST', 'e65b', undefined],
    ['SWAPN with the byte of a PUSH', '6001e760', undefined],
    ['EXCHANGE with the byte of a PUSH', '600160016001e87f', undefined],
    ['DUPN on a stack too short', `${'6000'.repeat(16)}e680`, undefined],
    ['a jump to the JUMPDEST behind DUPN', '600456e65b6009', [9n]],
  ];
  for (const [name, code, stack] of cases) {
    test(`${name} does what the EIP says`, async () => {
      // What is on the stack is returned, its top first.
      const stores = (stack ?? []).map((_, i) => program(push(BigInt(32 * i), 2), 'MSTORE'));
      const end = program(...stores, 'MSIZE PUSH0 RETURN');
      const ending = await running([Buffer.from(code, 'hex'), end]);
      assert.equal(ending.status, stack === undefined ? 0 : 1);
      const words = (stack ?? []).map((word) => word.toString(16).padStart(64, '0'));
      assert.equal(ending.output, words.join(''));
    });
  }

  test('overflow is seen', async () => {
    const full = Array.from({ length: 1_024 }, () => 'PUSH0');
    const { error } = await running([...full, Uint8Array.of(0xe6, 0x80)]);
    assert.equal(error, 'stack overflow');
  });

  test('do not exist in Osaka', () => {
    const { status } = new Scene('osaka').call({}, Uint8Array.of(0x5f, 0x5f, 0x5f, 0xe8, 0x8e));
    assert.equal(status, 'error');
  });
});

test('SLOTNUM gives the slot of the block (EIP-7843)', async () => {
  for (const slotNumber of [undefined, 12_345]) {
    const engines = world(slotNumber === undefined ? {} : { slotNumber });
    engines.place(contract, { code: program(Uint8Array.of(0x4b), returnTop()), nonce: 1n });
    const { output, gasUsed } = await engines.run({});
    assert.equal(BigInt(`0x${output}`), BigInt(slotNumber ?? 0));
    assert.equal(gasUsed, callGas + 2 + 2 + 6 + 3 + 2);
  }
});

describe('code', () => {
  const engines = world({ gasLimit: 300_000_000 });
  const creation = (length: number): Partial<EvmTransaction> => ({
    to: undefined as never,
    // Returns zeros.
    data: program(push(BigInt(length), 3), 'PUSH0 RETURN'),
    gasLimit: 200_000_000n,
  });

  test('has up to 65,536 bytes, each paid as state (EIP-7954, 8037)', async () => {
    const { status, blockGas } = await engines.run(creation(65_536));
    assert.equal(status, 1);
    assert.equal(blockGas?.state, accountGas + 65_536 * 1_530);
    const { status: failed, blockGas: counted } = await engines.run(creation(65_537));
    assert.deepEqual([failed, counted?.state], [0, 0]);
  });

  test('is made by init code of up to 131,072 bytes (EIP-7954)', async () => {
    const init = (length: number) => ({ ...creation(0), data: new Uint8Array(length) });
    assert.equal((await engines.run(init(131_072))).status, 1);
    assert.equal((await engines.run(init(131_073))).refused, 'INITCODE_TOO_LARGE');
    // Before anything is paid, so that state gas is left.
    const create = (length: number) => program(push(BigInt(length), 3), 'PUSH0 PUSH0 CREATE');
    assert.equal((await running([create(131_072)])).status, 1);
    assert.match((await running([create(131_073)])).error ?? '', /initcode exceeds/);
  });
});

describe('value that moves is logged (EIP-7708)', () => {
  const send = (to: Uint8Array, value: bigint): Uint8Array =>
    program('PUSH0 PUSH0 PUSH0 PUSH0', value, wordOf(to), 'GAS CALL POP');

  test('from sender to recipient, before what the recipient logs', async () => {
    const own = [toHex(contract), ''];
    const { logs } = await running(['PUSH0 PUSH0 LOG0', send(living, 3n)], { value: 2n });
    const inner = transferLog(contract, living, 3n);
    assert.deepEqual(logs, [transferLog(sender, contract, 2n), own, inner]);
  });

  test('but not to oneself, not without value, and not when it is undone', async () => {
    assert.deepEqual((await running([send(contract, 3n), send(living, 0n)])).logs, []);
    assert.deepEqual((await running([send(living, 3n), 'PUSH0 PUSH0 REVERT'])).logs, []);
    const delegated = program('PUSH0 PUSH0 PUSH0 PUSH0', 5n, wordOf(living), 'GAS CALLCODE POP');
    assert.deepEqual((await running([delegated])).logs, []);
  });

  test('to what is created and to the heir of what is destroyed', async () => {
    const engines = world();
    const ending = await engines.run({ to: undefined as never, value: 4n });
    const made = Buffer.from(ending.created as string, 'hex');
    assert.deepEqual(ending.logs, [transferLog(sender, made, 4n)]);
    const { logs } = await running([wordOf(living), 'SELFDESTRUCT']);
    assert.deepEqual(logs, [transferLog(contract, living, 100n)]);
    assert.deepEqual((await running(['ADDRESS SELFDESTRUCT'])).logs, []);
  });
});

describe('access to state (EIP-8038)', () => {
  const cases: [string, Piece[], number][] = [
    ['BALANCE of a cold account', [wordOf(dead), 'BALANCE POP'], 3 + 3_000 + 2],
    ['EXTCODESIZE, which reads code too', [wordOf(dead), 'EXTCODESIZE POP'], 3 + 3_100 + 2],
    ['EXTCODEHASH, which does not', [wordOf(dead), 'EXTCODEHASH POP'], 3 + 3_000 + 2],
    ['SLOAD of a cold slot', [7n, 'SLOAD POP'], 3 + 2_100 + 2],
    ['SSTORE of what is there', [5n, 1n, 'SSTORE'], 6 + 2_100],
    ['SSTORE of another value', [6n, 1n, 'SSTORE'], 6 + 2_100 + 10_000],
    ['SSTORE of that once more', [6n, 1n, 'SSTORE', 7n, 1n, 'SSTORE'], 12 + 2_200 + 10_000],
    [
      'a call with value',
      ['PUSH0 PUSH0 PUSH0 PUSH0', 1n, wordOf(living), 'PUSH0 CALL POP'],
      8 + 6 + 2 + 2 + 3_000 + 11_300 - 2_300,
    ],
    ['SELFDESTRUCT for a living account', [wordOf(living), 'SELFDESTRUCT'], 3 + 5_000 + 3_000],
    [
      'SELFDESTRUCT for a dead one',
      [wordOf(dead), 'SELFDESTRUCT'],
      3 + 5_000 + 3_000 + 9_000 + accountGas,
    ],
  ];
  for (const [name, pieces, gas] of cases) {
    test(`costs what it says: ${name}`, async () => {
      const { gasUsed, status } = await running(pieces, {}, { storage: { 1: 5n } });
      assert.deepEqual([gasUsed, status], [callGas + gas, 1]);
    });
  }

  test('gives back the write of what is restored, and more for what is cleared', async () => {
    const storage = { 1: 5n };
    const restored = await running([6n, 1n, 'SSTORE', 5n, 1n, 'SSTORE'], {}, { storage });
    const spent = callGas + 12 + 2_200 + 10_000;
    assert.equal(restored.gasUsed, spent - Math.floor(spent / 5));
    // The block counts it without refunds (EIP-7778).
    assert.deepEqual(restored.blockGas, { regular: spent, state: 0 });
    const filler = Array.from({ length: 400 }, () => program(wordOf(living), 'BALANCE POP'));
    const cleared = await running([...filler, 'PUSH0', 1n, 'SSTORE'], {}, { storage });
    assert.equal((cleared.blockGas?.regular ?? 0) - (cleared.gasUsed ?? 0), 11_616);
  });
});

describe('state gas (EIP-8037)', () => {
  const set = (slot: bigint): Uint8Array => program(1n, slot, 'SSTORE');
  const clear = (slot: bigint): Uint8Array => program('PUSH0', slot, 'SSTORE');

  test('is paid for a new slot and counted apart', async () => {
    const { gasUsed, blockGas } = await running([set(1n)]);
    const regular = callGas + 6 + 2_100 + 10_000;
    assert.deepEqual([gasUsed, blockGas], [regular + slotGas, { regular, state: slotGas }]);
  });

  test('comes back for a slot that is cleared again', async () => {
    const { blockGas } = await running([set(1n), clear(1n), set(2n)]);
    assert.equal(blockGas?.state, slotGas);
  });

  test('is taken from what is beyond the regular limit, which GAS does not see', async () => {
    const gasLimit = 16_777_216n + 200_000n;
    const { output, gasUsed } = await running([set(1n), 'GAS', returnTop()], { gasLimit });
    const left = 16_777_216 - callGas - 6 - 2_100 - 10_000 - 2;
    assert.equal(BigInt(`0x${output}`), BigInt(left));
    assert.equal(gasUsed, callGas + 6 + 2_100 + 10_000 + slotGas + 2 + 2 + 6 + 3 + 2);
  });

  test('is not lost by what fails', async () => {
    for (const gasLimit of [1_000_000n, 16_777_216n + 200_000n]) {
      const reverted = await running([set(1n), 'PUSH0 PUSH0 REVERT'], { gasLimit });
      assert.deepEqual(
        [reverted.gasUsed, reverted.blockGas?.state],
        [callGas + 6 + 2_100 + 10_000 + 4, 0],
      );
    }
    const halted = await running([set(1n), 'INVALID'], { gasLimit: 16_777_216n + 200_000n });
    assert.deepEqual(halted.blockGas, { regular: 16_777_216, state: 0 });
    assert.equal(halted.gasUsed, 16_777_216);
  });

  test('is paid for the account that a call or creation makes, and only if it does', async () => {
    const call = (gas: bigint): Uint8Array =>
      program('PUSH0 PUSH0 PUSH0 PUSH0', 1n, wordOf(dead), gas, 'CALL POP');
    assert.equal((await running([call(0n)])).blockGas?.state, accountGas);
    assert.equal((await running([call(0n)], {}, { balance: 0n })).blockGas?.state, 0);
    const create = (code: Uint8Array): Uint8Array =>
      program(
        push(wordOf(code) << BigInt(8 * (32 - code.length)), 32),
        program('PUSH0 MSTORE', BigInt(code.length), 'PUSH0 PUSH0 CREATE POP'),
      );
    assert.equal((await running([create(program('STOP'))])).blockGas?.state, accountGas);
    assert.equal((await running([create(program('INVALID'))])).blockGas?.state, 0);
    const three = deploying(program('PUSH0 PUSH0 STOP'));
    assert.equal((await running([create(three)])).blockGas?.state, accountGas + 3 * 1_530);
  });

  test('is taken when a call has got its part, which then may be more than is left', async () => {
    const endings = new Set<number | undefined>();
    // ECRECOVER takes 3,000 gas and is an account that is not there yet.
    const code = program('PUSH0 PUSH0 PUSH0 PUSH0', 1n, 1n, 'GAS CALL POP');
    const needed = callGas + 8 + 6 + 2 + 11_300 + 100 - 2_300 + 3_000 + 2 + accountGas;
    for (let gasLimit = needed - 3_100; gasLimit < needed + 3_100; gasLimit += 50) {
      const { status } = await running([code], { gasLimit: BigInt(gasLimit) });
      endings.add(status);
      if (gasLimit < needed - 3_000) assert.equal(status, 0, `${gasLimit}`);
      if (gasLimit > needed + 3_000) assert.equal(status, 1, `${gasLimit}`);
    }
    assert.equal(endings.size, 2);
  });

  test('is lost with a call that cannot pay for the account it would make', async () => {
    const many = Array.from({ length: 3 }, (_, i) =>
      program('PUSH0 PUSH0 PUSH0 PUSH0', 1n, wordOf(addressOf(0xd0 + i)), 'GAS CALL POP'),
    );
    const burn = program(push(10_500n, 2), 'JUMPDEST', 1n, 'SWAP1 SUB DUP1', push(3n, 1), 'JUMPI');
    for (const gasLimit of [16_777_216n + 100_000n, 16_777_216n + 400_000n, 17_800_000n]) {
      await running([burn, ...many], { gasLimit });
      await running([...many, 'INVALID'], { gasLimit });
    }
  });
});

test('what an overdrawn call leaves of the reservoir depends on why all ends', async () => {
  const engines = world();
  const ask = (to: Uint8Array, gas: Piece, value = 'PUSH0'): Uint8Array =>
    program('PUSH0 PUSH0 PUSH0 PUSH0', value, wordOf(to), gas, 'CALL POP');
  const [overdrawn, burner] = [addressOf(0xc7), addressOf(0xc8)];
  engines.place(overdrawn, { code: ask(dead, 'GAS', 'GAS'), nonce: 1n, balance: 10n ** 9n });
  engines.place(burner, { code: program('INVALID'), nonce: 1n });
  const reserve = 100_000;
  const endings: [string, Uint8Array, boolean][] = [
    ['out of gas', program('PUSH0 PUSH0 PUSH0 CREATE'), true],
    ['initcode exceeds max initcode size', program(200_000n, 'PUSH0 PUSH0 CREATE'), false],
    ['stack underflow', program('PUSH0 PUSH0 CREATE'), false],
    ['stack underflow', program('PUSH0 CREATE2'), false],
    ['invalid opcode', program('INVALID'), false],
  ];
  for (const [error, end, takesAll] of endings) {
    // So little is left that no creation could be paid.
    const burn = program(ask(burner, 'GAS'), ask(burner, 'GAS'));
    const code = program(ask(overdrawn, 20_000n), burn, end);
    engines.place(contract, { code, nonce: 1n });
    const ending = await engines.run({ gasLimit: BigInt(16_777_216 + reserve) }, error);
    assert.equal(ending.error, error);
    assert.equal(ending.gasUsed, 16_777_216 + (takesAll ? reserve : 0));
  }
});

describe('a delegation', () => {
  const authority = addressOf(0x77);
  const entry = (fields = {}) => ({
    chainId: 0n,
    address: living,
    nonce: 0n,
    authority,
    ...fields,
  });

  test('is paid when it is written, to an account and a designator if they are new', () => {
    const gasOf = (list: ReturnType<typeof entry>[], account?: object): number => {
      const scene = new Scene('amsterdam');
      scene.place(living, { nonce: 1n });
      if (account !== undefined) scene.place(authority, account);
      const { gasUsed } = scene.execute({ type: 4, to: living, authorizationList: list });
      return gasUsed - 15_000 - 7_816 * list.length;
    };
    const [write, code] = [9_000, delegationGas];
    assert.equal(gasOf([entry()]), write + code + accountGas);
    assert.equal(gasOf([entry()], { balance: 1n }), write + code);
    const old = Uint8Array.of(0xef, 1, 0, ...addressOf(0x78));
    assert.equal(gasOf([entry()], { code: old }), write);
    assert.equal(gasOf([entry({ address: new Uint8Array(20) })], { balance: 1n }), write);
    assert.equal(gasOf([entry(), entry({ nonce: 1n })], { balance: 1n }), write + code);
    const taken = entry({ nonce: 1n, address: new Uint8Array(20) });
    const again = [entry(), taken, entry({ nonce: 2n })];
    assert.equal(gasOf(again, { balance: 1n }), write + code);
    assert.equal(gasOf([entry({ nonce: 9n })], { balance: 1n }), 0);
  });

  test('is not there when what precedes the message cannot be paid', () => {
    const scene = new Scene('amsterdam');
    const fields = { type: 4, to: dead, value: 1n, authorizationList: [entry()] } as const;
    const intrinsic = 21_000 + 7_816;
    const whole = intrinsic + 9_000 + delegationGas + 2 * accountGas;
    for (const gasLimit of [intrinsic, intrinsic + 9_000, whole - 1]) {
      const { status, gasUsed } = scene.execute({ ...fields, gasLimit: BigInt(gasLimit) });
      assert.deepEqual([status, gasUsed], [0, gasLimit]);
      assert.equal(scene.evm.account(authority).exists, false);
      scene.evm.abandon();
    }
    const { status } = scene.execute({ ...fields, gasLimit: BigInt(whole) });
    assert.equal(status, 1);
    assert.equal(scene.evm.account(authority).nonce, 1n);
  });

  test('costs the sender of a message to it the access to whom it names', async () => {
    const engines = world();
    engines.place(authority, { code: Uint8Array.of(0xef, 1, 0, ...living), nonce: 1n });
    assert.equal((await engines.run({ to: authority })).gasUsed, 18_000);
    const accessList = [{ address: living, storageKeys: [] }];
    const warm = await engines.run({ to: authority, accessList });
    assert.equal(warm.gasUsed, 15_000 + 2_900 + 64 * 20 + 100);
  });
});

test('a contract that destroys itself where it was made keeps its balance (EIP-8246)', async () => {
  const engines = world();
  const store = program(1n, 1n, 'SSTORE');
  const toItself = program(store, 'ADDRESS SELFDESTRUCT');
  const ending = await engines.run({ to: undefined as never, value: 9n, data: toItself });
  const made = Buffer.from(ending.created as string, 'hex');
  const { balance, nonce, hasStorage, exists } = recordAfter(ending, made) ?? {};
  assert.deepEqual([exists, balance, nonce, hasStorage], [true, 9n, 0n, false]);
  const poor = await engines.run({ to: undefined as never, data: toItself });
  const gone = recordAfter(poor, Buffer.from(poor.created as string, 'hex'));
  assert.equal(gone?.exists ?? false, false);
});
