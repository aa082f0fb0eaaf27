import type { ChainView } from '../../chain-reader.ts';
import { invalidParameter, RpcError } from '../errors.ts';
import type { Filter, FilterSubject } from '../filter-registry.ts';
import { logToJson } from '../format.ts';
import { toData } from '../hex.ts';
import { type LogCriteria, logCriteria } from '../log-criteria.ts';
import { pollLogs, queryLogs } from '../log-query.ts';
import { type CallContext, type Method, method } from '../method.ts';
import { required, text } from '../parameters.ts';

const filterId = required(text(66));
/** Blocks whose hashes or transactions one poll answers. */
const maxPolledBlocks = 1_000;

/** Logs, and polling for what is new since the last call. */
export const filterMethods: readonly Method[] = [
  method('eth_getLogs', [required(logCriteria)], ({ chain, filters }, criteria) =>
    queryLogs(chain, criteria, filters.limits).map(logToJson),
  ),
  method('eth_newFilter', [required(logCriteria)], newLogFilter),
  method('eth_newBlockFilter', [], (context) => create(context, { kind: 'blocks' })),
  method('eth_newPendingTransactionFilter', [], (context) =>
    create(context, { kind: 'transactions' }),
  ),
  method('eth_getFilterChanges', [filterId], (context, id) => {
    const { filters, actor, chain, host } = context;
    return changes(chain, filters.use(actor, chain, id, host.timeMs()), context);
  }),
  method('eth_getFilterLogs', [filterId], ({ filters, actor, chain, host }, id) => {
    const { subject } = filters.use(actor, chain, id, host.timeMs());
    if (subject.kind !== 'logs') throw new RpcError('SERVER_ERROR', 'filter not found');
    return queryLogs(chain, subject.criteria, filters.limits).map(logToJson);
  }),
  method('eth_uninstallFilter', [filterId], ({ filters, actor }, id) => filters.remove(actor, id)),
];

function newLogFilter(context: CallContext, criteria: LogCriteria): string {
  if (criteria.blockHash) {
    throw invalidParameter('argument 0', 'blockHash names a block of the past; use eth_getLogs');
  }
  return create(context, { kind: 'logs', criteria });
}

/** A new filter reports what is committed after it was made, or from a later block it names. */
function create(context: CallContext, subject: FilterSubject): string {
  const { chain, actor, filters, host } = context;
  const from = subject.kind === 'logs' ? subject.criteria.fromBlock : undefined;
  const following = chain.blockNumber() + 1;
  const nextBlock = typeof from === 'number' ? Math.max(from, following) : following;
  return filters.create(actor, chain, subject, { nextBlock, nowMs: host.timeMs() });
}

function changes(chain: ChainView, filter: Filter, { filters }: CallContext): unknown {
  if (filter.subject.kind === 'logs') {
    const poll = pollLogs(chain, filter.subject.criteria, filter.nextBlock, filters.limits);
    filter.nextBlock = poll.nextBlock;
    return poll.logs.map(logToJson);
  }
  const last = Math.min(chain.blockNumber(), filter.nextBlock + maxPolledBlocks - 1);
  const hashes: string[] = [];
  for (let number = filter.nextBlock; number <= last; number++) {
    const block = chain.block(number);
    if (!block) continue;
    if (filter.subject.kind === 'blocks') hashes.push(toData(block.hash));
    else for (const hash of block.transactionHashes) hashes.push(toData(hash));
  }
  filter.nextBlock = Math.max(filter.nextBlock, last + 1);
  return hashes;
}
