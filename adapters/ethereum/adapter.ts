import type { RecordedTransaction } from '@concordat/api';
import { upfrontCost } from '@concordat/evm';
import type { ReadView } from '@concordat/kv';
import { BinaryReader, DecodeError } from '@concordat/std';
import {
  type Actor,
  AdapterError,
  type AdapterHost,
  type AdapterMemory,
  type Admitted,
  type BatchEnvironment,
  type BatchSet,
  type CommittedBatch,
  type EndpointDeclaration,
  type LedgerAdapter,
  type Outcome,
  type Refused,
} from '@concordat/worker-enclave';
import { type EthereumTransaction, executeBatch, refusalOf } from './batch-execution.ts';
import { Chain, queuedOf } from './chain.ts';
import type {
  ChainReader,
  ChainView,
  EndpointFactory,
  SubmittedTransaction,
} from './chain-reader.ts';
import { TableChainView } from './chain-view.ts';
import { type ChainConfig, type EthereumConfig, parseConfig } from './config.ts';
import { engines } from './engines.ts';
import { EthereumError } from './errors.ts';
import type { Engine } from './executor.ts';
import { writeGenesis } from './genesis.ts';
import { LedgerPlaces } from './ledger-places.ts';
import { NonceQueue } from './nonce-queue.ts';
import { hashKey } from './open-block.ts';
import { createPreparation } from './preparation.ts';
import { reexecuteBatch } from './reexecution.ts';
import { accountKey, readAccount, tableSource } from './state-source.ts';
import { checkStateless } from './stateless.ts';
import { ethereumTables, tableNames } from './tables.ts';

/** What can be exchanged when the adapter is made. */
export interface EthereumAdapterOptions {
  /** Client endpoints; none by default. The room's index passes JSON-RPC. */
  readonly endpoints?: EndpointFactory;
  /** What executes, whatever a chain's configuration says; for tests. */
  readonly engine?: Engine;
}

interface MadeChain {
  readonly chain: Chain;
  readonly view: TableChainView;
}

/** Ethereum chains as applications of the ledger: one Ethereum block a sealed batch and chain. */
export class EthereumAdapter
  implements LedgerAdapter<EthereumTransaction, SubmittedTransaction>, ChainReader
{
  readonly id = 'ethereum';
  readonly tables = ethereumTables;
  readonly preparation = createPreparation();
  readonly endpoints: readonly EndpointDeclaration<SubmittedTransaction>[];
  readonly #engine: Engine | undefined;
  #config: EthereumConfig | undefined;
  /** By name. */
  #chains = new Map<string, MadeChain>();
  /** Configured anew, or taken away, while they executed a batch: they end it. */
  #replaced: Chain[] = [];
  /** By space. */
  #views = new Map<string, TableChainView>();
  #host: AdapterHost<SubmittedTransaction> | undefined;
  readonly #ledgerPlaces = new LedgerPlaces();
  /** The initial state precedes the first transaction, and nothing else has none. */
  #hasReexecuted = false;

  constructor({ endpoints, engine }: EthereumAdapterOptions = {}) {
    this.#engine = engine;
    this.endpoints = endpoints?.(this) ?? [];
  }

  configure(config: unknown): void {
    let parsed: EthereumConfig;
    try {
      parsed = parseConfig(config);
    } catch (error) {
      if (!(error instanceof EthereumError)) throw error;
      throw new AdapterError('INVALID_CONFIGURATION', error.message, error.details);
    }
    const chains = new Map<string, MadeChain>();
    for (const chain of parsed.chains) {
      const before = this.#chains.get(chain.name);
      const same = before !== undefined && sameChain(before.chain.config, chain);
      chains.set(chain.name, same ? before : this.#make(chain, before?.chain.queue));
    }
    for (const { chain } of this.#chains.values()) {
      const isKept = chains.get(chain.config.name)?.chain === chain;
      if (chain.isExecuting && !isKept) this.#replaced.push(chain);
    }
    this.#config = parsed;
    this.#chains = chains;
    this.#views = new Map(
      [...chains.values()].map(({ chain, view }) => [chain.config.space, view]),
    );
  }

  #make(
    config: ChainConfig,
    queue = new NonceQueue(() => this.#requireHost().timeMs()),
  ): MadeChain {
    const engine = this.#engine ?? engines[config.engine];
    const chain = new Chain(config, engine, queue);
    const host = () => this.#requireHost();
    const view = new TableChainView({ chain, host, ledgerPlaces: this.#ledgerPlaces });
    if (this.#host !== undefined) view.start();
    return { chain, view };
  }

  #requireHost(): AdapterHost<SubmittedTransaction> {
    const host = this.#host;
    if (host === undefined) throw new EthereumError('NOT_STARTED', 'the node is starting');
    return host;
  }

  start(host: AdapterHost<SubmittedTransaction>): void {
    this.#host = host;
    for (const { view } of this.#chains.values()) view.start();
  }

  *genesis(
    open: () => BatchSet,
    data: Uint8Array | undefined,
    env: BatchEnvironment,
  ): Iterable<void> {
    const config = this.#config;
    if (config === undefined) {
      throw new AdapterError('INVALID_GENESIS', 'the adapter is not configured');
    }
    yield* writeGenesis(config, open, data, env);
  }

  admit(
    raw: Uint8Array,
    _actor: Actor,
    view: ReadView,
    prepared?: Uint8Array,
  ): Admitted<EthereumTransaction> | Refused | Promise<Admitted<EthereumTransaction> | Refused> {
    try {
      const admitted = this.#decode(raw, prepared);
      const waits = this.#checkAgainstHead(admitted, view);
      const answer = { ok: true, transaction: admitted } as const;
      return waits === undefined ? answer : waits.then(() => answer, refusalOf);
    } catch (error) {
      return refusalOf(error);
    }
  }

  #decode(raw: Uint8Array, prepared?: Uint8Array): EthereumTransaction {
    const { name, bytes } = readSubmission(raw);
    const found = this.#chains.get(name);
    if (found === undefined) throw unknownChain(name);
    const { chain } = found;
    return { chain, transaction: chain.decode(bytes, prepared) };
  }

  /** What can be told before its turn; the rest is told by execution. */
  #checkAgainstHead(
    { chain, transaction }: EthereumTransaction,
    view: ReadView,
  ): undefined | Promise<void> {
    const { config, fork, queue } = chain;
    const { fields } = transaction;
    const known = view.table(tableNames.transactionHashes);
    if (known.has(hashKey(config.space, transaction.hash))) {
      throw new EthereumError('ALREADY_KNOWN', 'this transaction is in the chain already');
    }
    const baseFee = chain.baseFeeAfter(chain.head(view));
    checkStateless(transaction, fork, { gasLimit: config.gasLimit, baseFee, blobBaseFee: 0n });
    const sender = readAccount(tableSource(view, config.space), accountKey(transaction.from));
    // While others are under way, one of them may bring the funds.
    if (queue.underWay === 0 && (sender?.balance ?? 0n) < upfrontCost(fields, fork)) {
      throw new EthereumError('INSUFFICIENT_FUNDS', 'the sender cannot pay gas and value');
    }
    return queue.enter(queuedOf(transaction), sender?.nonce ?? 0n);
  }

  execute(
    set: BatchSet,
    batch: readonly Admitted<EthereumTransaction>[],
    env: BatchEnvironment,
  ): readonly Outcome<SubmittedTransaction>[] | Promise<readonly Outcome<SubmittedTransaction>[]> {
    const isCurrent = ({ transaction: { chain } }: Admitted<EthereumTransaction>): boolean =>
      this.#chains.get(chain.config.name)?.chain === chain;
    const asked = batch.every(isCurrent) ? batch : batch.map((one) => this.#anew(one));
    return executeBatch(asked, { set, env });
  }

  /** What was admitted, for its chain as it is configured now. */
  #anew(admitted: Admitted<EthereumTransaction>): Admitted<EthereumTransaction> {
    const { chain: before, transaction } = admitted.transaction;
    const { name } = before.config;
    const chain = this.#chains.get(name)?.chain;
    if (chain === before) return admitted;
    try {
      if (chain === undefined) throw unknownChain(name);
      return { ...admitted, transaction: { chain, transaction: chain.decode(transaction.raw) } };
    } catch (refused) {
      if (!(refused instanceof EthereumError)) throw refused;
      return { ...admitted, transaction: { ...admitted.transaction, refused } };
    }
  }

  seal(set: BatchSet): void {
    for (const { chain } of this.#chains.values()) chain.seal(set);
    for (const chain of this.#replaced) chain.seal(set);
    this.#replaced = [];
  }

  async reexecute(
    set: BatchSet,
    recorded: readonly RecordedTransaction[],
  ): Promise<number | undefined> {
    const chains = [...this.#chains.values()].map(({ chain }) => chain);
    const executed = await reexecuteBatch(set, recorded, chains);
    if (executed === 0 && this.#hasReexecuted) {
      const why = 'the state is changed, and no transaction is recorded with it';
      throw new AdapterError('NOT_EXECUTABLE', why, { transaction: 0 });
    }
    this.#hasReexecuted ||= executed !== undefined && executed > 0;
    return executed;
  }

  committed(batch: CommittedBatch, view: ReadView): void {
    for (const space of this.#ledgerPlaces.learn(batch, view)) {
      this.#views.get(space)?.committed(view);
    }
  }

  freezeMemory(): AdapterMemory {
    return this.#ledgerPlaces.freeze();
  }

  restored(memory: Uint8Array, view: ReadView): void {
    try {
      this.#ledgerPlaces.restore(memory, view);
    } catch (error) {
      if (!(error instanceof DecodeError)) throw error;
      throw new AdapterError('INVALID_MEMORY', error.message);
    }
    // Nobody is told of the blocks in between: clients begin anew on new connections.
    if (this.#host !== undefined) for (const chain of this.#chains.values()) chain.view.start();
  }

  headReset(waiting: readonly Admitted<EthereumTransaction>[]): void {
    for (const { chain } of this.#chains.values()) chain.forget();
    this.#replaced = [];
    for (const { transaction: asked } of waiting) asked.chain.waits(asked.transaction);
  }

  chains(): readonly ChainView[] {
    return [...this.#chains.values()].map(({ view }) => view);
  }

  forChain(nameOrId?: string): ChainView | undefined {
    if (nameOrId === undefined) return this.#chains.values().next().value?.view;
    const named = this.#chains.get(nameOrId);
    if (named !== undefined) return named.view;
    if (!/^(0x[0-9a-fA-F]{1,16}|[0-9]{1,20})$/.test(nameOrId)) return undefined;
    const id = BigInt(nameOrId);
    return this.chains().find((view) => view.chainId === id);
  }
}

const unknownChain = (name: string): EthereumError =>
  new EthereumError('UNKNOWN_CHAIN', `no chain is called ${name}`);

/** Reads a submission. @throws EthereumError UNDECODABLE */
function readSubmission(raw: Uint8Array): { readonly name: string; readonly bytes: Uint8Array } {
  try {
    const reader = new BinaryReader(raw);
    const name = reader.text(32);
    return { name, bytes: reader.raw(reader.remaining) };
  } catch (error) {
    if (!(error instanceof DecodeError)) throw error;
    throw new EthereumError('UNDECODABLE', 'the submission names no chain');
  }
}

const asText = (_key: string, value: unknown): unknown => {
  if (typeof value === 'bigint') return value.toString();
  return value instanceof Map ? [...value] : value;
};

function sameChain(a: ChainConfig, b: ChainConfig): boolean {
  return JSON.stringify(a, asText) === JSON.stringify(b, asText);
}
