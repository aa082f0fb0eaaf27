import assert from 'node:assert/strict';
import type { TestContext } from 'node:test';
import { describeVerdict } from '@concordat/linearizability';
import { HistoryLoad } from './history-load.ts';
import { LocalNetwork, type LocalNetworkOptions } from './local-network.ts';
import type { LocalNode } from './local-node.ts';
import { patienceMs } from './waiting.ts';
import { WriteLoad } from './write-load.ts';

/** Nodes whose disk or network works again shall not sit out a long pause after many launches. */
const shortPauses = { CONCORDAT_VN_RESTART__MAX_DELAY_MS: '500' };

/**
 * A network with both loads on every node from beginning to end: clients that contend for a few
 * keys, whose history is judged, and writes to keys of their own, each of which must stay.
 */
export class FaultRun {
  readonly network: LocalNetwork;
  readonly history: HistoryLoad;
  readonly writes: WriteLoad;

  private constructor(network: LocalNetwork) {
    this.network = network;
    this.history = new HistoryLoad(network);
    this.writes = new WriteLoad(network, { inFlight: 2, patienceMs: 3_000 });
  }

  /** Brings a network up and the loads into their stride. */
  static async start(options: LocalNetworkOptions): Promise<FaultRun> {
    Object.assign(process.env, shortPauses);
    const network = await LocalNetwork.start(options);
    const run = new FaultRun(network);
    try {
      for (const node of network.nodes) await run.progress(50, node);
    } catch (error) {
      await run.end();
      throw error;
    }
    return run;
  }

  /** Waits until a node has answered so many further calls of either load. */
  async progress(calls: number, node: LocalNode, timeoutMs = patienceMs): Promise<void> {
    await Promise.all([
      this.history.progress(calls, node, timeoutMs),
      this.writes.progress(Math.ceil(calls / 3), node, timeoutMs),
    ]);
  }

  /**
   * Ends the loads and requires that the history has an explanation, every key read once more on
   * every node, and that every node has every acknowledged write.
   */
  async check(test: TestContext, nodes: readonly LocalNode[] = this.network.nodes): Promise<void> {
    await this.writes.stop();
    const verdict = await this.history.check(nodes);
    test.diagnostic(describeVerdict(verdict));
    test.diagnostic(`${this.writes.acknowledged.size} of ${this.writes.sent} writes acknowledged`);
    for (const { failures } of [this.history, this.writes]) {
      test.diagnostic(`failures: ${JSON.stringify(Object.fromEntries(failures))}`);
    }
    assert.equal(verdict.result, 'linearizable', describeVerdict(verdict));
    for (const node of nodes) {
      assert.deepEqual(await this.writes.missingOn(node), [], `writes missing on ${node.name}`);
    }
  }

  /** Ends loads and network. */
  async end(): Promise<void> {
    await Promise.all([this.history.stop(), this.writes.stop()]);
    await this.network.end();
  }
}
