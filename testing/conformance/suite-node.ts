import assert from 'node:assert/strict';
import type { TestContext } from 'node:test';
import type { Actor, LedgerAdapter } from '@concordat/worker-enclave';
import { createFakeNode, type FakeNode, type FakeNodeOptions } from './fake-node.ts';

/** A read over HTTP. */
export interface SampleQuery {
  readonly method: string;
  /** With the query, if any. */
  readonly path: string;
  readonly body?: string;
}

/** An adapter with requests that show what it does. */
export interface AdapterSamples {
  readonly name: string;
  /** A new, unconfigured adapter. */
  readonly create: () => LedgerAdapter;
  readonly config?: unknown;
  readonly invalidConfigs: readonly unknown[];
  readonly genesisData?: Uint8Array;
  readonly actor?: Actor;
  /** At least three requests, all kept when executed in this order on the genesis state. */
  readonly kept: readonly Uint8Array[];
  /** Requests that are refused or dropped on the genesis state and after all of `kept`. */
  readonly dropped: readonly Uint8Array[];
  /** Reads that together show everything the adapter tells clients of its state, at least one. */
  readonly queries: readonly SampleQuery[];
}

const timeMs = 1_750_000_000_000;

/** Starts a node that tells the same time and draws the same bytes every time. */
export async function startNode(
  t: TestContext,
  samples: AdapterSamples,
  { adapter = samples.create(), ...options }: FakeNodeOptions & { adapter?: LedgerAdapter } = {},
): Promise<FakeNode> {
  const { config, genesisData, actor } = samples;
  const node = await createFakeNode(adapter, {
    config,
    ...(genesisData === undefined ? {} : { genesisData }),
    ...(actor === undefined ? {} : { actor }),
    timeMs: () => timeMs,
    random: (bytes) => new Uint8Array(bytes).fill(7),
    ...options,
  });
  t.after(() => node.close());
  return node;
}

/** Submits everything at once, waits until it is executed, and leaves the answers pending. */
export async function execute(node: FakeNode, requests: readonly Uint8Array[]) {
  const answers = requests.map((raw) => node.submit(raw));
  await node.settled();
  return answers;
}

/** Submits one by one, each committed before the next: one block each. */
export async function commitEach(node: FakeNode, requests: readonly Uint8Array[]): Promise<void> {
  for (const raw of requests) {
    const answer = await node.submit(raw);
    assert.ok(answer.ok, JSON.stringify(answer));
  }
}

/** What the node answers to every query: status, ledger place, body. */
export async function answersOf(
  node: FakeNode,
  queries: readonly SampleQuery[],
): Promise<readonly string[]> {
  const answers: string[] = [];
  for (const { method, path, body } of queries) {
    // A restore closes connections: one kept open might be found closed only when it is used.
    const headers = { 'content-type': 'application/json', connection: 'close' };
    const request = body === undefined ? { method, headers } : { method, body, headers };
    const response = await fetch(node.url + path, request);
    const id = response.headers.get('x-ms-ccf-transaction-id');
    answers.push(`${method} ${path}: ${response.status} ${id} ${await response.text()}`);
  }
  return answers;
}
