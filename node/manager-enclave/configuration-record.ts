import { type Configuration, configurationFault, type QuorumSizes } from '@concordat/consensus';
import { type Constitution, quorumSizesUnder } from '@concordat/governance';
import { decodeWriteSet } from '@concordat/kv';
import { fromUtf8, isHex64, toNodeId, utf8 } from '@concordat/std';

/**
 * Where the administrative ledger names the configuration in force, in public: a block that writes
 * it is a reconfiguration. Value: docs/format/governance.md.
 */
export const configurationRow = {
  table: 'public:concordat.configuration',
  key: 'current',
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

/** The bytes of the record. */
export const configurationValue = ({ voters, quorums }: Configuration): Uint8Array =>
  utf8(JSON.stringify({ voters, quorums }));

/**
 * The configuration a reconfiguration block puts in force, from its public write sets; undefined
 * when it names none that makes sense.
 * @throws KvError MALFORMED
 */
export function configurationOf(publicWrites: readonly Uint8Array[]): Configuration | undefined {
  for (const writes of publicWrites) {
    if (writes.length === 0) continue;
    for (const { table, value } of decodeWriteSet(writes)) {
      if (table === configurationRow.table && value) return configurationIn(value);
    }
  }
  return undefined;
}

function configurationIn(value: Uint8Array): Configuration | undefined {
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
