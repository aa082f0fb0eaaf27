import type { IncomingMessage } from 'node:http';
import type { EventLine } from '@concordat/api';
import type { GovernanceEvent } from '@concordat/governance';
import { explainFailure } from './connection-failure.ts';
import { SdkError } from './errors.ts';

/** A proposal's event holds the proposal, so a line is at most about twice a message. */
const maxLineBytes = 1024 * 1024;

/**
 * The events of a stream of JSON lines (core/api, `linesMediaType`), until it is aborted.
 * @throws SdkError CONNECTION_LOST when the stream ends, UNEXPECTED_ANSWER
 */
export async function* readLines(
  stream: IncomingMessage,
  address: string,
  signal: AbortSignal | undefined,
): AsyncGenerator<EventLine<GovernanceEvent>> {
  let rest = Buffer.alloc(0);
  try {
    for await (const part of stream as AsyncIterable<Buffer>) {
      let bytes = rest.length === 0 ? part : Buffer.concat([rest, part]);
      for (let end = bytes.indexOf(0x0a); end >= 0; end = bytes.indexOf(0x0a)) {
        if (end > 0) yield parseLine(bytes.subarray(0, end));
        bytes = bytes.subarray(end + 1);
      }
      if (bytes.length > maxLineBytes) throw unexpected('a line of events is too long');
      rest = Buffer.from(bytes);
    }
  } catch (error) {
    if (signal?.aborted) return;
    throw explainFailure(error as Error, address);
  } finally {
    stream.destroy();
  }
  if (!signal?.aborted) {
    throw new SdkError('CONNECTION_LOST', `${address}: the node ended the stream of events`);
  }
}

function parseLine(line: Buffer): EventLine<GovernanceEvent> {
  try {
    const value = JSON.parse(line.toString('utf8')) as EventLine<GovernanceEvent> | null;
    if (typeof value?.event === 'object' && typeof value.transactionId === 'string') return value;
  } catch {
    // Answered below.
  }
  throw unexpected('a line of events is not one');
}

const unexpected = (why: string): SdkError => new SdkError('UNEXPECTED_ANSWER', why);
