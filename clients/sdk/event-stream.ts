import type { IncomingMessage } from 'node:http';
import type { EventLine } from '@concordat/api';
import type { GovernanceEvent } from '@concordat/governance';
import { explainFailure } from './connection-failure.ts';
import { SdkError } from './errors.ts';

/** A proposal's event holds the proposal, so a line is at most about twice a message. */
const maxLineBytes = 1024 * 1024;
/** A node says every 15 seconds that it is there: after so long its stream is dead, milliseconds. */
const longestSilenceMs = 60_000;

/**
 * The events of a stream of server-sent events (core/api, `eventStreamMediaType`), until it is aborted.
 * @throws SdkError CONNECTION_LOST when the stream ends or is silent, UNEXPECTED_ANSWER
 */
export async function* readEvents(
  stream: IncomingMessage,
  address: string,
  signal: AbortSignal | undefined,
): AsyncGenerator<EventLine<GovernanceEvent>> {
  const lost = (why: string) => new SdkError('CONNECTION_LOST', `${address}: ${why}`);
  const silence = setTimeout(
    () => stream.destroy(lost('the stream of events fell silent')),
    longestSilenceMs,
  );
  let rest = Buffer.alloc(0);
  try {
    for await (const part of stream as AsyncIterable<Buffer>) {
      silence.refresh();
      let bytes = rest.length === 0 ? part : Buffer.concat([rest, part]);
      for (let end = bytes.indexOf(0x0a); end >= 0; end = bytes.indexOf(0x0a)) {
        const line = bytes.toString('utf8', 0, end);
        bytes = bytes.subarray(end + 1);
        // Each event is one line of data; its name and id are in the data as well.
        if (line.startsWith('data:')) yield parseLine(line.slice(5));
        else if (!isOtherField(line)) throw unexpected('a line of events is not one');
      }
      if (bytes.length > maxLineBytes) throw unexpected('a line of events is too long');
      rest = Buffer.from(bytes);
    }
  } catch (error) {
    if (signal?.aborted) return;
    throw explainFailure(error as Error, address);
  } finally {
    clearTimeout(silence);
    stream.destroy();
  }
  if (!signal?.aborted) throw lost('the node ended the stream of events');
}

const isOtherField = (line: string): boolean =>
  line === '' || line.startsWith(':') || line.startsWith('id:') || line.startsWith('event:');

function parseLine(line: string): EventLine<GovernanceEvent> {
  try {
    const value = JSON.parse(line) as EventLine<GovernanceEvent> | null;
    if (typeof value?.event === 'object' && typeof value.transactionId === 'string') return value;
  } catch {
    // Answered below.
  }
  throw unexpected('a line of events is not one');
}

const unexpected = (why: string): SdkError => new SdkError('UNEXPECTED_ANSWER', why);
