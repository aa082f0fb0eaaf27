import { Store } from '@concordat/kv';
import type { ActionName } from './action-names.ts';
import { applyActions, proposedApplications, readActions } from './actions.ts';
import type { Constitution } from './constitution.ts';
import type { GovernanceEffect } from './effects.ts';
import { GovernanceError, type GovernanceErrorCode } from './errors.ts';
import type { ProposedAction } from './proposal.ts';
import { readConstitution, writeGenesis } from './state.ts';
import { governanceTables, programsTable, tables, writeRow } from './tables.ts';

/** What actions would make of a constitution, or why nothing. */
export type Preview =
  | {
      readonly ok: true;
      readonly constitution: Constitution;
      readonly effects: readonly GovernanceEffect[];
    }
  | { readonly ok: false; readonly code: GovernanceErrorCode; readonly message: string };

/** Nothing of the network is in a constitution: these stand for what actions never look at. */
const stands = { networkId: '0'.repeat(64), networkCertificatePem: '', timeMs: 0 };

/** Changes of what no constitution holds: nothing can be said of them here. */
const beyond: ReadonlySet<ActionName> = new Set([
  'grant_audit',
  'revoke_audit',
  'begin_epoch',
  'open_network',
]);

/**
 * Makes the changes on a copy of a constitution, by the very code that a vote runs. What is beyond
 * the constitution is left out: grants to auditors, epochs, a recovery under way.
 * @param constitution as {@link readConstitution} or `parseConstitution` gives it
 */
export function previewActions(
  constitution: Constitution,
  actions: readonly ProposedAction[],
): Preview {
  const set = new Store(governanceTables).begin(1);
  try {
    writeGenesis(set, constitution, stands);
    for (const row of constitution.applications ?? []) {
      writeRow(set, tables.applications, row.adapter, row);
    }
    const read = readActions({ actions }).filter(({ name }) => !beyond.has(name));
    // The ledger has the programs of what is proposed: their bytes do not matter here.
    for (const { digest, bytes } of proposedApplications({ actions })) {
      set.table(programsTable).set(digest, new Uint8Array(bytes));
    }
    const effects = applyActions(set, read);
    return { ok: true, constitution: readConstitution(set), effects };
  } catch (error) {
    if (!(error instanceof GovernanceError)) throw error;
    return { ok: false, code: error.code, message: error.message };
  }
}
