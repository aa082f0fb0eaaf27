import assert from 'node:assert/strict';
import { test } from 'node:test';
import { toWord } from '../index.ts';
import { deploying, type Piece, program, push, returnTop } from './bytecode.ts';
import { mask256 } from './corner-words.ts';
import { addressOf, contract, keccak256, Scene, sender, toHex, wordOf } from './scene.ts';

const callee = addressOf(0xcc);
const emptyHash = keccak256(new Uint8Array(0));

/** Pushes the operands of a call and makes it; the result word stays on the stack. */
function calling(
  name: string,
  { to = callee, gas = 1_000_000n, value = 0n, input = [0n, 0n], output = [0n, 0n] } = {},
): Uint8Array {
  const valued = name === 'CALL' || name === 'CALLCODE';
  const [outputAt = 0n, outputLength = 0n] = output;
  const [inputAt = 0n, inputLength = 0n] = input;
  const range = [outputLength, outputAt, inputLength, inputAt];
  return program(...range, ...(valued ? [value] : []), wordOf(to), gas, name);
}

/** Returns the 32 bytes words that some operations give. */
function reporting(...names: readonly string[]): Uint8Array {
  const pieces = names.flatMap((name, i): Piece[] => [name, BigInt(32 * i), 'MSTORE']);
  return program(...pieces, BigInt(32 * names.length), 'PUSH0 RETURN');
}

const wordsIn = (bytes: Uint8Array): bigint[] =>
  Array.from({ length: bytes.length / 32 }, (_, i) => wordOf(bytes.subarray(32 * i, 32 * i + 32)));

/** Address of a creation by the contract whose nonce is below 128 (Yellow Paper, 7). */
const createdBy = (creator: Uint8Array, nonce: number): bigint =>
  BigInt.asUintN(
    160,
    wordOf(keccak256(Uint8Array.of(0xd6, 0x94, ...creator, nonce === 0 ? 0x80 : nonce))),
  );

const saltedBy = (creator: Uint8Array, salt: bigint, initCode: Uint8Array): bigint => {
  const preimage = Buffer.concat([Uint8Array.of(0xff), creator, toWord(salt), keccak256(initCode)]);
  return BigInt.asUintN(160, wordOf(keccak256(preimage)));
};

/** Writes bytes to memory from 0 on. */
function storing(bytes: Uint8Array): Uint8Array {
  const pieces: Piece[] = [];
  for (let at = 0; at < bytes.length; at += 32) {
    const word = Buffer.alloc(32);
    word.set(bytes.subarray(at, at + 32));
    pieces.push(push(wordOf(word), 32), BigInt(at), 'MSTORE');
  }
  return program(...pieces);
}

test('each kind of call sees its own self, caller and value', () => {
  const scene = new Scene();
  scene.place(callee, { code: reporting('ADDRESS', 'CALLER', 'CALLVALUE', 'ORIGIN'), nonce: 1n });
  const [self, other, from] = [wordOf(contract), wordOf(callee), wordOf(sender)];
  const wanted: Readonly<Record<string, readonly bigint[]>> = {
    CALL: [other, self, 5n, from],
    CALLCODE: [self, self, 5n, from],
    DELEGATECALL: [self, from, 9n, from],
    STATICCALL: [other, self, 0n, from],
  };
  for (const [name, words] of Object.entries(wanted)) {
    const call = calling(name, { value: 5n, output: [0n, 128n] });
    const { output, error } = scene.call({ value: 9n }, program(call, 'POP', 128n, 'PUSH0 RETURN'));
    assert.equal(error, undefined);
    assert.deepEqual(wordsIn(output), words, name);
  }
});

test('calls hand over input, answer 1 or 0, and give back output as far as there is room', () => {
  const scene = new Scene();
  // Answers twice its input; or reverts with it when the first byte is 0xff.
  const echo = program('CALLDATASIZE PUSH0 PUSH0 CALLDATACOPY CALLDATASIZE PUSH0 CALLDATASIZE');
  const twice = program(echo, 'CALLDATACOPY PUSH0 MLOAD PUSH0 BYTE', 255n, 'EQ');
  const length = twice.length + 4 + 6;
  const ends = program(
    push(BigInt(length), 1),
    'JUMPI CALLDATASIZE DUP1 ADD PUSH0 RETURN PUSH0 PUSH0',
  );
  const padded = Buffer.concat([twice, ends]).subarray(0, length);
  const code = program(padded, 'JUMPDEST CALLDATASIZE DUP1 ADD PUSH0 REVERT');
  scene.place(callee, { code, nonce: 1n });
  for (const first of [1n, 0xffn]) {
    for (const name of ['CALL', 'CALLCODE', 'DELEGATECALL', 'STATICCALL']) {
      for (const room of [0n, 5n, 64n, 100n]) {
        const call = program(
          push((first << 248n) + 77n, 32),
          'PUSH0 MSTORE',
          calling(name, { input: [0n, 32n], output: [64n, room] }),
          192n,
          'MSTORE RETURNDATASIZE',
          224n,
          'MSTORE',
          256n,
          'PUSH0 RETURN',
        );
        const { output } = scene.call({}, call);
        const answer = Buffer.concat([
          toWord((first << 248n) + 77n),
          toWord((first << 248n) + 77n),
        ]);
        const memory = Buffer.alloc(128);
        memory.set(answer.subarray(0, Number(room)));
        assert.equal(toHex(output.subarray(64, 192)), toHex(memory), `${name} ${first} ${room}`);
        assert.deepEqual(wordsIn(output.subarray(192)), [first === 1n ? 1n : 0n, 64n], name);
      }
    }
  }
});

test('value moves with CALL, stays with a revert, and is refused beyond the balance', () => {
  const scene = new Scene();
  const balances = (code: Uint8Array, value: bigint): bigint[] => {
    scene.place(callee, { code, nonce: 1n, balance: 3n });
    const then = program(wordOf(callee), 'BALANCE', 32n, 'MSTORE SELFBALANCE', 64n, 'MSTORE');
    const run = program(calling('CALL', { value }), 'PUSH0 MSTORE', then, 96n, 'PUSH0 RETURN');
    return wordsIn(scene.call({}, run).output);
  };
  assert.deepEqual(balances(program('STOP'), 400n), [1n, 403n, 600n]);
  assert.deepEqual(balances(program('PUSH0 PUSH0 REVERT'), 400n), [0n, 3n, 1_000n]);
  assert.deepEqual(balances(program('INVALID'), 400n), [0n, 3n, 1_000n]);
  assert.deepEqual(balances(program('STOP'), 1_000n), [1n, 1_003n, 0n]);
  assert.deepEqual(balances(program('STOP'), 1_001n), [0n, 3n, 1_000n]);
  assert.deepEqual(balances(program('STOP'), mask256), [0n, 3n, 1_000n]);
});

test('under STATICCALL nothing that changes the state goes', () => {
  const scene = new Scene();
  const changing: Readonly<Record<string, Uint8Array>> = {
    SSTORE: program(1n, 1n, 'SSTORE'),
    TSTORE: program(1n, 1n, 'TSTORE'),
    LOG0: program('PUSH0 PUSH0 LOG0'),
    LOG4: program('PUSH0 PUSH0 PUSH0 PUSH0 PUSH0 PUSH0 LOG4'),
    CREATE: program('PUSH0 PUSH0 PUSH0 CREATE'),
    CREATE2: program('PUSH0 PUSH0 PUSH0 PUSH0 CREATE2'),
    CALL: calling('CALL', { to: addressOf(0xcd), value: 1n }),
    SELFDESTRUCT: program('PUSH0 SELFDESTRUCT'),
  };
  const harmless: Readonly<Record<string, Uint8Array>> = {
    SLOAD: program(1n, 'SLOAD'),
    TLOAD: program(1n, 'TLOAD'),
    CALL: calling('CALL', { to: addressOf(0xcd) }),
    CALLCODE: calling('CALLCODE', { to: addressOf(0xcd), value: 1n }),
    STATICCALL: calling('STATICCALL', { to: addressOf(0xcd) }),
  };
  const under = (code: Uint8Array): bigint => {
    scene.place(callee, { code, nonce: 1n, balance: 100n });
    return scene.word(program(calling('STATICCALL', { gas: 200_000n }), returnTop()));
  };
  for (const [name, code] of Object.entries(changing)) assert.equal(under(code), 0n, name);
  for (const [name, code] of Object.entries(harmless)) assert.equal(under(code), 1n, name);
  // The mark is inherited by what is called beneath.
  const beneath = addressOf(0xce);
  scene.place(beneath, { code: program(1n, 1n, 'SSTORE'), nonce: 1n });
  for (const name of ['CALL', 'CALLCODE', 'DELEGATECALL']) {
    const through = program(calling(name, { to: beneath, gas: 100_000n }), returnTop());
    scene.place(callee, { code: through, nonce: 1n });
    const outer = program(calling('STATICCALL', { output: [0n, 32n] }), 'POP PUSH0 MLOAD');
    assert.equal(scene.word(program(outer, returnTop())), 0n, name);
  }
});

test('a call gets all but a 64th of the gas, and a stipend with value', () => {
  const scene = new Scene();
  scene.place(callee, { code: program('GAS', returnTop()), nonce: 1n });
  const seen = (gas: bigint, value: bigint): bigint => {
    const call = calling('CALL', { gas, value, output: [0n, 32n] });
    return scene.word(program(call, 'POP PUSH0 MLOAD', returnTop()), { gas: 1_000_000 });
  };
  // Before the call: 21,000 and seven pushes (PUSH0 costs 2), then 2,600 and 3 for memory.
  const pushes = (zeros: number): number => 2 * zeros + 3 * (7 - zeros);
  const available = 1_000_000 - 21_000 - pushes(4) - 2_600 - 3;
  const allowed = available - Math.floor(available / 64);
  assert.equal(seen(mask256, 0n), BigInt(allowed - 2));
  assert.equal(seen(50_000n, 0n), 49_998n);
  assert.equal(seen(50_000n, 1n), 49_998n + 2_300n);
  assert.equal(seen(0n, 1n), 2_298n);
});

test('RETURNDATACOPY copies what is there and fails on anything beyond', () => {
  const scene = new Scene();
  const answer = Buffer.from(Array.from({ length: 50 }, (_, i) => i + 1));
  scene.place(callee, { code: program(storing(answer), 50n, 'PUSH0 RETURN'), nonce: 1n });
  const copied = (length: bigint, source: bigint) =>
    scene.call(
      { gas: 300_000 },
      program(
        calling('CALL', { gas: 50_000n }),
        length,
        source,
        0n,
        'RETURNDATACOPY',
        64n,
        'PUSH0 RETURN',
      ),
    );
  for (const [length, source] of [
    [0n, 0n],
    [0n, 50n],
    [50n, 0n],
    [1n, 49n],
    [20n, 7n],
  ] as const) {
    const { output, error } = copied(length, source);
    assert.equal(error, undefined);
    const wanted = Buffer.alloc(64);
    wanted.set(answer.subarray(Number(source), Number(source + length)));
    assert.equal(toHex(output), toHex(wanted), `${length} from ${source}`);
  }
  const beyond = [
    [51n, 0n],
    [1n, 50n],
    [0n, 51n],
    [50n, 1n],
    [1n, 2n ** 32n],
    [0n, 2n ** 64n],
  ];
  const wrapping = [
    [mask256, 2n],
    [2n, mask256],
    [2n ** 255n, 2n ** 255n],
    [1n, 2n ** 64n - 1n],
  ];
  for (const [length, source] of [...beyond, ...wrapping] as [bigint, bigint][]) {
    const { status, error, gasUsed } = copied(length, source);
    assert.deepEqual(
      [status, error, gasUsed],
      ['error', 'out of gas', 300_000],
      `${length} ${source}`,
    );
  }
  // A new call takes the place of what an earlier one gave.
  const again = program(calling('CALL'), calling('CALL', { to: addressOf(1_0) }), 'RETURNDATASIZE');
  assert.equal(scene.word(program(again, returnTop())), 0n);
});

test('CREATE and CREATE2 deploy at the addresses that the rules give', () => {
  const scene = new Scene();
  const code = program(77n, returnTop());
  const initCode = deploying(code);
  const memory = storing(initCode);
  const length = BigInt(initCode.length);
  const use = program('DUP1 EXTCODEHASH', 32n, 'MSTORE DUP1 BALANCE', 64n, 'MSTORE PUSH0 MSTORE');
  const created = (pieces: readonly Piece[]): bigint[] =>
    wordsIn(scene.call({}, program(memory, ...pieces, use, 96n, 'PUSH0 RETURN')).output);
  const hash = wordOf(keccak256(code));
  assert.deepEqual(created([length, 0n, 5n, 'CREATE']), [createdBy(contract, 1), hash, 5n]);
  for (const salt of [0n, 1n, mask256]) {
    const address = saltedBy(contract, salt, initCode);
    assert.deepEqual(created([salt, length, 0n, 6n, 'CREATE2']), [address, hash, 6n]);
  }
  // The second creation has the next nonce; CREATE2 counts it too, a refused one does not.
  const twice = program(
    memory,
    0n,
    length,
    0n,
    0n,
    'CREATE2 POP',
    length,
    0n,
    2_000n,
    'CREATE POP',
  );
  const next = program(twice, length, 0n, 0n, 'CREATE', returnTop());
  assert.equal(scene.word(next), createdBy(contract, 2));
  // The same salt and code again is a collision.
  const collides = program(
    memory,
    0n,
    length,
    0n,
    0n,
    'CREATE2 POP',
    0n,
    length,
    0n,
    0n,
    'CREATE2',
  );
  assert.equal(scene.word(program(collides, returnTop()), { gas: 5_000_000 }), 0n);
});

test('init code that fails or reverts deploys nothing', () => {
  const scene = new Scene();
  const answer = (initCode: Uint8Array): bigint[] => {
    const length = BigInt(initCode.length);
    const create = program(storing(initCode), length, 0n, 3n, 'CREATE PUSH0 MSTORE');
    const size = program('RETURNDATASIZE', 32n, 'MSTORE SELFBALANCE', 64n, 'MSTORE');
    const run = program(create, size, 96n, 'PUSH0 RETURN');
    return wordsIn(scene.call({ gas: 20_000_000 }, run).output);
  };
  const address = createdBy(contract, 1);
  assert.deepEqual(answer(program('STOP')), [address, 0n, 997n]);
  assert.deepEqual(answer(program('INVALID')), [0n, 0n, 1_000n]);
  assert.deepEqual(answer(program(9n, 'PUSH0 REVERT')), [0n, 9n, 1_000n]);
  assert.deepEqual(answer(deploying(Uint8Array.of(0xef, 1))), [0n, 0n, 1_000n], 'EIP-3541');
  assert.deepEqual(answer(program(24_576n, 'PUSH0 RETURN')), [address, 0n, 997n]);
  assert.deepEqual(answer(program(24_577n, 'PUSH0 RETURN')), [0n, 0n, 1_000n], 'EIP-170');
});

test('RETURN, REVERT, STOP and INVALID end as they say', () => {
  const scene = new Scene();
  const store = program(push(mask256, 32), 'PUSH0 MSTORE');
  const ended = (...pieces: Piece[]) => {
    const { status, output, gasUsed } = scene.call({ gas: 100_000 }, program(store, ...pieces));
    return [status, output.length, gasUsed === 100_000];
  };
  assert.deepEqual(ended(32n, 0n, 'RETURN INVALID'), ['success', 32, false]);
  assert.deepEqual(ended(1_000n, 7n, 'RETURN'), ['success', 1_000, false]);
  assert.deepEqual(ended(0n, mask256, 'RETURN'), ['success', 0, false]);
  assert.deepEqual(ended(33n, 0n, 'REVERT INVALID'), ['revert', 33, false]);
  assert.deepEqual(ended(0n, mask256, 'REVERT'), ['revert', 0, false]);
  assert.deepEqual(ended('STOP INVALID'), ['success', 0, false]);
  assert.deepEqual(ended('INVALID'), ['error', 0, true]);
  for (const name of ['RETURN', 'REVERT']) {
    assert.deepEqual(ended(mask256, 0n, name), ['error', 0, true]);
    assert.deepEqual(ended(1n, mask256, name), ['error', 0, true]);
    assert.deepEqual(ended(2n ** 63n, 2n ** 63n, name), ['error', 0, true]);
  }
});

test('LOG0 to LOG4 keep address, topics and data, in order, unless their frame reverts', () => {
  const scene = new Scene();
  const topics = [mask256, 1n, 2n ** 255n, 0n];
  const pieces: Piece[] = [push(0x1234n, 32), 'PUSH0 MSTORE'];
  for (let count = 0; count <= 4; count++) {
    pieces.push(...topics.slice(0, count).toReversed(), BigInt(count * 20), 3n, `LOG${count}`);
  }
  const fails = addressOf(0xcd);
  scene.place(callee, { code: program('PUSH0 PUSH0 LOG0'), nonce: 1n });
  scene.place(fails, { code: program('PUSH0 PUSH0 LOG0 PUSH0 PUSH0 REVERT'), nonce: 1n });
  pieces.push(calling('CALL', { to: fails }), calling('CALL'), calling('DELEGATECALL'));
  scene.place(contract, { code: program(...pieces), nonce: 1n });
  const { logs, status } = scene.execute();
  scene.evm.abandon();
  assert.equal(status, 1);
  const memory = Buffer.alloc(200);
  memory.set(toWord(0x1234n));
  const text = logs.map((log) => [log.address, ...log.topics, log.data].map(toHex));
  const own = Array.from({ length: 5 }, (_, count) => [
    toHex(contract),
    ...topics.slice(0, count).map((topic) => toHex(toWord(topic))),
    toHex(memory.subarray(3, 3 + count * 20)),
  ]);
  assert.deepEqual(text, [...own, [toHex(callee), ''], [toHex(contract), '']]);
});

test('SELFDESTRUCT sends the balance; only what was made in the same transaction goes away', () => {
  const scene = new Scene();
  const heir = addressOf(0xcd);
  scene.place(contract, { code: program(wordOf(heir), 'SELFDESTRUCT'), balance: 500n, nonce: 1n });
  assert.equal(scene.execute({ value: 7n }).status, 1);
  scene.evm.finish(scene.host);
  assert.equal(scene.evm.account(heir).balance, 507n);
  assert.deepEqual(scene.evm.account(contract).balance, 0n);
  assert.notDeepEqual(Buffer.from(scene.evm.account(contract).codeHash), Buffer.from(emptyHash));
  // Created and destroyed at once: gone, and what it kept for itself too.
  const initCode = program('ADDRESS SELFDESTRUCT');
  const create = program(storing(initCode), BigInt(initCode.length), 0n, 9n, 'CREATE POP');
  scene.place(callee, { code: create, balance: 9n, nonce: 1n });
  assert.equal(scene.execute({ to: callee, nonce: 1n }).status, 1);
  scene.evm.finish(scene.host);
  const gone = toWord(createdBy(callee, 1)).subarray(12);
  assert.equal(scene.evm.account(gone).exists, false);
  assert.equal(scene.evm.account(callee).balance, 0n);
});
