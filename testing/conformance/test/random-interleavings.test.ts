import assert from 'node:assert/strict';
import { describe, it, type TestContext } from 'node:test';
import { setTimeout as sleep, setImmediate as turn } from 'node:timers/promises';
import { createEthereumAdapter } from '@concordat/ethereum';
import { Store } from '@concordat/kv';
import { utf8 } from '@concordat/std';
import { randomOf } from '../consensus-network.ts';
import { createFakeNode, type FakeNode } from '../index.ts';
import { chainId, transfer } from './ethereum-node.ts';
import { createToyAdapter } from './toy-adapter.ts';

const seeds = 24;
const steps = 400;
const senders = 3;
/** Of each sender, not answered: of what is sent about again, 64 may wait for those before them. */
const mostOpen = 60;
const patienceMs = 30_000;

type Answer = Awaited<ReturnType<FakeNode['submit']>>;

/** A node that leads, its manager, and its clients, in an order that a seed decides. */
class Play {
  readonly #node: FakeNode;
  readonly #random: () => number;
  readonly #ofSenders: Promise<Answer>[][] = Array.from({ length: senders }, () => []);
  readonly #ofToys: Promise<Answer>[] = [];
  readonly #leavesOfGenesis: number;
  readonly #open = [0, 0, 0, 0];
  #deployed = 0;
  /** The toys' transactions may go to a leader and come back, in which case nobody orders them. */
  #leftOff = false;
  #isLeading = true;

  constructor(node: FakeNode, random: () => number) {
    this.#node = node;
    this.#random = random;
    this.#leavesOfGenesis = this.#leaves;
    node.ledger.hold = true;
  }

  get #ledger() {
    return this.#node.ledger;
  }

  get #leaves(): number {
    return this.#ledger.committedBlocks.flatMap(({ transactions }) => transactions).length;
  }

  #below(bound: number): number {
    return Math.floor(this.#random() * bound);
  }

  async disturb(): Promise<void> {
    for (let step = 0; step < steps; step++) {
      const chance = this.#below(20);
      if (chance < 6) this.#submit();
      else if (chance < 10) this.#ledger.settle(1 + this.#below(4));
      else if (chance < 13) this.#commit();
      else if (chance < 14 && this.#isLeading) this.#throwAway();
      else if (chance < 14) this.#lead();
      else if (chance < 19) await turn();
      else await sleep(this.#below(8));
    }
  }

  #submit(): void {
    for (let left = 1 + this.#below(8); left > 0; left--) {
      const sender = this.#below(senders + 1);
      if (this.#openOf(sender) >= mostOpen) continue;
      const nonces = this.#ofSenders[sender];
      if (nonces) nonces.push(this.#ask(sender, transfer(sender, nonces.length)));
      else this.#ofToys.push(this.#ask(sender, utf8(`set k${this.#ofToys.length} v`)));
    }
  }

  async #ask(sender: number, raw: Uint8Array): Promise<Answer> {
    this.#open[sender] = this.#openOf(sender) + 1;
    const adapterId = sender === senders ? 'toy' : 'ethereum';
    const wait = this.#below(4) === 0 ? 'local' : 'commit';
    const answer = await this.#node.submit(raw, { adapterId, wait });
    this.#open[sender] = this.#openOf(sender) - 1;
    return answer;
  }

  #openOf(sender: number): number {
    return this.#open[sender] as number;
  }

  #commit(): void {
    const { committedHeight, blocks } = this.#ledger;
    this.#ledger.commit(committedHeight + this.#below(blocks.length - committedHeight + 1));
  }

  #throwAway(): void {
    const ledger = this.#ledger;
    const maxBatchTransactions = 1 + this.#below(8);
    const ways = [
      () => ledger.rollback(ledger.blocks.length),
      () => ledger.role(true),
      () => this.#node.configure({ maxBatchTransactions, maxBatchDelayMs: this.#below(4) }),
      () => {
        ledger.refuseBatches += 1 + this.#below(2);
      },
      () => this.#deploy(),
      () => {
        this.#leftOff = true;
        this.#isLeading = false;
        ledger.role(false);
        if (this.#below(2) === 0) this.#lead();
      },
    ];
    ways[this.#below(ways.length)]?.();
  }

  #lead(): void {
    this.#isLeading = true;
    this.#ledger.role(true);
  }

  /** The manager makes a block of its own beside those of the worker. */
  #deploy(): void {
    this.#deployed += 1;
    const set = new Store([{ name: 'toy/words', kind: 'hash' }]).begin(1);
    set.table('toy/words').set(`deployed ${this.#deployed}`, utf8('v'));
    this.#ledger.deploy(set.takeWriteSet());
  }

  async end(): Promise<void> {
    if (!this.#isLeading) this.#lead();
    const untilMs = performance.now() + patienceMs;
    while (this.#isOpen && performance.now() < untilMs) {
      this.#ledger.settle();
      this.#ledger.commit();
      await sleep(1);
    }
    assert.deepEqual(this.#open, [0, 0, 0, 0], 'everybody is answered');
    assert.equal(this.#node.worker.queued, 0);
  }

  /** Who is told before the commit is answered, but has a block to come. */
  get #isOpen(): boolean {
    if (this.#open.some((open) => open > 0)) return true;
    const { hashes, words } = this.#committed;
    return hashes + words < this.#ofSenders.flat().length + this.#ofToys.length;
  }

  /** What the tables hold of transactions; the words of the manager's own blocks do not count. */
  get #committed() {
    const tables = this.#node.dump();
    const count = (name: string): number => tables[name]?.length ?? 0;
    return {
      hashes: count('ethereum/transaction-hashes'),
      // The genesis block is one.
      blocks: count('ethereum/blocks') - 1,
      words: count('toy/words') - this.#deployed,
    };
  }

  /** Each is committed once, those of a sender and those of an adapter in the order they came. */
  async check(): Promise<void> {
    let last = 0;
    for (const [sender, asked] of this.#ofSenders.entries()) {
      for (const [nonce, answer] of (await Promise.all(asked)).entries()) {
        assert.ok(answer.ok, `nonce ${nonce} of ${sender}: ${JSON.stringify(answer)}`);
        if (nonce === 0) last = 0;
        // It was told before the block was certain.
        if (answer.transactionId === undefined) continue;
        assert.ok(seqnoOf(answer) > last, `nonce ${nonce} of ${sender} comes after the one before`);
        last = seqnoOf(answer);
      }
    }
    last = 0;
    for (const answer of await Promise.all(this.#ofToys)) {
      assert.ok(answer.ok, JSON.stringify(answer));
      if (answer.transactionId === undefined) continue;
      assert.ok(this.#leftOff || seqnoOf(answer) > last, 'toys keep their order');
      last = seqnoOf(answer);
    }
    const { hashes, words, blocks } = this.#committed;
    const nonces = this.#ofSenders.flat().length;
    assert.deepEqual([hashes, words], [nonces, this.#ofToys.length]);
    // Each Ethereum block closes with a leaf of its own.
    const leaves = nonces + blocks + words + this.#deployed;
    assert.equal(this.#leaves - this.#leavesOfGenesis, leaves);
  }
}

const seqnoOf = (answer: Answer): number =>
  answer.ok ? Number(answer.transactionId?.split('.')[1]) : 0;

async function play(t: TestContext, seed: number): Promise<void> {
  const random = randomOf(seed);
  const below = (bound: number) => Math.floor(random() * bound);
  const config = { chains: [{ name: 'main', chainId }] };
  const toy = { ...createToyAdapter(), configure: () => {} };
  const node = await createFakeNode([createEthereumAdapter(), toy], {
    config,
    commit: 'on-demand',
    policies: { maxBatchTransactions: 1 + below(8), maxBatchDelayMs: below(4) },
    limits: { maxBatchesInFlight: 1 + below(5) },
  });
  t.after(() => node.close());
  const played = new Play(node, random);
  await played.disturb();
  await played.end();
  await played.check();
}

describe('a node that leads while its head is thrown away again and again', () => {
  for (let seed = 1; seed <= seeds; seed++) {
    it(`commits each transaction once and in order, whatever comes when: seed ${seed}`, (t) =>
      play(t, seed));
  }
});
