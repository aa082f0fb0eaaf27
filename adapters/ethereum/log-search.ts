import type { EvmLog } from '@concordat/evm';
import { equalBytes } from '@concordat/std';
import { bloomMayHold } from './block.ts';
import type { LogFilter } from './chain-reader.ts';

/** Whether a block with this bloom may hold a log the filter wants. */
export function blockMayMatch(filter: LogFilter, bloom: Uint8Array): boolean {
  const { addresses, topics } = filter;
  const mayHoldOne = (items: readonly Uint8Array[] | undefined): boolean =>
    items === undefined || items.length === 0 || items.some((item) => bloomMayHold(bloom, item));
  return mayHoldOne(addresses) && (topics ?? []).every(mayHoldOne);
}

/** Whether a log is one the filter wants. */
export function logMatches(filter: LogFilter, log: EvmLog): boolean {
  const { addresses, topics } = filter;
  if (addresses !== undefined && addresses.length > 0) {
    if (!addresses.some((address) => equalBytes(address, log.address))) return false;
  }
  return (topics ?? []).every((wanted, position) => {
    if (wanted === undefined || wanted.length === 0) return position < log.topics.length;
    const topic = log.topics[position];
    return topic !== undefined && wanted.some((item) => equalBytes(item, topic));
  });
}
