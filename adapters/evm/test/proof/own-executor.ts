import type { SignedTransaction } from '../../../ethereum/executor.ts';
import { authorityOf } from '../../../ethereum/transaction.ts';
import { type BlockEnvironment, createEvm, type Evm, EvmError } from '../../index.ts';
import type { Execution, Executor, Outcome } from './executor.ts';
import { tablesOf, type WorldTables } from './world.ts';

/** The engine of this room. One instance a fork and chain is kept and made to forget. */
export function ownExecutor(): Executor {
  const engines = new Map<string, Evm>();
  return async (execution) => {
    const tables = tablesOf(execution.world);
    const evm = prepared(engines, execution, tables);
    const transactions = [execution, ...(execution.followers ?? [])];
    return transactions.map((one) => outcomeOf(evm, one, execution.block, tables));
  };
}

function outcomeOf(
  evm: Evm,
  { from, fields }: SignedTransaction,
  block: BlockEnvironment,
  tables: WorldTables,
): Outcome {
  const authorizationList = fields.authorizationList.map((one) => ({
    chainId: one.chainId,
    address: one.address,
    nonce: one.nonce,
    authority: authorityOf(one),
  }));
  try {
    const applied = evm.execute({ ...fields, from, authorizationList }, block);
    evm.finish(tables);
    return { ...applied, changes: tables.takeChanges() };
  } catch (error) {
    if (!(error instanceof EvmError) || error.code === 'ENGINE_FAULT') throw error;
    return { refused: error.code };
  }
}

function prepared(engines: Map<string, Evm>, { fork, chainId }: Execution, host: WorldTables): Evm {
  const name = `${fork} ${chainId}`;
  let evm = engines.get(name);
  if (evm === undefined) {
    evm = createEvm({ fork, chainId, host });
    engines.set(name, evm);
  } else {
    evm.attach(host);
    evm.forget();
  }
  return evm;
}
