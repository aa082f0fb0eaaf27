import {
  type Configuration,
  configurationFault,
  type PlacedConfiguration,
  type QuorumSizes,
} from '@concordat/consensus';
import { type Constitution, quorumSizesUnder } from '@concordat/governance';
import { decodeWriteSet, type ReadView, type TransactionSet } from '@concordat/kv';
import { assert, fromUtf8, isHex64, toHeight, toNodeId, utf8 } from '@concordat/std';

/**
 * Where the administrative ledger names the configuration in force, in public: a block that writes
 * it is a reconfiguration. Value: docs/format/governance.md.
 */
export const configurationRow = {
  table: 'public:concordat.configuration',
  key: 'current',
  /** Height of the block that wrote it, in decimal digits. */
  sinceKey: 'since',
} as const;

/** Who orders blocks under a constitution: its trusted nodes, in a fixed order, by its quorums. */
export function configurationUnder(constitution: Constitution): Configuration {
  const voters = constitution.nodes
    .filter((node) => node.status === 'trusted')
    .map((node) => node.nodeId)
    .sort();
  const quorums = quorumSizesUnder(constitution.policies, voters.length);
  return quorums ? { voters, quorums } : { voters };
}

/** Names the configuration that is in force from the block at a height on. */
export function writeConfiguration(set: TransactionSet, placed: PlacedConfiguration): void {
  const { voters, quorums } = placed.configuration;
  const table = set.table(configurationRow.table);
  table.set(configurationRow.key, utf8(JSON.stringify({ voters, quorums })));
  table.set(configurationRow.sinceKey, utf8(String(placed.height)));
}

/** The configuration in force in a state that has its genesis. */
export function configurationIn(view: ReadView): PlacedConfiguration {
  const table = view.table(configurationRow.table);
  const [value, since] = [table.get(configurationRow.key), table.get(configurationRow.sinceKey)];
  const configuration = value && configurationOfValue(value);
  assert(configuration && since, 'a state with its genesis has a configuration');
  return { configuration, height: toHeight(Number(fromUtf8(since))) };
}

/**
 * The configuration a reconfiguration block puts in force, from its public write sets; undefined
 * when it names none that makes sense.
 * @throws KvError MALFORMED
 */
export function configurationOf(publicWrites: readonly Uint8Array[]): Configuration | undefined {
  for (const writes of publicWrites) {
    if (writes.length === 0) continue;
    for (const { table, key, value } of decodeWriteSet(writes)) {
      const isRow = table === configurationRow.table && key === configurationRow.key;
      if (isRow && value) return configurationOfValue(value);
    }
  }
  return undefined;
}

function configurationOfValue(value: Uint8Array): Configuration | undefined {
  try {
    return readConfiguration(JSON.parse(fromUtf8(value)));
  } catch {
    return undefined;
  }
}

/** Reads a configuration from parsed JSON; undefined when it is none that could be in force. */
export function readConfiguration(value: unknown): Configuration | undefined {
  if (typeof value !== 'object' || value === null) return undefined;
  const { voters, quorums, ...others } = value as Record<string, unknown>;
  if (Object.keys(others).length > 0) return undefined;
  if (!Array.isArray(voters) || !voters.every(isHex64)) return undefined;
  const sizes = quorums === undefined ? undefined : readQuorums(quorums);
  if (quorums !== undefined && !sizes) return undefined;
  const configuration = { voters: voters.map(toNodeId), ...(sizes && { quorums: sizes }) };
  return configurationFault(configuration) ? undefined : configuration;
}

function readQuorums(value: unknown): QuorumSizes | undefined {
  if (typeof value !== 'object' || value === null) return undefined;
  const { replication, election, ...others } = value as Record<string, unknown>;
  if (typeof replication !== 'number' || typeof election !== 'number') return undefined;
  return Object.keys(others).length > 0 ? undefined : { replication, election };
}
