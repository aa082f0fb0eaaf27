import {
  governanceTables,
  networkInfo,
  parseConstitution,
  readConstitution,
  writeGenesis,
} from '@concordat/governance';
import { Store } from '@concordat/kv';
import { CodedError, type NodeId } from '@concordat/std';
import { maxGenesisMs } from './epoch-rehearsal.ts';
import { isFormError } from './form-error.ts';
import { frameworkTables } from './framework-tables.ts';
import { isEndorsed } from './join-rehearsal.ts';
import { isoOf } from './message-rehearsal.ts';
import { judgeEvidence } from './recorded-evidence.ts';
import { rehearseFormer } from './recovery-rehearsal.ts';
import {
  type AdministrativeBlock,
  completeAndCompare,
  type Deed,
  type RehearsalContext,
  withCeremonies,
} from './rehearsal.ts';

/**
 * Begins the network anew from the constitution the first block records, and compares: what its
 * founders agreed on, and nothing more (paper: Bringing up the Network). The state is that after it.
 */
export function rehearseGenesis(block: AdministrativeBlock, context: RehearsalContext): void {
  const { replay, findings } = context;
  const refuse = (message: string, cause?: string): void =>
    findings.defect('governance', 'WRONG_GENESIS', cause ? { message, cause } : { message });
  try {
    const info = networkInfo(replay.state);
    const { genesisTimeMs, networkId, networkCertificate: networkCertificatePem } = info;
    if (Math.abs(block.header.timeMs - genesisTimeMs) > maxGenesisMs) {
      refuse(`it says ${isoOf(genesisTimeMs)}, its block is of ${isoOf(block.header.timeMs)}`);
    }
    const constitution = parseConstitution(readConstitution(replay.state));
    const set = new Store([...governanceTables, ...frameworkTables]).begin(1);
    writeGenesis(set, constitution, { networkId, networkCertificatePem, timeMs: genesisTimeMs });
    rehearseFormer(set, block.recorded, findings);
    let joined: NodeId | undefined;
    for (const entry of constitution.nodes) {
      if (entry.status === 'admitted') continue;
      isEndorsed(entry, context);
      judgeEvidence(set, { block, entry }, context);
      // Only the first node, which seals the block, can have shown evidence.
      if (entry.nodeId === block.header.leader) joined = entry.nodeId;
    }
    const genesis: Deed = { kind: 'genesis', epochFor: ['genesis'], ...(joined && { joined }) };
    const deed = withCeremonies(set, genesis, { block, context });
    if (deed) completeAndCompare(set, { block, deed }, context);
  } catch (error) {
    if (!isFormError(error)) throw error;
    refuse(error.message, error instanceof CodedError ? String(error.code) : undefined);
  }
  findings.examined('governance', 'administrativeBlocks');
}
