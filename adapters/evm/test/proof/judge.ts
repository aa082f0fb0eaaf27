import assert from 'node:assert/strict';
import { keccak256 } from '../../../ethereum/crypto.ts';
import { EthereumError } from '../../../ethereum/errors.ts';
import { encodeRlp } from '../../../ethereum/rlp.ts';
import { decodeTransaction } from '../../../ethereum/transaction.ts';
import { type EvmLog, emptyCodeKey } from '../../index.ts';
import type { Execution, Executor, Outcome } from './executor.ts';
import { stateRoot } from './state-root.ts';
import {
  blockOf,
  fieldsOf,
  forkNameOf,
  type NamedStateTest,
  type StateTest,
  type StateTestCase,
  worldOf,
} from './state-tests.ts';
import { type EndAccount, noChanges, worldAfter } from './world.ts';

/** What is wrong with a case's outcome; undefined when nothing is. */
export type Fault = { readonly name: string; readonly what: string };

/** Figures of a run. */
export interface StateTestFigures {
  cases: number;
  readonly faults: Fault[];
}

/** Runs every case of a test. */
export async function judgeStateTest(
  { file, name, test }: NamedStateTest,
  execute: Executor,
  figures: StateTestFigures,
): Promise<void> {
  const world = worldOf(test);
  for (const [forkName, cases] of Object.entries(test.post)) {
    const fork = forkNameOf(forkName);
    const block = blockOf(test, fork);
    for (const [at, one] of cases.entries()) {
      figures.cases++;
      const outcome =
        one.txbytes === undefined
          ? (await execute(executionOf(test, one, { fork, world, block })))[0]
          : decoded(one.txbytes);
      assert(outcome !== undefined, 'an executor answers for each transaction');
      const what = faultOf(one, outcome, { fork, world, block });
      if (what === undefined) continue;
      figures.faults.push({ name: `${file} ${name} ${forkName} ${at}`, what });
    }
  }
}

/** The execution that a case asks for. */
export function executionOf(
  test: StateTest,
  one: StateTestCase,
  place: Pick<Execution, 'fork' | 'world' | 'block'>,
): Execution {
  const from = Buffer.from(test.transaction.sender.slice(2), 'hex');
  return { ...place, chainId: 1n, from, fields: fieldsOf(test, one) };
}

function faultOf(
  { expectException, logs: expectedLogs, hash }: StateTestCase,
  outcome: Outcome,
  place: Pick<Execution, 'fork' | 'world' | 'block'>,
): string | undefined {
  if (outcome.refused !== undefined) {
    if (expectException === undefined) return `refused: ${outcome.refused}`;
    if (!acceptable(expectException).includes(outcome.refused)) {
      return `refused as ${outcome.refused}, expected ${expectException}`;
    }
  } else if (expectException !== undefined) return `not refused: ${expectException}`;
  const logs = outcome.refused === undefined ? outcome.logs : [];
  const logsHash = hexOf(keccak256(encodeRlp(logs.map(rlpOf))));
  if (logsHash !== expectedLogs) return `logs hash ${logsHash}, expected ${expectedLogs}`;
  const root = hexOf(stateRoot(endOf(place, outcome)));
  return root === hash ? undefined : `state root ${root}, expected ${hash}`;
}

const rlpOf = ({ address, topics, data }: EvmLog) => [address, topics, data];
const hexOf = (bytes: Uint8Array): string => `0x${Buffer.from(bytes).toString('hex')}`;

/** The one case whose fault no field can hold: its bytes are what is judged. */
function decoded(raw: string): Outcome {
  try {
    decodeTransaction(Buffer.from(raw.slice(2), 'hex'), {
      chainId: 1n,
      highestType: 3,
      blobs: true,
      lowS: true,
      maxBytes: 1024 * 1024,
    });
  } catch (error) {
    if (error instanceof EthereumError) return { refused: error.code };
    throw error;
  }
  throw new Error('a case with bytes was decoded');
}

/**
 * The state that is judged. The test tool pays the miner a reward of nothing after the transaction,
 * which before EIP-161 makes the account.
 */
function endOf(
  { world, fork, block }: Pick<Execution, 'fork' | 'world' | 'block'>,
  outcome: Outcome,
): Map<string, EndAccount> {
  const end = worldAfter(world, outcome.refused === undefined ? outcome.changes : noChanges());
  if (!['chainstart', 'homestead', 'tangerineWhistle'].includes(fork)) return end;
  const miner = Buffer.from(block.coinbase).toString('latin1');
  if (!end.has(miner)) end.set(miner, newAccount);
  return end;
}

const newAccount: EndAccount = {
  nonce: 0n,
  balance: 0n,
  codeKey: emptyCodeKey,
  before: undefined,
  slots: new Map(),
  wiped: false,
};

/** Codes with which an engine may refuse what `ethereum/tests` refuses for one of these reasons. */
function acceptable(exception: string): readonly string[] {
  return exception
    .split('|')
    .flatMap((name) => refusals[name.slice('TransactionException.'.length)] ?? []);
}

const refusals: Readonly<Record<string, readonly string[]>> = {
  INTRINSIC_GAS_TOO_LOW: ['INTRINSIC_GAS_TOO_LOW'],
  INSUFFICIENT_ACCOUNT_FUNDS: ['INSUFFICIENT_FUNDS'],
  SENDER_NOT_EOA: ['SENDER_NOT_EOA'],
  INITCODE_SIZE_EXCEEDED: ['INITCODE_TOO_LARGE'],
  INSUFFICIENT_MAX_FEE_PER_GAS: ['FEE_TOO_LOW'],
  INSUFFICIENT_MAX_FEE_PER_BLOB_GAS: ['FEE_TOO_LOW'],
  PRIORITY_GREATER_THAN_MAX_FEE_PER_GAS: ['TIP_ABOVE_FEE_CAP'],
  GAS_ALLOWANCE_EXCEEDED: ['GAS_LIMIT_TOO_HIGH'],
  NONCE_IS_MAX: ['NONCE_TOO_HIGH'],
  RLP_INVALID_VALUE: ['UNDECODABLE'],
  TYPE_3_TX_PRE_FORK: ['TRANSACTION_TYPE_NOT_SUPPORTED'],
  TYPE_3_TX_CONTRACT_CREATION: ['UNDECODABLE'],
  TYPE_3_TX_ZERO_BLOBS: ['UNDECODABLE'],
  TYPE_3_TX_BLOB_COUNT_EXCEEDED: ['INVALID_BLOBS'],
  TYPE_3_TX_INVALID_BLOB_VERSIONED_HASH: ['INVALID_BLOBS'],
};
