import type { TestContext } from 'node:test';
import { createFakeNode, type FakeNode, type FakeSnapshot } from '@concordat/conformance';
import { createJavascriptAdapter } from '../index.ts';
import { patientLimits } from './patient-limits.ts';

/**
 * Two nodes that have the ledger of another: one that executed all of it, one that began at a
 * snapshot. They end with the test.
 */
export async function laterNodes(
  t: TestContext,
  { ledger }: FakeNode,
  snapshot: FakeSnapshot,
): Promise<readonly FakeNode[]> {
  const blocks = ledger.committedBlocks;
  const nodes: FakeNode[] = [];
  t.after(() => Promise.all(nodes.map((node) => node.close())));
  for (const start of [{ blocks }, { blocks, snapshot }]) {
    nodes.push(
      await createFakeNode(createJavascriptAdapter(), { config: patientLimits, ...start }),
    );
  }
  return nodes;
}
