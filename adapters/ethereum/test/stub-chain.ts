import type { Actor, AdapterHost, Submitted } from '@concordat/worker-enclave';
import type {
  AccountView,
  BlockReference,
  BlockView,
  CallOutcome,
  ChainReader,
  ChainView,
  HeadListener,
  LogFilter,
  LogView,
  ReceiptView,
  ReplayProgress,
  SubmittedTransaction,
  TransactionView,
} from '../chain-reader.ts';
import { EthereumError } from '../errors.ts';

const fill = (length: number, byte: number): Uint8Array => new Uint8Array(length).fill(byte);

const noUncles = Buffer.from(
  '1dcc4de8dec75d7aab85b567b6ccd41ad312451b948a7413f0a142fd40d49347',
  'hex',
);

/** A block of the stub: number n has hash n+0x10 repeated and one transaction of hash n+0x80. */
function blockAt(number: number): BlockView {
  return {
    header: {
      parentHash: fill(32, 0x0f + number),
      unclesHash: noUncles,
      coinbase: fill(20, 1),
      stateRoot: fill(32, 2),
      transactionsRoot: fill(32, 3),
      receiptsRoot: fill(32, 4),
      logsBloom: fill(256, 0),
      difficulty: 0n,
      number,
      gasLimit: 30_000_000,
      gasUsed: 21_000,
      timestamp: 1_700_000_000 + number,
      extraData: fill(0, 0),
      mixHash: fill(32, 5),
      nonce: fill(8, 0),
      baseFeePerGas: 7n,
      withdrawalsRoot: fill(32, 6),
    },
    hash: fill(32, 0x10 + number),
    transactionHashes: [fill(32, 0x80 + number)],
    size: 600,
  };
}

/** A committed log of the stub: block n emits n logs with topics 1 and n. */
export const logAt = (blockNumber: number, logIndex: number): LogView => ({
  address: fill(20, 0xaa),
  topics: [fill(32, 1), fill(32, blockNumber)],
  data: Uint8Array.of(logIndex),
  blockNumber,
  blockHash: fill(32, 0x10 + blockNumber),
  transactionHash: fill(32, 0x80 + blockNumber),
  transactionIndex: 0,
  logIndex,
});

const someone = fill(20, 0x77);

/** A chain of canned blocks behind the read interface: what the endpoints are tested against. */
export class StubChain implements ChainView {
  readonly name: string = 'main';
  readonly chainId: bigint = 1_337n;
  readonly hardfork = 'prague';
  readonly zeroFee = true;
  readonly gasLimit = 30_000_000;
  readonly baseFeePerGas = 7n;
  readonly replay = false;
  /** Latest block; tests raise it through {@link commit}. */
  height = 3;
  /** What the next call answers. */
  outcome: CallOutcome = { status: 'success', output: Uint8Array.of(1, 2), gasUsed: 21_000 };
  /** Arguments of the last call. */
  lastCall: unknown[] = [];
  readonly listeners = new Set<HeadListener>();

  commit(): void {
    const block = blockAt(++this.height);
    const logs = Array.from({ length: this.height }, (_, index) => logAt(this.height, index));
    for (const listener of this.listeners) listener(block, logs);
  }
  /** Set by a test that wants a chain that replays. */
  replayProgress?: () => ReplayProgress;

  blockNumber(): number {
    return this.height;
  }
  #number(reference: BlockReference): number | undefined {
    if (reference === 'earliest') return 0;
    if (typeof reference === 'string') return this.height;
    if (typeof reference === 'number') return reference <= this.height ? reference : undefined;
    const number = reference[0]! - 0x10;
    return number >= 0 && number <= this.height && reference[31] === reference[0]
      ? number
      : undefined;
  }
  block(reference: BlockReference): BlockView | undefined {
    const number = this.#number(reference);
    return number === undefined ? undefined : blockAt(number);
  }
  #transaction(number: number): TransactionView {
    return {
      hash: fill(32, 0x80 + number),
      from: someone,
      raw: Uint8Array.of(2, 0xc0, number),
      fields: {
        type: 2,
        chainId: 1_337n,
        nonce: BigInt(number),
        maxFeePerGas: 9n,
        maxPriorityFeePerGas: 1n,
        gasLimit: 21_000n,
        to: fill(20, 0xaa),
        value: 5n,
        data: fill(0, 0),
        accessList: [{ address: fill(20, 0xaa), storageKeys: [fill(32, 9)] }],
        authorizationList: [],
        blobVersionedHashes: [],
        maxFeePerBlobGas: 0n,
        v: 1n,
        yParity: 1,
        r: 11n,
        s: 12n,
      },
      blockNumber: number,
      blockHash: fill(32, 0x10 + number),
      index: 0,
      effectiveGasPrice: 8n,
    };
  }
  transactionByHash(hash: Uint8Array): TransactionView | undefined {
    const number = hash[0]! - 0x80;
    return number >= 0 && number <= this.height ? this.#transaction(number) : undefined;
  }
  transactionByIndex(reference: BlockReference, index: number): TransactionView | undefined {
    const number = this.#number(reference);
    return number === undefined || index > 0 ? undefined : this.#transaction(number);
  }
  transactionId(hash: Uint8Array): string | undefined {
    return this.transactionByHash(hash) ? `2.${hash[0]}` : undefined;
  }
  receiptByHash(hash: Uint8Array): ReceiptView | undefined {
    const view = this.transactionByHash(hash);
    if (!view) return undefined;
    return {
      transactionHash: view.hash,
      transactionIndex: 0,
      blockHash: view.blockHash,
      blockNumber: view.blockNumber,
      from: view.from,
      to: fill(20, 0xaa),
      type: 2,
      status: 1,
      gasUsed: 21_000,
      cumulativeGasUsed: 21_000,
      effectiveGasPrice: 8n,
      logs: [logAt(view.blockNumber, 0)],
      logsBloom: fill(256, 0),
    };
  }
  receiptsOfBlock(reference: BlockReference): readonly ReceiptView[] | undefined {
    const number = this.#number(reference);
    return number === undefined ? undefined : [this.receiptByHash(fill(32, 0x80 + number))!];
  }
  #requireState(at: BlockReference | undefined): void {
    const number = this.#number(at ?? 'latest');
    if (number === undefined) throw new EthereumError('UNKNOWN_BLOCK', 'header not found');
    if (number < this.height) {
      throw new EthereumError('STATE_NOT_KEPT', 'state of earlier blocks is not kept');
    }
  }
  account(_address: Uint8Array, at?: BlockReference): AccountView {
    this.#requireState(at);
    return { exists: true, nonce: 4n, balance: 10n ** 21n, codeHash: fill(32, 0) };
  }
  code(_address: Uint8Array, actor: Actor, at?: BlockReference): Uint8Array {
    this.#requireState(at);
    if (actor.name === 'outsider') {
      throw new EthereumError('ACCESS_DENIED', 'code is closed to this actor');
    }
    return Uint8Array.of(0x60, 0);
  }
  storageAt(_of: Uint8Array, slot: Uint8Array, actor: Actor, at?: BlockReference): Uint8Array {
    this.code(_of, actor, at);
    return slot;
  }
  pendingNonce(): bigint {
    return 5n;
  }
  logs(filter: LogFilter): readonly LogView[] {
    const bounds = filter.blockHash
      ? [this.#number(filter.blockHash), this.#number(filter.blockHash)]
      : [this.#number(filter.fromBlock ?? 'latest'), this.#number(filter.toBlock ?? 'latest')];
    const [from, to] = bounds;
    if (from === undefined || to === undefined) {
      throw new EthereumError('UNKNOWN_BLOCK', 'unknown block');
    }
    const found: LogView[] = [];
    for (let number = from; number <= to; number++) {
      for (let index = 0; index < number; index++) found.push(logAt(number, index));
    }
    if (found.length > (filter.limit ?? 10_000)) {
      const why = `query returned more than ${filter.limit} results`;
      throw new EthereumError('TOO_MANY_RESULTS', why);
    }
    return found;
  }
  async call(...args: unknown[]): Promise<CallOutcome> {
    this.lastCall = args;
    this.#requireState(args[1] as BlockReference);
    return this.outcome;
  }
  async estimateGas(...args: unknown[]): Promise<{ readonly gas: number } | CallOutcome> {
    const outcome = await this.call(...args);
    return outcome.status === 'success' ? { gas: outcome.gasUsed } : outcome;
  }
  async createAccessList(...args: unknown[]) {
    return { accessList: [], outcome: await this.call(...args) };
  }
  feeHistory(count: number, newest: BlockReference) {
    const last = this.#number(newest) ?? this.height;
    const numbers = Array.from({ length: last + 1 }, (_, number) => number).slice(-count);
    return numbers.map((number) => ({
      number,
      baseFeePerGas: 7n,
      gasUsed: 40_000,
      gasLimit: 80_000,
      rewards: [
        { gasUsed: 30_000, priorityFee: 9n },
        { gasUsed: 10_000, priorityFee: 2n },
      ],
    }));
  }
  subscribe(listener: HeadListener): () => void {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  }
  submission(raw: Uint8Array): Uint8Array {
    return Buffer.concat([Buffer.from(`${this.name}:`), raw]);
  }
}

/** A second chain of the network, under another name and id. */
class SideChain extends StubChain {
  override readonly name = 'side';
  override readonly chainId = 7n;
}

/** Two stub chains; `main` is the default. */
export function stubReader(): { main: StubChain; side: StubChain; reader: ChainReader } {
  const [main, side] = [new StubChain(), new SideChain()];
  const chains: StubChain[] = [main, side];
  const forChain = (name?: string) =>
    name === undefined ? main : chains.find((chain) => chain.name === name);
  return { main, side, reader: { chains: () => chains, forChain } };
}

/** An actor of the tests. */
export const stubActor = (name: string): Actor => ({
  actorId: Buffer.from(name).toString('hex').padEnd(64, '0') as Actor['actorId'],
  name,
  kinds: ['participant'],
  roles: [],
});

/** A host that records submissions and answers them when told to. */
export class StubHost implements AdapterHost<SubmittedTransaction> {
  readonly submissions: {
    readonly raw: string;
    readonly wait: string;
    readonly done: (answer: Submitted<SubmittedTransaction>) => void;
  }[] = [];
  readonly logged: string[] = [];
  nowMs = 1_000_000;

  committed(): never {
    throw new Error('the endpoints read through the chain reader only');
  }
  head(): never {
    throw new Error('the endpoints read through the chain reader only');
  }
  submit(): never {
    throw new Error('the endpoints use submitWith');
  }
  submitWith(
    raw: Uint8Array,
    _actor: Actor,
    wait: string,
    done: (answer: Submitted<SubmittedTransaction>) => void,
  ): void {
    this.submissions.push({ raw: Buffer.from(raw).toString('latin1'), wait, done });
  }
  /** Accepts one submission, as block 3. */
  accept(index: number): void {
    const hash = `0x${String(index % 10).repeat(64)}`;
    const result = { hash, blockNumber: 3, index, status: 1 as const, gasUsed: 21_000 };
    this.submissions[index]!.done({ ok: true, result, transactionId: `2.${index + 1}`, height: 9 });
  }
  askLedger(): Promise<Uint8Array> {
    return Promise.reject(new Error('no endpoint of this adapter asks for receipts'));
  }
  callExternal(): Promise<never> {
    return Promise.reject(new Error('no endpoint of this adapter calls anybody'));
  }

  readPast(): Promise<never> {
    return Promise.reject(new Error('no endpoint of this adapter asks for the past'));
  }

  whenCurrent(_actor: Actor, done: () => void): void {
    process.nextTick(done);
  }
  role() {
    return { leader: true, view: 2 };
  }
  timeMs(): number {
    return this.nowMs;
  }
  log(event: string): void {
    this.logged.push(event);
  }
}
