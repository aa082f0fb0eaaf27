import assert from 'node:assert/strict';
import { EthereumError } from '../../ethereum/errors.ts';
import { forkOf } from '../../ethereum/fork.ts';
import { ReferenceExecutor } from '../../ethereum/reference/executor.ts';
import {
  type Applied,
  type BlockEnvironment,
  createEvm,
  type Evm,
  EvmError,
  type EvmSink,
  type EvmTransaction,
  MemoryHost,
} from '../index.ts';
import {
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
      return endingOf(applied, (sink) => own.finish(sink));
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
      return endingOf(applied, (sink) => reference.finish(sink));
    } catch (error) {
      return refusalOf(error);
    } finally {
      reference.abandon();
      reference.forget();
    }
  }

  /** Runs a transaction by both, requires that they end alike, and answers how. */
  async run(fields: Partial<EvmTransaction>, label = ''): Promise<Ending> {
    const own = this.byOwn(fields);
    assert.deepEqual(own, await this.byReference(fields), label);
    return own;
  }
}

function endingOf(applied: Omit<Applied, 'refund'>, finish: (sink: EvmSink) => void): Ending {
  // By key: a code that two contracts share may be written twice.
  const changes = new Map<string, string>();
  const note = (kind: string, key: string, value: Uint8Array | undefined): void => {
    const name = `${kind} ${Buffer.from(key, 'latin1').toString('hex')}`;
    changes.set(name, value === undefined ? 'removed' : toHex(value));
  };
  const { status, gasUsed, output, error, contractAddress, logs } = applied;
  const ending = {
    status,
    gasUsed,
    output: toHex(output),
    error,
    created: contractAddress === undefined ? undefined : toHex(contractAddress),
    logs: logs.map((log) => [log.address, ...log.topics, log.data].map(toHex)),
  };
  finish({
    putAccount: (key, record) => note('account', key, record),
    putSlot: (key, value) => note('slot', key, value),
    putCode: (key, code) => note('code', key, code),
  });
  return { ...ending, changes: [...changes].toSorted(([a], [b]) => (a < b ? -1 : 1)) };
}

function refusalOf(error: unknown): Ending {
  if (error instanceof EvmError || error instanceof EthereumError) return { refused: error.code };
  throw error;
}
