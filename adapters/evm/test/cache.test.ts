import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type Applied, type BlockEnvironment, createEvm, type Evm } from '../index.ts';
import { MemoryHost } from '../memory-host.ts';
import { type StateProgram, stateProgram } from './state-programs.ts';

const text = (bytes: Uint8Array | undefined): string =>
  bytes === undefined ? '-' : Buffer.from(bytes).toString('hex');

/** What can be seen of a transaction, in one text. */
function shown(applied: Applied): string {
  const { status, gasUsed, refund, output, contractAddress, error, logs } = applied;
  const written = logs.map((log) => [text(log.address), log.topics.map(text), text(log.data)]);
  const created = text(contractAddress);
  return JSON.stringify([status, gasUsed, refund, text(output), created, error, written]);
}

/** Takes the changes of a transaction into its maps, and shows them. */
class Recorder extends MemoryHost {
  written: string[] = [];

  constructor(content: MemoryHost) {
    super();
    for (const [key, record] of content.accounts) this.accounts.set(key, record);
    for (const [key, value] of content.slots) this.slots.set(key, value);
    for (const [key, code] of content.codes) this.codes.set(key, code);
  }

  override putAccount(key: string, record: Uint8Array | undefined): void {
    this.written.push(`account ${text(Buffer.from(key, 'latin1'))} ${text(record)}`);
    super.putAccount(key, record);
  }

  override putSlot(key: string, value: Uint8Array | undefined): void {
    this.written.push(`slot ${text(Buffer.from(key, 'latin1'))} ${text(value)}`);
    super.putSlot(key, value);
  }

  override putCode(key: string, code: Uint8Array): void {
    this.written.push(`code ${text(code)}`);
    super.putCode(key, code);
  }
}

/** What is done before each transaction. */
type Habit = (evm: Evm, again: () => void) => void;

/** Runs a program to the end; answers what each transaction did. */
function run(evm: Evm, world: StateProgram, habit: Habit): string[] {
  const host = new Recorder(world.host);
  evm.attach(host);
  evm.forget();
  const block: BlockEnvironment = {
    number: 100,
    timestamp: 1000,
    coinbase: world.coinbase,
    gasLimit: 30_000_000,
    difficulty: 5n,
    prevRandao: 9n,
    baseFee: world.baseFee,
    blobBaseFee: 1n,
    blockHash: (number) => number * 3n,
  };
  return world.steps.map(({ transaction, abandon }) => {
    const { nonce } = evm.account(transaction.from);
    const execute = (): string => shown(evm.execute({ ...transaction, nonce }, block));
    habit(evm, () => {
      execute();
      evm.abandon();
    });
    host.written = [];
    const outcome = execute();
    if (abandon) evm.abandon();
    else evm.finish(host);
    return `${outcome} ${host.written.join(' ')}`;
  });
}

const engines = new Map<string, Evm>();

function engineOf({ fork, host }: StateProgram): Evm {
  let evm = engines.get(fork);
  if (evm === undefined) {
    evm = createEvm({ fork, chainId: 1n, host });
    engines.set(fork, evm);
  }
  return evm;
}

const seeds = Array.from({ length: 250 }, (_, i) => i + 1);

test('what is cached changes nothing: forgetting before each transaction gives the same', () => {
  let destroyed = 0;
  for (const seed of seeds) {
    const world = stateProgram(seed);
    const warm = run(engineOf(world), world, () => {});
    const cold = run(engineOf(world), world, (evm) => evm.forget());
    assert.deepEqual(warm, cold, `seed ${seed}, ${world.fork}`);
    destroyed += warm.filter((line) => / account \w+ (-|0[c-f])/.test(line)).length;
  }
  assert.ok(destroyed > 50, 'the programs destroy too little to prove anything');
});

test('an abandoned transaction leaves no trace in what follows', () => {
  for (const seed of seeds) {
    const world = stateProgram(seed);
    const once = run(engineOf(world), world, () => {});
    const twice = run(engineOf(world), world, (_evm, again) => again());
    assert.deepEqual(once, twice, `seed ${seed}, ${world.fork}`);
  }
});
