import {
  type FormerNetwork,
  isFormerNetwork,
  markRestored,
  type RecoveryStage,
  writeRecoveredFrom,
} from '@concordat/governance';
import type { TransactionSet } from '@concordat/kv';
import { CodedError, fromUtf8 } from '@concordat/std';
import type { Findings } from './findings.ts';
import { type RecordedWrites, tableNames } from './framework-tables.ts';

/**
 * A first block may say that the network goes on from the ledger of another. That ledger is not this
 * one's to prove: whoever wants to know compares the root it names with an audit of the former ledger.
 */
export function rehearseFormer(
  set: TransactionSet,
  recorded: RecordedWrites,
  findings: Findings,
): void {
  const row = recorded.get(tableNames.recoveredFrom, 'network');
  if (!row) return;
  const former: unknown = JSON.parse(fromUtf8(row));
  if (!isFormerNetwork(former)) {
    const message = 'it names a former network without saying which, and how far';
    findings.defect('governance', 'WRONG_GENESIS', { message });
    return;
  }
  writeRecoveredFrom(set, former);
  findings.observe('recovered-from', describe(former));
}

const describe = ({ networkId, lastHeight, lastTransaction, historyRoot }: FormerNetwork): string =>
  `network ${networkId} up to block ${lastHeight}, transaction ${lastTransaction}, history root ${historyRoot}`;

/** The block's stage of a recovery, where it is no outcome of a vote; undefined when there is none. */
export function stageIn(recorded: RecordedWrites): RecoveryStage | undefined {
  const row = recorded.get(tableNames.recovery, 'stage');
  return row && (JSON.parse(fromUtf8(row)) as RecoveryStage);
}

/**
 * The leader says that all of the former network's transactions are in this ledger: as many as there
 * are, once, and after a recovery began.
 * @param there application transactions in the ledger before this block
 */
export function rehearseRestoration(
  set: TransactionSet,
  stage: RecoveryStage,
  { there, findings }: { readonly there: number; readonly findings: Findings },
): boolean {
  const said = stage.stage === 'recovering' ? undefined : stage;
  if (said?.transactions !== there) {
    const message = `it says that ${said?.transactions} transactions were restored; there are ${there}`;
    findings.defect('governance', 'UNDECIDED_CHANGE', { message });
    return false;
  }
  try {
    const { formerBlocks, transactions } = said;
    markRestored(set, { formerBlocks, transactions });
    return true;
  } catch (error) {
    if (!(error instanceof CodedError)) throw error;
    const { code: cause, message } = error;
    findings.defect('governance', 'UNDECIDED_CHANGE', { message, cause });
    return false;
  }
}
