// Logs of the running transaction, kept as they are handed over: 20 address, u32 topics, u32 data
// length, topics (32 raw bytes each), data; unpadded, in order.
import { journalEntry, logUndo } from './journal';
import { cutList, emptyList, extendList, listHeader, listLength, listStart } from './list';
import { storeBytes } from './word';

const logs: usize = memory.data(listHeader, 16);
let count: u32 = 0;

/** Emits a log. `topics` are words one behind the other, the first topic first. */
export function emitLog(
  account: usize,
  topics: usize,
  topicCount: i32,
  data: usize,
  length: i32,
): void {
  const before = journalEntry(logUndo, 0, 8);
  store<u32>(before, listLength(logs));
  store<u32>(before, count, 4);
  count++;
  let at = extendList(logs, 28 + (topicCount << 5) + length);
  memory.copy(at, account, 20);
  store<u32>(at, topicCount, 20);
  store<u32>(at, length, 24);
  at += 28;
  for (let i = 0; i < topicCount; i++) {
    storeBytes(at, topics);
    at += 32;
    topics += 32;
  }
  memory.copy(at, data, length);
}

/** Cuts the logs back to what they were. */
export function cutLogs(bytes: u32, to: u32): void {
  cutList(logs, bytes);
  count = to;
}

/** Drops all logs; a large list is handed back. */
export function emptyLogs(): void {
  emptyList(logs);
  count = 0;
}

/** Where the logs are. */
export function logsStart(): usize {
  return listStart(logs);
}

/** Bytes of all logs. */
export function logsLength(): u32 {
  return listLength(logs);
}

/** Number of logs. */
export function logCount(): u32 {
  return count;
}
