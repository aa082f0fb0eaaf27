import assert from 'node:assert/strict';
import { test } from 'node:test';
import { toWord } from '../index.ts';
import { BothEngines } from './both-engines.ts';
import { type Piece, program, push } from './bytecode.ts';
import { mask256, randomFrom } from './corner-words.ts';
import { addressOf, block, contract, keccak256, sender, wordOf } from './scene.ts';

// Contracts that come and go: collisions, self-destruction, and what each leaves for the transactions
// that follow. Several transactions in a row, each compared with the reference.

const zero = push(0n, 1);
const legacy = { type: 0, maxFeePerGas: 10n, maxPriorityFeePerGas: 10n } as const;
const gasLimit = 5_000_000n;

const fieldsOf = (fork: string) => ({
  gasLimit,
  ...(['constantinople', 'istanbul', 'berlin'].includes(fork) ? legacy : {}),
});

/** Address that CREATE2 of the factory gives. */
function saltedAddress(initCode: Uint8Array, salt = 0n): Uint8Array {
  const preimage = [Uint8Array.of(0xff), contract, toWord(salt), keccak256(initCode)];
  return keccak256(Buffer.concat(preimage)).subarray(12);
}

/** Makes a contract of the init code in the call data, with the value sent, and answers its address. */
const factory = program(
  program(
    'CALLDATASIZE',
    zero,
    zero,
    'CALLDATACOPY',
    zero,
    'CALLDATASIZE',
    zero,
    'CALLVALUE CREATE2',
  ),
  program(zero, 'MSTORE', push(32n), zero, 'RETURN'),
);

/** Makes it twice, and answers both addresses. */
const twice = program(
  program('CALLDATASIZE', zero, zero, 'CALLDATACOPY', zero, 'CALLDATASIZE', zero, zero, 'CREATE2'),
  program(zero, 'CALLDATASIZE', zero, zero, 'CREATE2', zero, 'MSTORE', push(32n), 'MSTORE'),
  program(push(64n), zero, 'RETURN'),
);

/** Counts its calls in slot 1; destroys itself for the beneficiary when it gets call data. */
const mortal = (beneficiary: bigint): Uint8Array => {
  const count = program(push(1n), 'DUP1 SLOAD ADD', push(1n), 'SSTORE STOP');
  const destroyed = 4 + count.length;
  return program(
    program('CALLDATASIZE', push(BigInt(destroyed), 1), 'JUMPI'),
    program(count, 'JUMPDEST', push(beneficiary, 20), 'SELFDESTRUCT'),
  );
};

function scene(fork: string, code: Uint8Array = factory): BothEngines {
  const engines = new BothEngines(fork);
  engines.place(contract, { code, nonce: 1n, balance: 1_000n });
  return engines;
}

const early = ['constantinople', 'istanbul', 'berlin', 'london'];
const forks = [...early, 'shanghai', 'cancun', 'osaka', 'amsterdam'];

for (const fork of forks) {
  test(`contracts made, destroyed and made again end alike under ${fork}`, async () => {
    const heirs = [sender, contract, block.coinbase, addressOf(0xdd), addressOf(0).with(19, 2)];
    for (const heir of heirs) {
      const initCode = deployingAnywhere(mortal(wordOf(heir)));
      const made = saltedAddress(initCode);
      const own = deployingAnywhere(mortal(wordOf(made)));
      const kill = Uint8Array.of(1);
      const fields = fieldsOf(fork);
      const create = { ...fields, data: initCode, value: 5n };
      const use = { ...fields, to: made };
      const destroy = { ...use, data: kill, value: 3n };
      const endings = await scene(fork).sequence([
        create,
        create,
        use,
        use,
        destroy,
        use,
        create,
        use,
        destroy,
        destroy,
        { ...fields, data: own },
      ]);
      assert.equal(wordOf(Buffer.from(endings[0]?.output ?? '', 'hex')), wordOf(made));
      assert.equal(wordOf(Buffer.from(endings[1]?.output ?? '', 'hex')), 0n, 'a collision');
    }
  });

  test(`two creations at one address collide within a transaction under ${fork}`, async () => {
    const ends: readonly Uint8Array[] = [
      deployingAnywhere(program('STOP')),
      program('STOP'),
      program(zero, zero, 'REVERT'),
      program('INVALID'),
      program('ADDRESS SELFDESTRUCT'),
      program('CALLER SELFDESTRUCT'),
      program(push(7n), zero, 'SSTORE', zero, zero, 'REVERT'),
      program(push(7n), zero, 'SSTORE CALLER SELFDESTRUCT'),
    ];
    for (const [i, initCode] of ends.entries()) {
      const call = { ...fieldsOf(fork), data: initCode };
      await scene(fork, twice).sequence([call, call, call], `init code ${i}`);
    }
  });

  test(`creations where something is already end alike under ${fork}`, async () => {
    const initCode = deployingAnywhere(program(push(9n), zero, 'SSTORE STOP'));
    const at = saltedAddress(initCode);
    for (const already of [
      { balance: 7n },
      { nonce: 1n },
      { code: program('STOP') },
      { storage: { 0: 5n } },
      { storage: { 0: 5n }, balance: 1n },
      { nonce: 0n, balance: 0n },
    ]) {
      const engines = scene(fork);
      engines.place(at, already);
      const create = { ...fieldsOf(fork), data: initCode, value: 2n };
      const label = Object.keys(already).join();
      await engines.sequence([create, { ...fieldsOf(fork), to: at }, create], label);
      await engines.survive(create, label);
    }
  });
}

/** Init code with pushes that every fork has. */
function deployingAnywhere(code: Uint8Array): Uint8Array {
  const length = push(BigInt(code.length), 3);
  const head = (at: bigint) =>
    program(length, push(at, 1), zero, 'CODECOPY', length, zero, 'RETURN');
  return Buffer.concat([head(BigInt(head(0n).length)), code]);
}

test('self-destruction in reverted, static, delegated and creating frames ends alike', async () => {
  const other = addressOf(0xdd);
  const call = (name: string, value = 0n): Uint8Array => {
    const valued = name === 'CALL' || name === 'CALLCODE';
    return program(
      zero,
      zero,
      zero,
      zero,
      ...(valued ? [push(value, 1)] : []),
      wordOf(other),
      'GAS',
      name,
    );
  };
  const destroys = program(wordOf(addressOf(0xde)), 'SELFDESTRUCT');
  const outers: Readonly<Record<string, Uint8Array>> = {
    reverted: program(call('CALL', 5n), zero, zero, 'REVERT'),
    failed: program(call('CALL', 5n), 'INVALID'),
    static: program(call('STATICCALL'), zero, 'SSTORE'),
    delegated: program(call('DELEGATECALL'), zero, 'SSTORE'),
    callcode: program(call('CALLCODE', 1n), zero, 'SSTORE'),
    twice: program(call('CALL', 1n), call('CALL', 2n), 'ADD', zero, 'SSTORE'),
    'and read': program(call('CALL', 1n), wordOf(other), 'EXTCODESIZE', zero, 'SSTORE'),
    'and paid': program(
      call('CALL', 1n),
      call('CALL', 9n),
      wordOf(other),
      'BALANCE',
      zero,
      'SSTORE',
    ),
  };
  for (const fork of ['istanbul', 'berlin', 'shanghai', 'cancun', 'osaka', 'amsterdam']) {
    for (const [name, code] of Object.entries(outers)) {
      const engines = scene(fork, code);
      engines.place(other, { code: destroys, nonce: 1n, balance: 50n, storage: { 0: 1n } });
      const fields = fieldsOf(fork);
      await engines.sequence([fields, fields, { ...fields, to: other }], `${name} ${fork}`);
      await engines.survive(fields, `${name} ${fork}`);
    }
  }
});

/** Repeats pieces while a counter on the stack runs down. */
function loop(times: number, ...pieces: readonly Piece[]): Uint8Array {
  const start = push(BigInt(times), 3);
  const body = program('JUMPDEST', ...pieces, 1n, 'SWAP1 SUB DUP1', push(BigInt(start.length), 1));
  return program(start, body, 'JUMPI');
}

/** As long as gas lasts: what costs the engine more than it costs the sender. */
const floods: Readonly<Record<string, Uint8Array>> = {
  'balances of thousands of accounts': loop(5_000, 'DUP1 BALANCE POP'),
  'thousands of cold slots': loop(6_000, 'DUP1 SLOAD POP'),
  'slots written': loop(600, 'DUP1 DUP1 SSTORE'),
  'slots written and reverted': program(loop(600, 'DUP1 DUP1 SSTORE'), 'PUSH0 PUSH0 REVERT'),
  'slots written and taken back by failure': program(loop(600, 'DUP1 DUP1 SSTORE'), 'INVALID'),
  'transient slots': loop(8_000, 'DUP1 DUP1 TSTORE DUP1 TLOAD POP'),
  'transient slots reverted': program(loop(8_000, 'DUP1 DUP1 TSTORE'), 'PUSH0 PUSH0 REVERT'),
  'empty logs': loop(8_000, 'PUSH0 PUSH0 LOG0'),
  'logs of a kilobyte': loop(1_500, 'DUP1 DUP1 DUP1 DUP1', 1_024n, 'PUSH0 LOG4'),
  creations: loop(400, 'PUSH0 PUSH0 PUSH0 CREATE POP'),
  'creations that destroy themselves': loop(
    300,
    push(wordOf(program('ADDRESS SELFDESTRUCT')), 2),
    'PUSH0 MSTORE',
    ...[2n, 30n, 1n, 'CREATE POP'],
  ),
  'value to new accounts': loop(
    400,
    'PUSH0 PUSH0 PUSH0 PUSH0',
    1n,
    'DUP6',
    1_000n,
    'ADD GAS CALL POP',
  ),
  'calls of the identity with 64 KB': loop(
    300,
    'PUSH0 PUSH0',
    65_536n,
    'PUSH0',
    4n,
    'GAS STATICCALL POP',
  ),
  'hashes of 64 KB': loop(100, 65_536n, 'PUSH0 KECCAK256 POP'),
  'code of others copied': loop(60, 24_576n, 'PUSH0 PUSH0 DUP4 EXTCODECOPY'),
  'powers of full width': loop(1_000, push(mask256, 32), push(mask256 - 2n, 32), 'EXP POP'),
};

for (const [name, code] of Object.entries(floods)) {
  test(`a flood of ${name} ends as the reference ends it`, async () => {
    const engines = new BothEngines('prague');
    engines.place(contract, { code, nonce: 1n, balance: 10_000n });
    const { status } = await engines.survive({ gasLimit: 16_000_000n }, name);
    assert.equal(status, /revert|failure/.test(name) ? 0 : 1, 'it comes to its end');
    await engines.survive({ gasLimit: 1_000_000n }, `${name} with little gas`);
    await engines.sequence([{ gasLimit: 3_000_000n }, { gasLimit: 16_000_000n }, {}], name);
  });
}

test('delegations in a circle, to themselves, to precompiles and to nothing end alike', async () => {
  const delegate = (to: Uint8Array): Uint8Array => Buffer.concat([Uint8Array.of(0xef, 1, 0), to]);
  const [a, b] = [addressOf(0xd1), addressOf(0xd2)];
  const identity = addressOf(0).with(19, 4);
  for (const target of [a, b, contract, identity, addressOf(0xd9), sender]) {
    const engines = new BothEngines('osaka');
    const call = program('PUSH0 PUSH0', 32n, 'PUSH0 PUSH0', wordOf(a), 'GAS CALL PUSH0 SSTORE');
    const ask = program(
      wordOf(a),
      'EXTCODESIZE',
      1n,
      'SSTORE',
      wordOf(a),
      'EXTCODEHASH',
      2n,
      'SSTORE',
    );
    engines.place(a, { code: delegate(target), nonce: 1n, balance: 5n });
    engines.place(b, { code: delegate(a), nonce: 1n });
    engines.place(contract, { code: program(call, ask), nonce: 1n });
    for (const to of [contract, a, b]) {
      const label = `${Buffer.from(target).toString('hex')} by ${Buffer.from(to).toString('hex')}`;
      await engines.survive({ to, gasLimit: 1_000_000n, value: 1n }, label);
      await engines.sequence([{ to }, { to: contract }, { to: b, value: 2n }], label);
    }
  }
});

test('bytes at random as code, as init code and as call data end alike', async () => {
  const random = randomFrom(99);
  const bytes = (length: number) => Uint8Array.from({ length }, () => Math.floor(random() * 256));
  for (const fork of ['istanbul', 'shanghai', 'osaka', 'amsterdam']) {
    const engines = new BothEngines(fork);
    for (let i = 0; i < 150; i++) {
      const filled = Array.from({ length: 12 }, () => push(BigInt(Math.floor(random() * 300))));
      const anywhere = filled.map((piece) => (piece.length === 1 ? zero : piece));
      const code = Buffer.concat([...anywhere, bytes(40)]);
      engines.place(contract, { code, nonce: 1n, balance: 9n });
      const fields = { ...fieldsOf(fork), gasLimit: 200_000n };
      await engines.run({ ...fields, data: bytes(50) }, `${fork} ${code.toString('hex')}`);
      await engines.run({ ...fields, to: undefined as never, data: code }, code.toString('hex'));
    }
  }
});
