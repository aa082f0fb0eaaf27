import assert from 'node:assert/strict';
import { EthereumError } from '../../ethereum/errors.ts';
import { forkOf } from '../../ethereum/fork.ts';
import { ReferenceExecutor } from '../../ethereum/reference/executor.ts';
import {
  type Applied,
  type BlockEnvironment,
  type BlockGas,
  createEvm,
  type Evm,
  EvmError,
  type EvmSink,
  type EvmTransaction,
  MemoryHost,
} from '../index.ts';
import { program, push } from './bytecode.ts';
import {
  addressOf,
  place,
  block as plainBlock,
  type SceneAccount,
  sender,
  toHex,
  transactionOf,
} from './scene.ts';

/** How a transaction ended, in a form that can be compared: text and plain numbers. */
export interface Ending {
  readonly refused?: string;
  readonly status?: 0 | 1;
  readonly gasUsed?: number;
  /** Since Amsterdam. */
  readonly blockGas?: BlockGas | undefined;
  readonly output?: string;
  readonly error?: string | undefined;
  readonly created?: string | undefined;
  readonly logs?: readonly (readonly string[])[];
  /** Every write, by key. */
  readonly changes?: readonly (readonly [string, string])[];
}

/** One state that this engine and the reference both run on; neither keeps what it did. */
export class BothEngines {
  readonly host = new MemoryHost();
  readonly own: Evm;
  readonly #reference: ReferenceExecutor;
  readonly #block: BlockEnvironment;

  constructor(fork: string, block: Partial<BlockEnvironment> = {}) {
    const chainId = 1_337n;
    place(this.host, sender, { balance: 10n ** 24n });
    this.own = createEvm({ fork, chainId, host: this.host });
    this.#reference = new ReferenceExecutor(forkOf(fork, chainId));
    this.#reference.attach(this.host);
    this.#block = { ...plainBlock, ...block };
  }

  place(address: Uint8Array, account: SceneAccount): void {
    place(this.host, address, account);
    this.own.forget();
    this.#reference.forget();
  }

  /** Runs a transaction by this room's engine alone. */
  byOwn(fields: Partial<EvmTransaction>): Ending {
    const { own } = this;
    try {
      const applied = own.execute(transactionOf(fields), this.#block);
      return endingOf(applied, nowhere, (sink) => own.finish(sink));
    } catch (error) {
      return refusalOf(error);
    } finally {
      own.forget();
    }
  }

  /** Runs a transaction by the reference alone. */
  async byReference(fields: Partial<EvmTransaction>): Promise<Ending> {
    const reference = this.#reference;
    const { from, ...rest } = transactionOf(fields);
    try {
      const signed = { ...rest, v: 0n, yParity: 0 as const, r: 1n, s: 1n };
      const applied = await reference.execute({ from, fields: signed as never }, this.#block);
      return endingOf(applied, nowhere, (sink) => reference.finish(sink));
    } catch (error) {
      return refusalOf(error);
    } finally {
      reference.abandon();
      reference.forget();
    }
  }

  /**
   * Runs a hostile transaction by both, which must end alike; then once more by this engine, which
   * throws it away and, without forgetting anything, must end an honest one as it did before.
   */
  async survive(fields: Partial<EvmTransaction>, label = ''): Promise<Ending> {
    const ending = await this.run(fields, label);
    this.survives(fields, label);
    return ending;
  }

  /** The second half of {@link survive}, for what the reference cannot run in reasonable time. */
  survives(fields: Partial<EvmTransaction>, label = ''): void {
    const honest = { ...legacy, to: probe, data: Uint8Array.of(1, 2, 3) };
    this.place(probe, { code: probeCode, nonce: 1n, storage: { 7: 5n } });
    const wanted = this.byOwn(honest);
    assert.equal(wanted.status, 1);
    const { own } = this;
    for (let i = 0; i < 2; i++) {
      try {
        own.execute(transactionOf(fields), this.#block);
      } catch (error) {
        refusalOf(error);
      }
      own.abandon();
    }
    assert.deepEqual(this.byOwn(honest), wanted, `afterwards ${label}`);
  }

  /**
   * Runs transactions one after the other by both, each on what those before have left, and requires
   * that each ends alike. Nonces are given here. Nothing is forgotten in between.
   */
  async sequence(transactions: readonly Partial<EvmTransaction>[], label = ''): Promise<Ending[]> {
    const [mine, theirs] = [copyOf(this.host), copyOf(this.host)];
    const { own } = this;
    const reference = this.#reference;
    own.attach(mine);
    reference.attach(theirs);
    const endings: Ending[] = [];
    for (const [i, fields] of transactions.entries()) {
      const { from, ...rest } = transactionOf({ nonce: BigInt(i), ...fields });
      const ending = endingOf(own.execute({ from, ...rest }, this.#block), mine, (sink) =>
        own.finish(sink),
      );
      const signed = { ...rest, v: 0n, yParity: 0 as const, r: 1n, s: 1n } as never;
      const applied = await reference.execute({ from, fields: signed }, this.#block);
      const wanted = endingOf(applied, theirs, (sink) => reference.finish(sink));
      const words = wordsFor(ending, wanted);
      assert.deepEqual(ending, { ...wanted, ...words }, `${label} transaction ${i}`);
      endings.push(ending);
    }
    own.attach(this.host);
    own.forget();
    reference.forget();
    reference.attach(this.host);
    return endings;
  }

  /** Runs a transaction by both, requires that they end alike, and answers how. */
  async run(fields: Partial<EvmTransaction>, label = ''): Promise<Ending> {
    const own = this.byOwn(fields);
    const reference = await this.byReference(fields);
    assert.deepEqual(own, { ...reference, ...wordsFor(own, reference) }, label);
    return own;
  }
}

const probe = addressOf(0x9b);
/** What every fork takes. */
const legacy = { type: 0, maxFeePerGas: 10n, maxPriorityFeePerGas: 10n } as const;
const zero = push(0n, 1);
/** Storage, memory, hash, log and a call: a little of everything that every fork has. */
const probeCode = program(
  program(
    'CALLDATASIZE',
    zero,
    zero,
    'CALLDATACOPY CALLDATASIZE',
    zero,
    'KECCAK256',
    zero,
    'SSTORE',
  ),
  program(7n, 'SLOAD CALLER BALANCE ADD', zero, 'MSTORE', 64n, zero, 'LOG0'),
  program(32n, 64n, 96n, zero, zero, 4n, 5_000n, 'CALL', 96n, 'MSTORE MSIZE', zero, 'RETURN'),
);

/** The reference says where a jump went wrong and in which way a precompile failed. */
function wordsFor(own: Ending, { error }: Ending): Partial<Ending> {
  if (error?.startsWith('invalid JUMP at ')) return { error: 'invalid JUMP' };
  const fails = own.error === 'precompile failed' && error !== undefined;
  return fails ? { error: own.error } : {};
}

/** A sink that keeps nothing. */
const nowhere: EvmSink = { putAccount() {}, putSlot() {}, putCode() {} };

function copyOf(host: MemoryHost): MemoryHost {
  const copy = new MemoryHost();
  for (const [key, record] of host.accounts) copy.putAccount(key, record);
  for (const [key, value] of host.slots) copy.putSlot(key, value);
  for (const [key, code] of host.codes) copy.putCode(key, code);
  return copy;
}

/** Finishes a transaction into a sink and describes how it ended. */
function endingOf(
  applied: Omit<Applied, 'refund'>,
  kept: EvmSink,
  finish: (sink: EvmSink) => void,
): Ending {
  // By key: a code that two contracts share may be written twice.
  const changes = new Map<string, string>();
  const note = (kind: string, key: string, value: Uint8Array | undefined): void => {
    const name = `${kind} ${Buffer.from(key, 'latin1').toString('hex')}`;
    changes.set(name, value === undefined ? 'removed' : toHex(value));
  };
  const { status, gasUsed, blockGas, output, error, contractAddress, logs } = applied;
  const ending = {
    status,
    gasUsed,
    blockGas,
    output: toHex(output),
    error,
    created: contractAddress === undefined ? undefined : toHex(contractAddress),
    logs: logs.map((log) => [log.address, ...log.topics, log.data].map(toHex)),
  };
  finish({
    putAccount(key, record) {
      note('account', key, record);
      kept.putAccount(key, record);
    },
    putSlot(key, value) {
      note('slot', key, value);
      kept.putSlot(key, value);
    },
    putCode(key, code) {
      note('code', key, code);
      kept.putCode(key, code);
    },
  });
  return { ...ending, changes: [...changes].toSorted(([a], [b]) => (a < b ? -1 : 1)) };
}

function refusalOf(error: unknown): Ending {
  if (error instanceof EvmError || error instanceof EthereumError) return { refused: error.code };
  throw error;
}
