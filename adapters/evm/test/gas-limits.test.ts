import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { createEvm, type EvmTransaction, MemoryHost, toWord } from '../index.ts';
import { BothEngines, type Ending } from './both-engines.ts';
import { deploying, type Piece, program, push } from './bytecode.ts';
import {
  addressOf,
  block,
  contract,
  place,
  sender,
  toHex,
  transactionOf,
  wordOf,
} from './scene.ts';

/**
 * The reference is asked at every n-th gas limit and around each limit where the ending changes its
 * kind; 1 asks it at each.
 */
const stride = Number(process.env.GAS_LIMIT_STRIDE ?? 211);
const around = 3;

interface Case {
  readonly engines: BothEngines;
  readonly fields: Partial<EvmTransaction>;
}

/** What of an ending does not simply follow from the gas limit when everything fails. */
const kindOf = ({ refused, status, error, changes, logs }: Ending): string =>
  JSON.stringify([refused, status, error, changes?.length, logs?.length]);

/**
 * Runs a transaction at every gas limit from 0 to somewhat above what it needs, by this engine; the
 * reference must agree wherever it is asked. Answers how many limits there were.
 */
async function atEveryLimit({ engines, fields }: Case): Promise<number> {
  const at = (gasLimit: number): Partial<EvmTransaction> => ({
    ...fields,
    gasLimit: BigInt(gasLimit),
  });
  const plenty = engines.byOwn(at(5_000_000));
  assert.equal(plenty.status, 1, plenty.error);
  // What comes back as refund, half of it at most, and what calls keep back is needed besides.
  const mostRefund = fields.type === 0 ? 2 : 1.25;
  // State gas that comes back while it runs is needed until then.
  const credited = plenty.blockGas === undefined ? 0 : 100_000;
  const last = Math.ceil((plenty.gasUsed as number) * mostRefund * 1.03) + 100 + credited;
  const asked = new Set<number>();
  const ask = async (gasLimit: number): Promise<void> => {
    if (gasLimit < 0 || asked.has(gasLimit)) return;
    asked.add(gasLimit);
    await engines.run(at(gasLimit), `gas limit ${gasLimit}`);
  };
  let before = '';
  let succeeded = false;
  for (let gasLimit = 0; gasLimit <= last; gasLimit++) {
    const ending = engines.byOwn(at(gasLimit));
    if (ending.refused === undefined) {
      assert.ok((ending.gasUsed as number) <= gasLimit, `${gasLimit}`);
      if (ending.status === 1) succeeded = true;
    } else {
      assert.equal(ending.refused, 'INTRINSIC_GAS_TOO_LOW');
    }
    const kind = kindOf(ending);
    if (kind !== before) for (let i = -around; i <= around; i++) await ask(gasLimit + i);
    else if (gasLimit % stride === 0) await ask(gasLimit);
    before = kind;
  }
  assert.ok(succeeded, 'the last limits suffice');
  return last + 1;
}

/** Runs the case and says how much was compared. */
function limits(name: string, made: () => Case): void {
  const often = stride === 1 ? 'at each' : `around each change and at each ${stride}th`;
  test(`${name} runs at every gas limit, and ${often} ends as the reference ends it`, async () => {
    const count = await atEveryLimit(made());
    assert.ok(count > 21_000);
  });
}

/** Stores what an operation gives: of GAS, so that a difference in price shows. */
const storing = (name: string, slot: bigint): Uint8Array => program(name, slot, 'SSTORE');

function oneContract(fork: string, pieces: readonly Piece[], storage = {}): Case {
  const engines = new BothEngines(fork);
  engines.place(contract, { code: program(...pieces), nonce: 1n, balance: 100n, storage });
  return { engines, fields: withoutFeeMarket.includes(fork) ? legacy : {} };
}

const withoutFeeMarket = ['constantinople', 'istanbul', 'berlin'];
const legacy: Partial<EvmTransaction> = { type: 0, maxFeePerGas: 10n, maxPriorityFeePerGas: 10n };

/** Code of OpenZeppelin's ERC-20 and the storage its constructor leaves, with the sender as holder. */
function deployedToken(): MemoryHost {
  const file = new URL('../../../testing/bench/contracts/bench-token.json', import.meta.url);
  const { bytecode } = JSON.parse(readFileSync(file, 'utf8')) as { bytecode: string };
  const host = new MemoryHost();
  place(host, sender, { balance: 10n ** 24n });
  const evm = createEvm({ fork: 'prague', chainId: 1_337n, host });
  const holders = [64n, 1_000n, 1n, wordOf(sender)].map((word) => Buffer.from(toWord(word)));
  const data = Buffer.concat([Buffer.from(bytecode.slice(2), 'hex'), ...holders]);
  const { to: _, ...creation } = transactionOf({ data });
  const { contractAddress, status } = evm.execute(creation, block);
  assert.equal(status, 1);
  evm.finish(host);
  tokenAddress = contractAddress as Uint8Array;
  return host;
}
let tokenAddress: Uint8Array;

limits('an ERC-20 transfer', () => {
  const engines = new BothEngines('prague');
  const host = deployedToken();
  for (const [key, record] of host.accounts) engines.host.putAccount(key, record);
  for (const [key, value] of host.slots) engines.host.putSlot(key, value);
  for (const [key, code] of host.codes) engines.host.putCode(key, code);
  const words = [wordOf(addressOf(0xdd)), 5n].map(toWord).map((word) => Buffer.from(word));
  const data = Buffer.concat([Buffer.from('a9059cbb', 'hex'), ...words]);
  return { engines, fields: { to: tokenAddress, data, nonce: 1n } };
});

for (const fork of ['istanbul', 'berlin', 'osaka', 'amsterdam']) {
  limits(`calls nested in calls under ${fork}`, () => {
    const made = oneContract(fork, [callChain(0xc1, 0xc2)]);
    // The second stores, the third logs and comes back with all it has left.
    const second = program(callChain(0xc3, 0xc4), storing('GAS', 1n));
    made.engines.place(addressOf(0xc1), { code: second, nonce: 1n });
    made.engines.place(addressOf(0xc2), { code: program(9n, 'PUSH0 POP POP'), nonce: 1n });
    const third = program(64n, zero, 'LOG0', 33n, zero, 'REVERT');
    made.engines.place(addressOf(0xc3), { code: third, nonce: 1n });
    made.engines.place(addressOf(0xc4), { code: storing('GAS', 2n), nonce: 1n });
    return made;
  });
}

/** A zero that every fork can push. */
const zero = push(0n, 1);

/** Calls one with all gas and the other with little, and keeps what both answer and the size. */
function callChain(first: number, second: number): Uint8Array {
  const call = (byte: number, gas: Piece, value: bigint): Uint8Array =>
    program(zero, zero, zero, zero, push(value, 1), wordOf(addressOf(byte)), gas, 'CALL');
  return program(call(first, 'GAS', 0n), call(second, 3_000n, 0n), 'ADD RETURNDATASIZE ADD', 'POP');
}

for (const fork of ['osaka', 'amsterdam']) {
  limits(`a creation within a call under ${fork}`, () => {
    const initCode = deploying(program('PUSH0 PUSH0 RETURN'));
    const length = BigInt(initCode.length);
    const store = program(
      push(wordOf(Buffer.concat([initCode, Buffer.alloc(32)]).subarray(0, 32)), 32),
    );
    const create = program(store, 'PUSH0 MSTORE', length, 'PUSH0 PUSH0 CREATE');
    const salted = program(7n, length, 'PUSH0', 1n, 'CREATE2');
    return oneContract(fork, [create, 'POP', salted, storing('GAS', 0n)]);
  });

  limits(`a creation by transaction under ${fork}`, () => {
    const engines = new BothEngines(fork);
    const code = program(storing('GAS', 0n), 32n, 'PUSH0 RETURN');
    return { engines, fields: { to: undefined as never, data: code } };
  });
}

limits('what makes state and gives it up again under amsterdam', () => {
  const send = (byte: number): Uint8Array =>
    program(zero, zero, zero, zero, 1n, wordOf(addressOf(byte)), 'GAS CALL POP');
  const code = [send(0xdd), storing('GAS', 0n), push(0n, 1), push(0n, 1), 'SSTORE', send(0xc1)];
  const made = oneContract('amsterdam', [...code, push(wordOf(addressOf(0xde))), 'SELFDESTRUCT']);
  // It makes state and undoes it.
  const second = program(send(0xdf), storing('GAS', 0n), zero, zero, 'REVERT');
  made.engines.place(addressOf(0xc1), { code: second, nonce: 1n, balance: 1n });
  return made;
});

for (const fork of ['istanbul', 'prague']) {
  limits(`memory that grows in steps under ${fork}`, () => {
    const grow = [32n, 1_000n, 1_024n, 5_000n, 20_000n, 60_000n].flatMap((size): Piece[] => [
      size,
      'MLOAD POP',
    ]);
    const copies = [300n, zero, 70_000n, 'CODECOPY', 99n, 70_500n, 'KECCAK256 POP'];
    return oneContract(fork, [...grow, ...copies, 40n, 80_000n, 'RETURN']);
  });
}

for (const fork of ['constantinople', 'istanbul', 'berlin', 'osaka', 'amsterdam']) {
  limits(`storage set, changed, cleared and restored under ${fork}`, () => {
    const writes = [
      [1n, 0n],
      [2n, 0n],
      [0n, 0n],
      [0n, 1n],
      [7n, 1n],
      [8n, 2n],
      [0n, 2n],
      [9n, 3n],
    ] as const;
    const code = writes.flatMap(([value, slot]): Piece[] => [
      push(value, 1),
      push(slot, 1),
      'SSTORE',
    ]);
    return oneContract(fork, [...code, push(3n), 'SLOAD POP'], { 1: 7n, 2: 8n, 3: 9n });
  });
}

test('a transfer of value to a new account ends at the limits around its cost', async () => {
  const engines = new BothEngines('osaka');
  for (let gasLimit = 20_990; gasLimit < 21_010; gasLimit++) {
    const to = addressOf(0xdd);
    const ending = await engines.run({ to, value: 1n, gasLimit: BigInt(gasLimit) });
    assert.equal(ending.refused, gasLimit < 21_000 ? 'INTRINSIC_GAS_TOO_LOW' : undefined);
    assert.equal(ending.gasUsed, gasLimit < 21_000 ? undefined : 21_000, toHex(to));
  }
});
