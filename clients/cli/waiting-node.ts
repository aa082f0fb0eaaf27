import { readFile, stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { type Constitution, constitutionTerms, parseConstitution } from '@concordat/governance';
import { isHex64, toNodeId } from '@concordat/std';
import { CliError } from './errors.ts';

/** A node of one's own that waits for the approval of the constitution it is shown. */
export interface WaitingNode {
  readonly dataDirectory: string;
  /** What is approved: 64 hex digits. */
  readonly terms: string;
  readonly networkId: string;
  readonly constitution: Constitution;
  /** What was approved before, if that is known. */
  readonly before?: Constitution;
  readonly nodeId: string;
}

/** What a host's status.json says of such a node. */
interface WaitingStatus {
  readonly phase?: string;
  readonly reason?: string;
  readonly nodeId?: unknown;
  readonly approval?: {
    readonly terms?: unknown;
    readonly networkId?: unknown;
    readonly constitution?: unknown;
    readonly before?: unknown;
  };
}

/**
 * The node whose host has this data directory, or this status.json. The constitution is read strictly,
 * and what it is called is worked out anew where its owner does not matter.
 * @throws CliError NOT_WAITING, USAGE
 */
export async function waitingNode(place: string): Promise<WaitingNode> {
  const file = (await stat(place)).isDirectory() ? join(place, 'status.json') : place;
  const { manager } = JSON.parse(await readFile(file, 'utf8')) as { manager?: WaitingStatus };
  const { approval, phase = 'unknown', reason = '', nodeId } = manager ?? {};
  if (phase !== 'awaiting-approval' || !approval) {
    const why = reason && `: ${reason}`;
    throw new CliError(
      'NOT_WAITING',
      `the node waits for no approval; its phase is ${phase}${why}`,
    );
  }
  const { terms, networkId, constitution, before } = approval;
  if (!isHex64(terms) || !isHex64(networkId) || !isHex64(nodeId)) {
    throw new CliError('USAGE', `${file} is no status of a node`);
  }
  return {
    dataDirectory: dirname(file),
    terms,
    networkId,
    nodeId,
    constitution: parseConstitution(constitution),
    ...(before !== undefined && { before: parseConstitution(before) }),
  };
}

/**
 * Refuses a node that calls a constitution other than it is: the status file is whatever the host wrote.
 * @throws CliError MISMATCH
 */
export function requireOwnTerms({ terms, constitution, nodeId }: WaitingNode): void {
  const own = constitution.nodes.find((node) => node.nodeId === nodeId);
  const asNewcomer = { nodeId: toNodeId(nodeId) };
  const possible = [
    constitutionTerms(constitution, asNewcomer),
    ...(own ? [constitutionTerms(constitution, { ...asNewcomer, actorId: own.actorId })] : []),
  ];
  if (possible.includes(terms)) return;
  throw new CliError(
    'MISMATCH',
    'the terms are not those of the constitution that is shown with them',
  );
}
