import type { BlockReference, ChainView, LogFilter, LogView } from '../chain-reader.ts';
import { EthereumError } from '../errors.ts';
import { RpcError } from './errors.ts';
import type { RpcLimits } from './limits.ts';
import type { LogCriteria } from './log-criteria.ts';

/** What restricts logs besides the range of blocks. */
const restrictions = ({ addresses, topics }: LogCriteria): LogFilter => ({ addresses, topics });

/** The number a bound of a range stands for; every tag but `earliest` is the latest block. */
function numberOf(chain: ChainView, bound: BlockReference | undefined): number {
  if (typeof bound === 'number') return bound;
  return bound === 'earliest' ? 0 : chain.blockNumber();
}

/**
 * Logs of committed blocks (`eth_getLogs`). A bound left out is the latest block.
 * @throws RpcError INVALID_PARAMETERS, LIMIT_EXCEEDED; EthereumError UNKNOWN_BLOCK
 */
export function queryLogs(
  chain: ChainView,
  criteria: LogCriteria,
  limits: RpcLimits,
): readonly LogView[] {
  const { blockHash } = criteria;
  const limit = limits.maxLogs;
  if (blockHash) return chain.logs({ ...restrictions(criteria), blockHash, limit });
  const fromBlock = numberOf(chain, criteria.fromBlock);
  const toBlock = Math.min(numberOf(chain, criteria.toBlock), chain.blockNumber());
  const givenTo = numberOf(chain, criteria.toBlock);
  if (fromBlock > givenTo) {
    throw new RpcError('INVALID_PARAMETERS', 'invalid block range params: fromBlock above toBlock');
  }
  if (fromBlock > toBlock) return [];
  if (toBlock - fromBlock >= limits.maxLogBlocks) {
    const why = `query spans more than ${limits.maxLogBlocks} blocks`;
    throw new RpcError('LIMIT_EXCEEDED', why);
  }
  return chain.logs({ ...restrictions(criteria), fromBlock, toBlock, limit });
}

/** Blocks one step of a poll looks through. */
const pollStepBlocks = 1_000;
/** Steps of one poll; what is left waits for the next. */
const maxPollSteps = 50;
/** More logs than one block can hold at any gas limit in use. */
const anyNumberOfLogs = 1_000_000;

/** New logs of a filter and the first block the next poll has to look at. */
export interface LogPoll {
  readonly logs: readonly LogView[];
  readonly nextBlock: number;
}

/**
 * Logs from a block on, as many as one answer may hold; never skips one, and never gets stuck on a
 * range that holds too many.
 */
export function pollLogs(
  chain: ChainView,
  criteria: LogCriteria,
  nextBlock: number,
  limits: RpcLimits,
): LogPoll {
  const lastBlock = Math.min(numberOf(chain, criteria.toBlock), chain.blockNumber());
  let at = nextBlock;
  let span = pollStepBlocks;
  for (let step = 0; step < maxPollSteps && at <= lastBlock; step++) {
    const toBlock = Math.min(at + span - 1, lastBlock);
    const limit = toBlock === at ? anyNumberOfLogs : limits.maxLogs;
    const logs = logsOrTooMany(chain, { ...restrictions(criteria), fromBlock: at, toBlock, limit });
    if (logs === 'too many') {
      span = Math.max(1, Math.floor(span / 8));
      continue;
    }
    at = toBlock + 1;
    if (logs.length > 0) return { logs, nextBlock: at };
  }
  return { logs: [], nextBlock: at };
}

function logsOrTooMany(chain: ChainView, filter: LogFilter): readonly LogView[] | 'too many' {
  try {
    return chain.logs(filter);
  } catch (error) {
    if (error instanceof EthereumError && error.code === 'TOO_MANY_RESULTS') return 'too many';
    throw error;
  }
}
