/// <reference path="../webassembly.d.ts" />
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { compileEngine } from '../build.ts';
import { MemoryHost } from '../memory-host.ts';
import { toBigInt } from '../quantities.ts';
import { decodeAccount, encodeAccount, slotKey } from '../records.ts';
import { readWriteSet } from '../write-set.ts';
import { randomFrom } from './corner-words.ts';
import { codeKeyOf, type ModelAccount, StateModel } from './state-model.ts';

type Functions = Record<string, (...operands: (number | bigint)[]) => number>;

const { module } = await compileEngine({ entry: 'assembly/state.ts' });
const compiled = new WebAssembly.Module(module as Uint8Array<ArrayBuffer>);

/** Memory below 1,024 is nobody's: operands go there. */
const room = { address: 32, number: 64, value: 96, code: 256 } as const;

const addresses = [
  '0000000000000000000000000000000000000003',
  '00000000000000000000000000000000000001ff',
  '1000000000000000000000000000000000000000',
  'ffffffffffffffffffffffffffffffffffffffff',
  '1234567890123456789012345678901234567890',
].map((hex) => Buffer.from(hex, 'hex'));
const numbers = [0n, 1n, 2n ** 64n, 2n ** 255n, 2n ** 256n - 1n];
const values = [0n, 0n, 1n, 255n, 256n, 2n ** 64n, 2n ** 256n - 1n];
const codes = ['', '\x00', '[[`[', '`'.repeat(70)];

/** The engine's state over a host in plain maps. */
class Cache {
  readonly host = new MemoryHost();
  readonly functions: Functions;
  crossings = 0;
  /** How many entries finished transactions wrote that the host had already. */
  idle = 0;
  #memory: { readonly buffer: ArrayBuffer };
  #code = new Uint8Array(0);

  constructor() {
    const { host } = this;
    const text = (at: number, length: number): string => this.bytes.latin1Slice(at, at + length);
    const answer = (value: Uint8Array | undefined, out: number): number => {
      this.crossings++;
      if (value !== undefined) this.bytes.set(value, out);
      return value?.length ?? -1;
    };
    const imports = {
      account: (address: number, out: number) => answer(host.account(text(address, 20)), out),
      slot: (key: number, length: number, out: number) =>
        Math.max(0, answer(host.slot(text(key, length)), out)),
      codeLength: (hash: number) => {
        this.#code = (host.code(text(hash, 32)) ?? new Uint8Array(0)) as Uint8Array<ArrayBuffer>;
        return this.#code.length;
      },
      code: (out: number) => this.bytes.set(this.#code, out),
    };
    const { exports } = new WebAssembly.Instance(compiled, { host: imports });
    this.#memory = exports.memory as { readonly buffer: ArrayBuffer };
    this.functions = exports as Functions;
    this.run('forgetState');
  }

  get bytes(): Buffer {
    return Buffer.from(this.#memory.buffer);
  }

  run(name: string, ...operands: (number | bigint)[]): number {
    return (this.functions[name] as Functions[string])(...operands);
  }

  account(index: number): number {
    this.bytes.set(addresses[index] as Uint8Array, room.address);
    return this.run('accountOf', room.address);
  }

  /** Writes a word and answers where. */
  word(value: bigint, at: number): number {
    for (let i = 0; i < 4; i++) {
      this.bytes.writeBigUInt64LE(BigInt.asUintN(64, value >> BigInt(64 * i)), at + 8 * i);
    }
    return at;
  }

  read(at: number): bigint {
    let value = 0n;
    for (let i = 3; i >= 0; i--) value = (value << 64n) | this.bytes.readBigUInt64LE(at + 8 * i);
    return value;
  }

  slot(account: number, slot: number): number {
    const number = this.word(numbers[slot] as bigint, room.number);
    return this.run('slotOf', this.account(account), number);
  }

  finish(): void {
    const start = this.run('writeSet');
    const { host, bytes } = this;
    const count = (before: Uint8Array | undefined, after: Uint8Array | undefined): void => {
      if (Buffer.compare(before ?? Buffer.of(0), after ?? Buffer.of(0)) === 0) this.idle++;
    };
    const view = new DataView(this.#memory.buffer);
    readWriteSet({ bytes, view }, start, {
      putAccount: (key, record) => {
        count(host.account(key), record);
        host.putAccount(key, record);
      },
      putSlot: (key, value) => {
        count(host.slot(key), value);
        host.putSlot(key, value);
      },
      putCode: (key, code) => host.putCode(key, code),
    });
    this.run('closeTransaction');
  }
}

function compare(cache: Cache, model: StateModel): void {
  assert.equal(cache.run('refund'), model.refund);
  for (const [i, expected] of model.accounts.entries()) {
    const account = cache.account(i);
    const flag = (name: string): boolean => cache.run(name, account) === 1;
    const hash = cache.run('codeHashOf', account);
    const isEmpty = expected.nonce === 0n && expected.balance === 0n && expected.code === '';
    assert.deepEqual(
      {
        exists: flag('accountExists'),
        nonce: BigInt.asUintN(64, BigInt(cache.run('nonceOf', account))),
        balance: cache.read(cache.run('balanceOf', account)),
        codeKey: cache.bytes.latin1Slice(hash, hash + 32),
        hasStorage: flag('hasAnyStorage'),
        isEmpty: flag('isEmptyAccount'),
        isAlive: flag('isAlive'),
        touched: flag('isTouched'),
        created: flag('isCreated'),
        destroyed: flag('isDestroyed'),
      },
      {
        exists: expected.exists,
        nonce: expected.nonce,
        balance: expected.balance,
        codeKey: codeKeyOf(expected.code),
        hasStorage: expected.hasStorage,
        isEmpty,
        isAlive: expected.exists && !isEmpty,
        touched: model.marks.has(`touched ${i}`),
        created: model.marks.has(`created ${i}`),
        destroyed: model.marks.has(`destroyed ${i}`),
      },
    );
    for (const [j, number] of numbers.entries()) {
      const slot = cache.slot(i, j);
      assert.equal(cache.read(cache.run('slotValue', slot)), model.slot(i, j));
      assert.equal(cache.read(cache.run('slotOriginal', slot)), model.original(i, j));
      const transient = cache.run('transientOf', account, cache.word(number, room.number));
      assert.equal(cache.read(transient), model.transient.get(`${i} ${j}`) ?? 0n);
    }
  }
}

/** What the host holds must be what the model has, no more and no less. */
function compareHost(cache: Cache, model: StateModel): void {
  const { host } = cache;
  const live = new Set<string>();
  for (const [i, account] of model.accounts.entries()) {
    const key = (addresses[i] as Buffer).latin1Slice(0, 20);
    const kept = account.exists || account.incarnation > 0;
    const record = kept
      ? encodeAccount({ ...account, codeKey: codeKeyOf(account.code) })
      : undefined;
    assert.deepEqual(host.account(key)?.toString(), record?.toString());
    if (account.code !== '') {
      assert.equal(host.code(codeKeyOf(account.code))?.length, account.code.length);
    }
    for (const [slot, value] of account.slots) {
      if (value === 0n) continue;
      const name = (numbers[slot] as bigint).toString(16).padStart(64, '0');
      const slotName = Buffer.from(name, 'hex').latin1Slice(0, 32);
      const full = slotKey(key, account.incarnation, slotName);
      live.add(full);
      assert.equal(toBigInt(host.slot(full) ?? new Uint8Array(0)), value);
    }
  }
  for (const key of host.slots.keys()) {
    if (live.has(key)) continue;
    // What is left over belongs to a storage that was wiped.
    const record = host.account(key.slice(0, 20)) as Uint8Array;
    const own = key.length === 52 ? 0 : Buffer.from(key.slice(20, 24), 'latin1').readUInt32BE();
    assert.ok(own < decodeAccount(record).incarnation, 'a slot that is zero is stored');
  }
}

/** One random change to both; answers what it was. */
function change(cache: Cache, model: StateModel, random: () => number): void {
  const pick = (count: number): number => Math.floor(random() * count);
  const i = pick(addresses.length);
  const j = pick(numbers.length);
  const fields = model.accounts[i] as ModelAccount;
  const account = cache.account(i);
  const value = values[pick(values.length)] as bigint;
  const kind = pick(13);
  if (kind < 4) {
    // Only code stores, and only what exists has code.
    if (!fields.exists) return;
    const slot = cache.slot(i, j);
    cache.run('setSlot', slot, cache.word(value, room.value));
    model.setSlot(i, j, value);
  } else if (kind === 4) {
    cache.run('setBalance', account, cache.word(value, room.value));
    fields.exists = true;
    fields.balance = value;
  } else if (kind === 5) {
    const nonce = BigInt.asUintN(64, value);
    cache.run('setNonce', account, nonce);
    fields.exists = true;
    fields.nonce = nonce;
  } else if (kind === 6) {
    const code = codes[pick(codes.length)] as string;
    cache.bytes.write(code, room.code, 'latin1');
    cache.run('setCode', account, room.code, code.length);
    fields.exists = true;
    fields.code = code;
  } else if (kind === 7) {
    const number = cache.word(numbers[j] as bigint, room.number);
    cache.run('setTransient', account, number, cache.word(value, room.value));
    model.transient.set(`${i} ${j}`, value);
  } else if (kind === 8) {
    assert.equal(cache.run('warmAccount', account) === 1, model.mark(`warm ${i}`));
    assert.equal(cache.run('warmSlot', cache.slot(i, j)) === 1, model.mark(`warm ${i} ${j}`));
  } else if (kind === 9) {
    cache.run('touch', account);
    model.mark(`touched ${i}`);
  } else if (kind === 10) {
    cache.run('addRefund', 4800n);
    model.refund += 4800n;
  } else if (kind === 11) {
    cache.run(pick(2) === 0 ? 'markCreated' : 'markDestroyed', account);
    // Read back rather than drawn twice.
    for (const name of ['created', 'destroyed']) {
      const question = name === 'created' ? 'isCreated' : 'isDestroyed';
      if (cache.run(question, account) === 1) model.mark(`${name} ${i}`);
    }
  } else if (pick(3) === 0) {
    cache.run('removeAccount', account);
    model.remove(i);
  } else if (pick(2) === 0) {
    cache.run('wipeStorage', account);
    model.wipe(i);
  }
}

function live(seed: number, transactions: number): Cache {
  const random = randomFrom(seed);
  const cache = new Cache();
  const model = new StateModel(addresses.length, 0);
  for (let i = 0; i < transactions; i++) {
    const marks: number[] = [];
    for (let step = 0; step < 25; step++) {
      const kind = random();
      if (kind < 0.15) {
        const mark = cache.run('checkpoint');
        model.checkpoint(mark);
        marks.push(mark);
      } else if (kind < 0.27 && marks.length > 0) {
        // To the last checkpoint or past several at once.
        const to = marks.splice(Math.floor(random() * marks.length))[0] as number;
        cache.run('revertTo', to);
        model.revert(to);
      } else {
        change(cache, model, random);
      }
      if (step % 5 === 0) compare(cache, model);
    }
    const keeps = random() < 0.7;
    if (keeps) cache.finish();
    else cache.run('revertTransaction');
    model.end(keeps);
    if (random() < 0.2) cache.run('forgetState');
    compare(cache, model);
    compareHost(cache, model);
  }
  return cache;
}

test('cache and undo log cannot be told from a state that is copied at each checkpoint', () => {
  for (let seed = 1; seed <= 12; seed++) {
    const cache = live(seed, 60);
    assert.equal(cache.idle, 0, 'a write set holds what the host has already');
  }
});

test('what is warm is not asked of the host again, and what was wiped never', () => {
  const cache = new Cache();
  const write = (slot: number, value: bigint): void => {
    cache.run('setSlot', cache.slot(2, slot), cache.word(value, room.value));
  };
  cache.run('setNonce', cache.account(2), 1n);
  write(0, 7n);
  cache.finish();
  cache.run('forgetState');
  cache.crossings = 0;
  assert.equal(cache.read(cache.run('slotValue', cache.slot(2, 0))), 7n);
  assert.equal(cache.crossings, 2);
  for (let i = 0; i < 3; i++) {
    write(0, BigInt(i));
    cache.finish();
  }
  assert.equal(cache.crossings, 2);
  cache.run('removeAccount', cache.account(2));
  assert.equal(cache.read(cache.run('slotValue', cache.slot(2, 0))), 0n);
  cache.finish();
  assert.equal(cache.read(cache.run('slotValue', cache.slot(2, 0))), 0n);
  assert.equal(cache.crossings, 2);
});

test('pointers to accounts and slots stay good while the tables grow', () => {
  const cache = new Cache();
  const account = cache.account(2);
  const slots: number[] = [];
  for (let i = 0; i < 20_000; i++) {
    const slot = cache.run('slotOf', account, cache.word(BigInt(i) << 100n, room.number));
    cache.run('setSlot', slot, cache.word(BigInt(i) + 1n, room.value));
    slots.push(slot);
  }
  for (const [i, slot] of slots.entries()) {
    assert.equal(cache.run('slotOf', account, cache.word(BigInt(i) << 100n, room.number)), slot);
    assert.equal(cache.read(cache.run('slotValue', slot)), BigInt(i) + 1n);
  }
  cache.run('revertTo', 0);
  for (const slot of slots) assert.equal(cache.read(cache.run('slotValue', slot)), 0n);
});

test('values that end with the transaction end with it, however many there were', () => {
  const cache = new Cache();
  const account = cache.account(1);
  for (let round = 0; round < 3; round++) {
    for (let i = 0; i < 20_000; i++) {
      const number = cache.word(BigInt(i), room.number);
      assert.equal(cache.read(cache.run('transientOf', account, number)), 0n);
      cache.run('setTransient', account, number, cache.word(BigInt(i + round), room.value));
    }
    for (let i = 0; i < 20_000; i++) {
      const value = cache.run('transientOf', account, cache.word(BigInt(i), room.number));
      assert.equal(cache.read(value), BigInt(i + round));
    }
    cache.finish();
  }
});
