import { randomBytes } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import type { KeyValueClient } from '@concordat/sdk';
import type { LocalNetwork } from './local-network.ts';
import type { LocalNode } from './local-node.ts';
import { patienceMs, waitUntil } from './waiting.ts';

/** What a load does. */
export interface WriteLoadOptions {
  /** Nodes written to, each over one stream; default all. */
  readonly nodes?: readonly LocalNode[];
  /** Writes unanswered at once on each stream; default 8. */
  readonly inFlight?: number;
  /** Between an answer and the next write, milliseconds; default 20, so that checks stay short. */
  readonly pauseMs?: number;
  /** Prefix of the keys; default `load/`. */
  readonly prefix?: string;
  /** A write unanswered for so many milliseconds is given up with its stream; default 5,000. */
  readonly patienceMs?: number;
}

/** A stream that does not open within this is tried anew, milliseconds. */
const openMs = 10_000;
/** Reads unanswered at once when the promise is checked. */
const readsAtOnce = 1_000;

/**
 * Writes to a network without pause, to keys never written twice, and remembers which writes were
 * acknowledged: those, and no others, the network has promised to keep. A stream that breaks is
 * opened anew; a write that fails may have taken effect or not.
 */
export class WriteLoad {
  /** Value by key of every acknowledged write. */
  readonly acknowledged = new Map<string, Buffer>();
  /** How often writes failed, by code. */
  readonly failures = new Map<string, number>();
  /** Acknowledged writes by node. */
  readonly byNode = new Map<string, number>();
  readonly #network: LocalNetwork;
  readonly #prefix: string;
  readonly #patienceMs: number;
  readonly #pauseMs: number;
  readonly #writers: Promise<void>[];
  #sent = 0;
  #answered = 0;
  #running = true;
  #lastMs = performance.now();
  #longestGapMs = 0;

  constructor(network: LocalNetwork, options: WriteLoadOptions = {}) {
    this.#network = network;
    this.#prefix = options.prefix ?? 'load/';
    this.#patienceMs = options.patienceMs ?? 5_000;
    this.#pauseMs = options.pauseMs ?? 20;
    const { nodes = network.nodes, inFlight = 8 } = options;
    this.#writers = nodes.map((node) => this.#write(node, inFlight));
  }

  /** Writes sent, whatever became of them. */
  get sent(): number {
    return this.#sent;
  }

  /** Writes of which the outcome was told or given up. */
  get answered(): number {
    return this.#answered;
  }

  /** The longest time without any acknowledgement, milliseconds. */
  get longestGapMs(): number {
    return Math.max(this.#longestGapMs, this.#running ? performance.now() - this.#lastMs : 0);
  }

  /** Waits until that many further writes are acknowledged, on one node or on any. */
  async progress(writes: number, node?: LocalNode, timeoutMs = patienceMs): Promise<void> {
    const count = (): number => (node ? (this.byNode.get(node.name) ?? 0) : this.acknowledged.size);
    const goal = count() + writes;
    await waitUntil(() => count() >= goal, {
      what: `${writes} writes acknowledged${node ? ` by ${node.name}` : ''}`,
      timeoutMs,
      seen: () => ({ missing: goal - count(), failures: Object.fromEntries(this.failures) }),
    });
  }

  /** Ends the load and waits for the answers under way. */
  async stop(): Promise<void> {
    this.#running = false;
    await Promise.all(this.#writers);
  }

  async #write(node: LocalNode, inFlight: number): Promise<void> {
    while (this.#running) {
      let client: KeyValueClient;
      try {
        client = await this.#network.keyvalue(node, { timeoutMs: openMs });
      } catch (error) {
        this.#failed(error);
        await sleep(50);
        continue;
      }
      await Promise.all(Array.from({ length: inFlight }, () => this.#writeOn(client, node)));
      client.close();
    }
  }

  async #writeOn(client: KeyValueClient, node: LocalNode): Promise<void> {
    while (this.#running && !client.frames.isClosed) {
      const key = `${this.#prefix}${node.name}/${this.#sent++}`;
      const value = randomBytes(100);
      const impatient = setTimeout(() => client.close(), this.#patienceMs);
      try {
        await client.promises.put(key, value).finally(() => clearTimeout(impatient));
        this.#acknowledge(key, value, node);
      } catch (error) {
        this.#failed(error);
      }
      this.#answered += 1;
      await sleep(this.#pauseMs);
    }
  }

  #acknowledge(key: string, value: Buffer, node: LocalNode): void {
    const nowMs = performance.now();
    this.#longestGapMs = Math.max(this.#longestGapMs, nowMs - this.#lastMs);
    this.#lastMs = nowMs;
    this.acknowledged.set(key, value);
    this.byNode.set(node.name, (this.byNode.get(node.name) ?? 0) + 1);
  }

  #failed(error: unknown): void {
    const code = error instanceof Error && 'code' in error ? String(error.code) : String(error);
    this.failures.set(code, (this.failures.get(code) ?? 0) + 1);
  }

  /** What a node's worker reads is nothing older than this moment. */
  async #caughtUp(client: KeyValueClient, { name }: LocalNode): Promise<void> {
    let seen: unknown;
    const isRead = (): Promise<boolean> =>
      client.promises.get(`${this.#prefix}${name}`, 'linearizable').then(
        () => true,
        (error: unknown) => {
          if (client.frames.isClosed) throw error;
          seen = String(error);
          return false;
        },
      );
    await waitUntil(isRead, { what: `${name} to have caught up`, seen: () => seen });
  }

  /** Acknowledged writes that a node does not have, or has otherwise; empty is the promise kept. */
  async missingOn(node: LocalNode): Promise<string[]> {
    const client = await this.#network.keyvalue(node);
    await this.#caughtUp(client, node);
    const missing: string[] = [];
    const left = [...this.acknowledged];
    const ask = async (): Promise<void> => {
      for (let next = left.pop(); next; next = left.pop()) {
        const [key, value] = next;
        const found = await client.promises.get(key);
        if (!found?.equals(value)) missing.push(key);
      }
    };
    await Promise.all(Array.from({ length: readsAtOnce }, ask)).finally(() => client.close());
    return missing;
  }
}
