import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createEvm, type EvmHost, MemoryHost } from '../index.ts';
import { program, push } from './bytecode.ts';
import { addressOf, block, contract, place, sender, transactionOf, wordOf } from './scene.ts';

const callee = addressOf(0xcc);
const heir = addressOf(0xdd);

/** A state whose contract writes, calls, creates and destroys, so that reads come from everywhere. */
function world(): MemoryHost {
  const host = new MemoryHost();
  const call = program('PUSH0 PUSH0 PUSH0 PUSH0', 1n, wordOf(callee), 'GAS CALL POP');
  const create = program(push(wordOf(program('CALLER SELFDESTRUCT')), 2), 'PUSH0 MSTORE');
  const made = program(2n, 30n, 1n, 'CREATE', wordOf(heir), 'BALANCE ADD', 5n, 'SSTORE');
  const writes = program(7n, 1n, 'SSTORE', 2n, 'SLOAD', 3n, 'SSTORE PUSH0 PUSH0 LOG0');
  const history = program('NUMBER', 1n, 'SWAP1 SUB BLOCKHASH', 4n, 'SSTORE');
  place(host, sender, { balance: 10n ** 24n });
  place(host, contract, {
    code: program(writes, call, create, made, history),
    nonce: 1n,
    balance: 100n,
    storage: { 1: 1n, 2: 2n },
  });
  const destroys = program(9n, 8n, 'SSTORE', wordOf(heir), 'SELFDESTRUCT');
  place(host, callee, { code: destroys, nonce: 1n, storage: { 8: 1n } });
  return host;
}

/** Counts the reads of a host and throws at the one of that number. */
function failing(beneath: EvmHost, at: number): { readonly host: EvmHost; reads(): number } {
  let reads = 0;
  const read = <Value>(value: Value): Value => {
    if (reads++ === at) throw new RangeError('this read fails');
    return value;
  };
  return {
    host: {
      account: (key) => read(beneath.account(key)),
      slot: (key) => read(beneath.slot(key)),
      code: (key) => read(beneath.code(key)),
    },
    reads: () => reads,
  };
}

test('whichever read of the host fails, no half of a transaction stays', () => {
  for (const fork of ['shanghai', 'osaka', 'amsterdam']) {
    const wanted = world();
    const counted = failing(wanted, Number.POSITIVE_INFINITY);
    const first = createEvm({ fork, chainId: 1n, host: counted.host });
    assert.equal(first.execute(transactionOf(), block).status, 1);
    first.finish(wanted);
    assert.ok(counted.reads() > 12);
    for (let at = 0; at < counted.reads(); at++) {
      const state = world();
      const evm = createEvm({ fork, chainId: 1n, host: state });
      // Something of before, so that there is a cache to be spoilt.
      evm.execute(transactionOf({ to: heir, value: 1n }), block);
      evm.abandon();
      evm.forget();
      evm.attach(failing(state, at).host);
      assert.throws(() => evm.execute(transactionOf(), block), `read ${at}`);
      evm.attach(state);
      assert.equal(evm.execute(transactionOf(), block).status, 1, `after read ${at}`);
      evm.finish(state);
      assert.deepEqual(state, wanted, `after read ${at}`);
    }
  }
});

test('a block hash that throws is as a read that throws', () => {
  const state = world();
  const evm = createEvm({ fork: 'osaka', chainId: 1n, host: state });
  const broken = {
    ...block,
    blockHash() {
      throw new RangeError('this hash fails');
    },
  };
  assert.throws(() => evm.execute(transactionOf(), broken));
  const before = world();
  assert.deepEqual(state, before);
  assert.equal(evm.execute(transactionOf(), block).status, 1);
  evm.finish(state);
  assert.notDeepEqual(state, before);
});
