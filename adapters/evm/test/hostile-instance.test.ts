import assert from 'node:assert/strict';
import { test } from 'node:test';
import { forkOf } from '../fork.ts';
import { type BlockEnvironment, createEvm, EvmError, MemoryHost } from '../index.ts';
import { precompilesOf } from '../precompiles.ts';
import { BothEngines } from './both-engines.ts';
import { type Piece, program, push, returnTop } from './bytecode.ts';
import { randomFrom } from './corner-words.ts';
import { addressOf, contract, place, block as plainBlock, sender, transactionOf } from './scene.ts';

// What a contract may try against the instance that runs it: to have it ask the host for ever, to
// make it keep memory, to stop it, and to read what lay in memory before.

const wide: BlockEnvironment = { ...plainBlock, gasLimit: 2 ** 52 };
const boundless = 10n ** 14n;

function engine(code: Uint8Array, fork = 'prague') {
  const host = new MemoryHost();
  place(host, sender, { balance: 10n ** 24n });
  place(host, contract, { code, nonce: 1n, balance: 10n ** 6n });
  return { host, evm: createEvm({ fork, chainId: 1_337n, host }) };
}

const word = (value: bigint): Uint8Array =>
  Buffer.from(value.toString(16).padStart(64, '0'), 'hex');

test('a creation may use the last nonce there is, and no one after it does anything', async () => {
  for (const fork of ['byzantium', 'prague']) {
    const legacy = { type: 0, maxFeePerGas: 10n, maxPriorityFeePerGas: 10n } as const;
    const creation = { ...legacy, data: program(push(0n, 1), push(0n, 1), 'RETURN') };
    const nonce = 2n ** 64n - 2n;
    const engines = new BothEngines(fork);
    engines.place(sender, { balance: 10n ** 24n, nonce });
    const ending = await engines.run({ ...creation, nonce, to: undefined as never });
    assert.equal(ending.status, 1);
    engines.place(sender, { balance: 10n ** 24n, nonce: nonce + 1n });
    const refused = engines.byOwn({ ...legacy, nonce: nonce + 1n });
    assert.equal(refused.refused, 'NONCE_TOO_HIGH');
  }
});

test('powers with short exponents and modulo short numbers are right', () => {
  const random = randomFrom(5);
  const some = (length: number): Buffer =>
    Buffer.from(Uint8Array.from({ length }, () => (random() < 0.2 ? 0 : random() * 256)));
  const upTo = (most: number): number => Math.floor(random() * (most + 1));
  const numberOf = (bytes: Buffer): bigint => BigInt(`0x0${bytes.toString('hex')}`);
  const modexp = precompilesOf(forkOf('prague').revision).get(5)!;
  for (let i = 0; i < 3_000; i++) {
    const operands = [
      some(upTo(40)),
      some(upTo(i % 2 === 0 ? 1 : 40)),
      some(upTo(i % 3 ? 1 : 270)),
    ];
    const [base, exponent, modulus] = operands.map(numberOf) as [bigint, bigint, bigint];
    let wanted = modulus === 0n ? 0n : 1n % modulus;
    for (const bit of exponent.toString(2)) {
      if (modulus === 0n) break;
      wanted = (wanted * wanted) % modulus;
      if (bit === '1') wanted = (wanted * base) % modulus;
    }
    const lengths = operands.map(({ length }) => word(BigInt(length)));
    const output = modexp.run(Buffer.concat([...lengths, ...operands]))!;
    assert.equal(output.length, operands[2]!.length);
    assert.equal(numberOf(Buffer.from(output)), wanted, `${base} ** ${exponent} mod ${modulus}`);
  }
});

const loop = (...body: readonly Piece[]) => program('JUMPDEST', ...body, 'PUSH0 JUMP');

test('a block hash is asked of the host once a block, however often a contract reads it', () => {
  const { evm } = engine(loop('NUMBER', 1n, 'SWAP1 SUB BLOCKHASH POP', 900n, 'BLOCKHASH POP'));
  const asked: bigint[] = [];
  const block = (number: number): BlockEnvironment => ({
    ...plainBlock,
    number,
    blockHash: (wanted) => {
      asked.push(wanted);
      return wanted;
    },
  });
  for (const number of [1_000, 1_001]) {
    evm.execute(transactionOf({ gasLimit: 5_000_000n }), block(number));
    evm.abandon();
  }
  assert.deepEqual(asked, [999n, 900n, 1_000n, 900n]);
});

test('a block hash is that of the block it is read in', () => {
  const { evm } = engine(program(900n, 'BLOCKHASH', returnTop()));
  for (const hash of [5n, 6n]) {
    const { output } = evm.execute(transactionOf(), { ...plainBlock, blockHash: () => hash });
    assert.deepEqual(Buffer.from(output), Buffer.from(word(hash)));
    evm.abandon();
  }
});

/** As much memory as the call data says in each of as many frames as there may be. */
const greedy = program(
  'PUSH0 CALLDATALOAD MLOAD POP CALLDATASIZE PUSH0 PUSH0 CALLDATACOPY',
  'PUSH0 PUSH0 CALLDATASIZE PUSH0 PUSH0 ADDRESS GAS CALL',
);

test('memory that a transaction or a call has used up is given back', () => {
  const { evm, host } = engine(greedy);
  const before = process.memoryUsage().external;
  const taken = (): number => process.memoryUsage().external - before;
  const data = word(2n ** 26n);
  for (let i = 0; i < 30; i++) {
    evm.execute(transactionOf({ gasLimit: boundless, data }), wide);
    evm.abandon();
    evm.attach(host);
    assert.ok(evm.heldBytes < 2 ** 20, `${evm.heldBytes} bytes after a transaction`);
    evm.call({ from: sender, to: contract, gas: Number(boundless), data }, wide);
    assert.ok(evm.heldBytes < 2 ** 20, `${evm.heldBytes} bytes after a call`);
  }
  // Each took more than a GiB; what is left waits to be collected.
  assert.ok(taken() < 20 * 2 ** 30, `${taken()} bytes outside of the heap`);
});

test('memories that many calls have left behind do not empty the cache of every batch', () => {
  const { evm } = engine(greedy);
  evm.execute(transactionOf({ gasLimit: boundless, data: word(65_000n) }), wide);
  evm.abandon();
  assert.ok(evm.heldBytes > 90 * 2 ** 20, `${evm.heldBytes} bytes`);
  evm.forget();
  assert.ok(evm.heldBytes < 64 * 2 ** 20, `${evm.heldBytes} bytes`);
});

test('a transaction that stops an engine with a past is one that a fresh engine can run', () => {
  const { evm } = engine(greedy);
  const run = (size: bigint): string => {
    try {
      const { status } = evm.execute(
        transactionOf({ gasLimit: boundless, data: word(size) }),
        wide,
      );
      evm.abandon();
      return `status ${status}`;
    } catch (error) {
      assert.ok(error instanceof EvmError);
      return error.code;
    }
  };
  const sizes = [20n, 19n, 21n, 22n, 24n, 26n, 29n].map((exponent) => 2n ** exponent - 64n);
  for (const size of sizes) {
    // A fault leaves a fresh engine behind, so the second attempt never finds another's past.
    const first = run(size);
    if (first === 'ENGINE_FAULT') assert.equal(run(size), 'status 1', `${size}`);
    else assert.equal(first, 'status 1', `${size}`);
  }
});

test('lists whose parts have other lengths than theirs are refused, not read with old bytes', () => {
  const { evm } = engine(program('STOP'));
  const slot = new Uint8Array(32);
  const address = addressOf(1);
  const lists = [
    { accessList: [{ address: address.subarray(1), storageKeys: [] }] },
    { accessList: [{ address: Uint8Array.of(...address, 1), storageKeys: [] }] },
    { accessList: [{ address, storageKeys: [slot, slot.subarray(1)] }] },
    { blobVersionedHashes: [slot.subarray(1)] },
  ];
  const entry = { chainId: 0n, nonce: 0n, address, authority: address };
  const authorizations = [
    { ...entry, address: address.subarray(1) },
    { ...entry, authority: address.subarray(1) },
  ];
  for (const fields of [
    ...lists,
    ...authorizations.map((one) => ({ type: 4 as const, authorizationList: [one] })),
  ]) {
    const coded = (code: string) => (error: unknown) =>
      error instanceof EvmError && error.code === code;
    assert.throws(() => evm.execute(transactionOf(fields), plainBlock), coded('UNDECODABLE'));
    if ('authorizationList' in fields) continue;
    assert.throws(() => evm.call({ to: contract, ...fields }, plainBlock), coded('INVALID_CALL'));
  }
  assert.equal(evm.execute(transactionOf(), plainBlock).status, 1);
});

test('memory, return data and call data never show what another frame left there', () => {
  // Fills 70,000 bytes with ones and returns them, or reverts with them.
  const dirty = (end: string): Uint8Array =>
    program(push(70_000n), 'PUSH0 PUSH0 CODECOPY', push(70_000n), 'PUSH0', end);
  const ones = (code: Uint8Array): Uint8Array =>
    Buffer.concat([code, new Uint8Array(70_000).fill(0xff)]);
  // Any byte but zero in its new memory is returned.
  const clean = program(
    program(69_984n, 'MLOAD', 60_000n, 'MLOAD OR', 31n, 'MLOAD OR', 65_536n, 'MLOAD OR'),
    program('RETURNDATASIZE OR', 500n, 'CALLDATALOAD OR', returnTop()),
  );
  const to = (address: Uint8Array) => push(BigInt(`0x${Buffer.from(address).toString('hex')}`), 20);
  const call = (address: Uint8Array, name: string): Uint8Array =>
    name === 'CALL'
      ? program(push(32n), 'PUSH0 PUSH0 PUSH0 PUSH0', to(address), 'GAS CALL POP')
      : program(push(32n), 'PUSH0 PUSH0 PUSH0', to(address), 'GAS DELEGATECALL POP');
  const failing = program('PUSH0 PUSH0', 31n, 'PUSH0', push(10n, 1), 5_000n, 'STATICCALL POP');
  for (const end of ['RETURN', 'REVERT']) {
    for (const name of ['CALL', 'DELEGATECALL']) {
      const dirtied = call(addressOf(0xd1), name);
      const { evm, host } = engine(
        program(
          program(dirtied, 'PUSH0 PUSH0 MSTORE', call(addressOf(0xd2), name), 'PUSH0 MLOAD'),
          program(dirtied, failing, 'RETURNDATASIZE OR', returnTop()),
        ),
      );
      place(host, addressOf(0xd1), { code: ones(dirty(end)), nonce: 1n });
      place(host, addressOf(0xd2), { code: clean, nonce: 1n });
      for (let i = 0; i < 3; i++) {
        const { output, status } = evm.execute(transactionOf(), plainBlock);
        assert.deepEqual([status, Buffer.from(output)], [1, Buffer.alloc(32)], `${end} ${name}`);
        evm.abandon();
      }
    }
  }
});
