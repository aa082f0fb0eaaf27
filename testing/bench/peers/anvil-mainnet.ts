import { Agent } from 'node:http';
import { type MainnetBlock, mainnetBlock } from '@concordat/ethereum';
import { type BlockCheck, compareBlock, type ExecutedBlock } from '../block-check.ts';
import { type PostBody, type SendRequest, sendRequests } from '../json-rpc-load.ts';
import { anvilArguments, anvilState, anvilStateParameter } from './anvil-world.ts';
import { type CallPeer, caller, postTo } from './json-rpc-peer.ts';
import { freePort, PeerProcess, waitForPeer } from './peer-process.ts';
import { anvilProgram } from './peer-program.ts';

/** Of a larger JSON-RPC batch, Anvil 1.7.1 takes what comes after the 63rd call in reverse. */
const perRequest = 60;

/** What Anvil made of one block. */
export interface AnvilBlock {
  readonly sent: number;
  /** Transactions it refused to take. */
  readonly refused: number;
  /** Why it refused the first of them. */
  readonly why?: string;
  /** Transactions in the block it mined. */
  readonly mined: number;
  /** Whether all are in the block, in the order of sending. */
  readonly inOrder: boolean;
  readonly check: BlockCheck;
  /** Gas the real block used. */
  readonly realGasUsed: number;
}

/** What mining every block once came to. */
export interface AnvilPass {
  /** First request to the last answer of `evm_mine`. */
  readonly ms: number;
  /** Processor time of all processes meanwhile. */
  readonly cpuMicros: number;
  readonly blocks: readonly AnvilBlock[];
}

/**
 * One Anvil a block, with the world before that block: Anvil holds one world, our network a chain a
 * block. Each is started, loaded and has mined its block once, which is then taken back, before
 * anything is measured.
 */
export class AnvilWorlds {
  readonly #worlds: readonly AnvilWorld[];

  private constructor(worlds: readonly AnvilWorld[]) {
    this.#worlds = worlds;
  }

  /** @throws Error when one does not start or does not take its world */
  static async start(numbers: readonly number[]): Promise<AnvilWorlds> {
    const ports = new Set<number>();
    while (ports.size < numbers.length) ports.add(await freePort());
    const blocks = numbers.map(mainnetBlock).toSorted(mostFirst);
    const worlds = blocks.map((block, at) => new AnvilWorld(block, [...ports][at] as number));
    const all = new AnvilWorlds(worlds);
    try {
      await Promise.all(worlds.map((world) => world.load()));
      await all.mine(1);
    } catch (error) {
      await all.stop();
      throw error;
    }
    return all;
  }

  /** Has every block mined, so many worlds at a time, and takes the blocks back. */
  async mine(atATime: number): Promise<AnvilPass> {
    for (const world of this.#worlds) await world.prepare();
    const cpuBefore = this.#cpuMicros();
    const startedMs = performance.now();
    let next = 0;
    let endedMs = startedMs;
    const work = async (): Promise<void> => {
      for (;;) {
        const world = this.#worlds[next++];
        if (world === undefined) return;
        await world.sendAndMine();
        endedMs = performance.now();
      }
    };
    await Promise.all(Array.from({ length: atATime }, work));
    const cpuMicros = this.#cpuMicros() - cpuBefore;
    const blocks: AnvilBlock[] = [];
    for (const world of this.#worlds) blocks.push(await world.takeBack());
    return { ms: endedMs - startedMs, cpuMicros, blocks };
  }

  #cpuMicros(): number {
    return this.#worlds.reduce((sum, world) => sum + world.cpuMicros(), 0);
  }

  /** Ends every process. */
  async stop(): Promise<void> {
    await Promise.all(this.#worlds.map((world) => world.stop()));
  }
}

/** A long block begun last would run alone at the end. */
const mostFirst = (a: MainnetBlock, b: MainnetBlock): number =>
  b.transactions.length - a.transactions.length;

/** One Anvil and the block it is for. */
class AnvilWorld {
  readonly #block: MainnetBlock;
  readonly #requests: readonly SendRequest[];
  readonly #args: readonly string[];
  readonly #agent = new Agent({ keepAlive: true });
  readonly #post: PostBody;
  readonly #call: CallPeer;
  #peer: PeerProcess | undefined;
  #answers: Buffer[] = [];
  #snapshot: unknown;

  constructor(block: MainnetBlock, port: number) {
    const raws = block.transactions.map(({ raw }) => Buffer.from(raw.slice(2), 'hex'));
    this.#block = block;
    this.#requests = sendRequests('/', raws, perRequest);
    this.#args = [anvilProgram(), '--port', `${port}`, ...anvilArguments(block)];
    this.#post = postTo(port, this.#agent);
    this.#call = caller(this.#post);
  }

  /** Starts the process and gives it the world before its block. */
  async load(): Promise<void> {
    this.#peer = new PeerProcess(process.execPath, this.#args);
    const before = this.#block.number - 1;
    // By the number, so that whoever else took the port is not mistaken for it.
    const ready = async () => Number(await this.#call('eth_blockNumber', [])) === before;
    await waitForPeer(this.#peer, ready);
    const loaded = await this.#call('anvil_loadState', [
      anvilStateParameter(anvilState(this.#block)),
    ]);
    if (loaded !== true) throw new Error(`Anvil did not take the world before ${before + 1}`);
  }

  /** Remembers the world, and the time its block is to have. */
  async prepare(): Promise<void> {
    this.#snapshot = await this.#call('evm_snapshot', []);
    await this.#call('evm_setNextBlockTimestamp', [Number(this.#block.header.timestamp)]);
    this.#answers = [];
  }

  /** What the clock runs for. */
  async sendAndMine(): Promise<void> {
    for (const { path, body } of this.#requests) this.#answers.push(await this.#post(path, body));
    await this.#call('evm_mine', []);
  }

  /** Says what was mined and takes it back. */
  async takeBack(): Promise<AnvilBlock> {
    const { number, hardfork, header, transactions } = this.#block;
    const refusals = this.#answers.flatMap(refusalsOf);
    const executed = (await this.#call('eth_getBlockByNumber', [
      `0x${number.toString(16)}`,
      false,
    ])) as ExecutedBlock | null;
    const hashes = executed?.transactions ?? [];
    const sent = transactions.length;
    if ((await this.#call('evm_revert', [this.#snapshot])) !== true) {
      throw new Error(`Anvil did not take back block ${number}`);
    }
    return {
      sent,
      refused: refusals.length,
      ...(refusals[0] !== undefined && { why: refusals[0] }),
      mined: hashes.length,
      inOrder: hashes.length === sent && transactions.every(({ hash }, at) => hash === hashes[at]),
      check: compareBlock({ number, hardfork, header, transactions: sent }, executed),
      realGasUsed: Number(header.gasUsed),
    };
  }

  cpuMicros(): number {
    return this.#peer?.figures().cpuMicros ?? 0;
  }

  async stop(): Promise<void> {
    this.#agent.destroy();
    await this.#peer?.stop();
  }
}

/** Messages of the calls of a batch that were answered with an error. */
export function refusalsOf(answer: Buffer): readonly string[] {
  const answers = JSON.parse(answer.toString()) as
    | { readonly error: { readonly message: string } }
    | readonly { readonly error?: { readonly message: string } }[];
  // What is wrong with a whole batch is answered with one error.
  if (!Array.isArray(answers)) throw new Error(`Anvil refused a batch: ${answer}`);
  return answers.flatMap(({ error }: { error?: { message: string } }) =>
    error ? [error.message] : [],
  );
}
