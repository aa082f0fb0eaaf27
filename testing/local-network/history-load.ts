import { setTimeout as sleep } from 'node:timers/promises';
import { checkHistory, HistoryRecorder, type Verdict } from '@concordat/linearizability';
import { isUntouched, type KeyValueClient } from '@concordat/sdk';
import type { LocalNetwork } from './local-network.ts';
import type { LocalNode } from './local-node.ts';
import { patienceMs, waitUntil } from './waiting.ts';

/** What a load of contended keys does. */
export interface HistoryLoadOptions {
  /** Nodes whose clients read and write; default all. */
  readonly nodes?: readonly LocalNode[];
  /** Clients at each node, each with one request unanswered at a time; default 3. */
  readonly clientsPerNode?: number;
  /** Between an answer and the next request of a client, milliseconds; default 10. */
  readonly pauseMs?: number;
  /** An operation unanswered for so many milliseconds is given up with its stream; default 3,000. */
  readonly patienceMs?: number;
}

/** Keys in use at a time: few, so that clients meet. */
const keysAtOnce = 5;
/** Operations after which a key is done with, so that each key's history stays short. */
const operationsPerKey = 120;

/**
 * Clients of many nodes that read, write and delete the same few keys without pause, each waiting
 * for its answers, and a record of what they were told and when. Every read is linearizable, on
 * every node; no value is ever written twice. What became of a call that failed without saying that
 * it had no effect is unknown. {@link check} judges the whole.
 */
export class HistoryLoad {
  readonly recorder = new HistoryRecorder(() => performance.now());
  /** Answers by node. */
  readonly answers = new Map<string, number>();
  /** How often calls failed, by operation and code. */
  readonly failures = new Map<string, number>();
  readonly #network: LocalNetwork;
  readonly #options: Required<Omit<HistoryLoadOptions, 'nodes'>>;
  readonly #clients: Promise<void>[] = [];
  #calls = 0;
  #running = true;

  constructor(network: LocalNetwork, options: HistoryLoadOptions = {}) {
    this.#network = network;
    const { nodes = network.nodes, clientsPerNode = 3, pauseMs = 10, patienceMs = 3_000 } = options;
    this.#options = { clientsPerNode, pauseMs, patienceMs };
    for (const node of nodes) this.add(node);
  }

  /** Lets clients of one more node take part. */
  add(node: LocalNode): void {
    for (let at = 0; at < this.#options.clientsPerNode; at += 1) {
      this.#clients.push(this.#client(node, `${node.name}/${at}`));
    }
  }

  /** Waits until so many further calls are answered, by one node or by any. */
  async progress(calls: number, node?: LocalNode, timeoutMs = patienceMs): Promise<void> {
    const count = (): number =>
      node
        ? (this.answers.get(node.name) ?? 0)
        : [...this.answers.values()].reduce((sum, each) => sum + each, 0);
    const goal = count() + calls;
    await waitUntil(() => count() >= goal, {
      what: `${calls} answers${node ? ` of ${node.name}` : ''}`,
      timeoutMs,
      seen: () => ({ missing: goal - count(), failures: Object.fromEntries(this.failures) }),
    });
  }

  /** Ends the load and waits for the answers under way. */
  async stop(): Promise<void> {
    this.#running = false;
    await Promise.all(this.#clients);
  }

  /**
   * Ends the load, reads every key it used on every node given, and judges the history: those last
   * reads see to it that what was acknowledged last is not missing anywhere.
   */
  async check(nodes: readonly LocalNode[] = this.#network.nodes): Promise<Verdict> {
    await this.stop();
    const keys = new Set(this.recorder.history().map(({ key }) => key));
    for (const node of nodes) {
      const client = await this.#network.keyvalue(node);
      const read = (key: string) => this.#read(client, `last/${node.name}`, key);
      await Promise.all(Array.from(keys, read)).finally(() => client.close());
    }
    return checkHistory(this.recorder.history(), { budgetMs: patienceMs });
  }

  async #client(node: LocalNode, name: string): Promise<void> {
    while (this.#running) {
      let client: KeyValueClient;
      try {
        client = await this.#network.keyvalue(node, { timeoutMs: this.#options.patienceMs });
      } catch (error) {
        this.#failed('open', error);
        await sleep(100);
        continue;
      }
      while (this.#running && !client.frames.isClosed) {
        const impatient = setTimeout(() => client.close(), this.#options.patienceMs);
        if (await this.#call(client, name)) {
          this.answers.set(node.name, (this.answers.get(node.name) ?? 0) + 1);
        }
        clearTimeout(impatient);
        await sleep(this.#options.pauseMs);
      }
      client.close();
    }
  }

  /** Does the next operation; whether it was answered. */
  #call(client: KeyValueClient, name: string): Promise<boolean> {
    const number = this.#calls++;
    const generation = Math.floor(number / (keysAtOnce * operationsPerKey));
    const key = `history/${generation}/${Math.floor(Math.random() * keysAtOnce)}`;
    const dice = Math.random();
    if (dice < 0.5) return this.#read(client, name, key);
    return dice < 0.9
      ? this.#write(client, name, key, `${number}`)
      : this.#erase(client, name, key);
  }

  #read(client: KeyValueClient, name: string, key: string): Promise<boolean> {
    const call = this.recorder.call(name, key, { kind: 'read' });
    return client.promises.get(key, 'linearizable').then(
      (value) => {
        call.returned({ value: value?.toString() });
        return true;
      },
      (error: unknown) => {
        call.failed();
        return this.#failed('read', error);
      },
    );
  }

  #write(client: KeyValueClient, name: string, key: string, value: string): Promise<boolean> {
    const call = this.recorder.call(name, key, { kind: 'write', value });
    return client.promises.put(key, Buffer.from(value)).then(
      () => {
        call.returned({});
        return true;
      },
      (error: unknown) => {
        isUntouched(error) ? call.failed() : call.unknown();
        return this.#failed('write', error);
      },
    );
  }

  #erase(client: KeyValueClient, name: string, key: string): Promise<boolean> {
    const call = this.recorder.call(name, key, { kind: 'delete' });
    return client.promises.delete(key).then(
      (transactionId) => {
        call.returned({ existed: transactionId !== undefined });
        return true;
      },
      (error: unknown) => {
        isUntouched(error) ? call.failed() : call.unknown();
        return this.#failed('delete', error);
      },
    );
  }

  #failed(what: string, error: unknown): false {
    const code = error instanceof Error && 'code' in error ? String(error.code) : String(error);
    const name = `${what} ${code}`;
    this.failures.set(name, (this.failures.get(name) ?? 0) + 1);
    return false;
  }
}
