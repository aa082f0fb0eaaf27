import { once } from 'node:events';
import type { ServerResponse } from 'node:http';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { ApiError, eventStreamMediaType } from '@concordat/api';
import { eventsOfWrites } from '@concordat/governance';
import { type ActorId, emptyBytes, parseTransactionId } from '@concordat/std';
import { newestOpening, openingBefore } from './administration.ts';
import { type Announcement, announcementOf } from './announcement.ts';
import type { NodeContext } from './node-context.ts';
import type { PastTurns } from './past-turns.ts';

const maxStreams = 256;
const maxStreamsOfOneActor = 16;
/**
 * Streams for which the past is being read from disk at a time, those apart whose readers take nothing at
 * the moment; and all of one actor that are told the past.
 */
const maxReplays = 8;
const maxReplaysOfOneActor = 2;
/** A reader that leaves more than this unread is cut off, bytes. */
const maxUnreadBytes = 1024 * 1024;
/** A reader of the past that takes nothing for so long is cut off, milliseconds. */
const longestUnreadMs = 60_000;
/** After so long a stream says that it is alive, so that a dead one is noticed, milliseconds. */
const heartbeatMs = 15_000;

type Node = Pick<NodeContext, 'log' | 'administration' | 'stored' | 'held' | 'archive' | 'control'>;

/** One reader. */
interface Stream {
  readonly actor: ActorId;
  /** It is still being told what was committed before it came. */
  replaying: boolean;
  /** It is not told on until its reader takes more. */
  stalled: boolean;
  /** Seqno that it has heard last: a node that is behind does not tell again. */
  heard: number;
}

/**
 * Tells members what committed transactions change in governance (paper: Voting, "all existing
 * members are notified"), as server-sent events (WHATWG HTML, section 9.2). The id of an event is
 * its transaction's, given with the last event of the transaction, so that a reader that comes again with the
 * last id it heard misses nothing: what was committed since is read back from the ledger.
 */
export class EventStreams {
  readonly #node: Node;
  readonly #turns: PastTurns;
  readonly #streams = new Map<ServerResponse, Stream>();
  readonly #heartbeat: NodeJS.Timeout;

  constructor(node: Node, turns: PastTurns) {
    this.#node = node;
    this.#turns = turns;
    this.#heartbeat = setInterval(() => this.#beat(), heartbeatMs);
    this.#heartbeat.unref();
  }

  /**
   * Opens a stream.
   * @param since the seqno that the reader has heard last; undefined = from now on
   * @throws ApiError OVERLOADED, INVALID_PARAMETER; what reading the past throws
   */
  async open(response: ServerResponse, actor: ActorId, since: number | undefined): Promise<void> {
    const { log } = this.#node;
    if (since !== undefined && since > log.committedSeqno + maxAhead) {
      const why = `the last committed transaction here is ${log.committedSeqno}`;
      throw new ApiError('INVALID_PARAMETER', `${why}: nobody can have heard ${since}`);
    }
    const replaying = since !== undefined;
    const stream: Stream = { actor, replaying, stalled: false, heard: since ?? 0 };
    this.#admit(stream);
    this.#streams.set(response, stream);
    response.on('close', () => this.#streams.delete(response));
    try {
      if (since === undefined) return begin(response);
      await this.#replay(response, stream);
    } catch (error) {
      this.#streams.delete(response);
      throw error;
    }
  }

  /** @throws ApiError OVERLOADED */
  #admit(stream: Stream): void {
    const all = [...this.#streams.values()];
    const own = all.filter(({ actor }) => actor === stream.actor);
    const replays = own.filter((one) => one.replaying).length;
    const reading = all.filter((one) => one.replaying && !one.stalled).length;
    const isFull =
      all.length >= maxStreams ||
      own.length >= maxStreamsOfOneActor ||
      (stream.replaying && (reading >= maxReplays || replays >= maxReplaysOfOneActor));
    if (isFull) throw new ApiError('OVERLOADED', 'too many event streams are open');
  }

  /** Tells what was committed after what it heard, until nothing is left but the present. */
  async #replay(response: ServerResponse, stream: Stream): Promise<void> {
    for (let isFirst = true; ; isFirst = false) {
      const newest = newestOpening(this.#node.administration.committedState);
      const heights = await this.#heightsAfter(stream.heard, newest, () => response.destroyed);
      // What cannot be read is said by an answer, as long as none has begun.
      if (isFirst) begin(response);
      for (const height of heights) {
        const block = await this.#block(height);
        if (response.destroyed) return;
        for (const text of textsOf(announcementOf(block))) {
          stream.stalled = !response.write(text);
          if (stream.stalled) await drained(response);
          stream.stalled = false;
          if (response.destroyed) return;
        }
        stream.heard = block.header.firstSeqno;
      }
      if (newestOpening(this.#node.administration.committedState) === newest) {
        // From here on it hears with all others: nothing was committed in between.
        stream.replaying = false;
        return;
      }
    }
  }

  /** Heights of administrative blocks whose transaction comes after a seqno, ascending. */
  async #heightsAfter(since: number, newest: number, isOver: () => boolean): Promise<number[]> {
    const heights: number[] = [];
    for (let height = newest; height > 0 && !isOver(); ) {
      const { header, transactions } = await this.#block(height);
      if (header.firstSeqno <= since) break;
      heights.push(height);
      const before = openingBefore(transactions[0]?.publicWrites ?? emptyBytes);
      // The chain goes down, whatever a block says.
      if (before >= height) break;
      height = before;
      await nextTurn();
    }
    return heights.reverse();
  }

  #block(height: number) {
    return this.#turns.block(this.#node, height);
  }

  /** Tells all streams what a committed administrative block changed. */
  notify(announcement: Announcement): void {
    if (this.#streams.size === 0) return;
    const seqno = parseTransactionId(announcement.transactionId)?.seqno ?? 0;
    const text = textsOf(announcement).join('');
    if (text !== '') this.#tell(text, ({ heard }) => heard < seqno);
  }

  /**
   * This node took up a snapshot, and what was committed before it is told to nobody: readers of the
   * present are cut off, so that they come again and hear it of the past.
   */
  passedOver(): void {
    for (const [response, { replaying }] of this.#streams) if (!replaying) response.destroy();
  }

  #tell(text: string, concerns: (stream: Stream) => boolean): void {
    for (const [response, stream] of this.#streams) {
      if (stream.replaying || !concerns(stream)) continue;
      response.write(text);
      if (response.writableLength > maxUnreadBytes) response.destroy();
    }
  }

  #beat(): void {
    this.#tell(`: ${this.#node.log.committedSeqno}\n\n`, () => true);
  }

  /** Ends all streams. */
  stop(): void {
    clearInterval(this.#heartbeat);
    for (const response of this.#streams.keys()) response.destroy();
  }
}

/** A reader may come from a node that is further, transactions. */
const maxAhead = 1_000_000;

function begin(response: ServerResponse): void {
  response.writeHead(200, {
    'content-type': eventStreamMediaType,
    'cache-control': 'no-store',
  });
  response.flushHeaders();
}

/** The events of an administrative block as text; the last of a transaction carries the id. */
function textsOf({ transactionId, timeMs, publicWrites }: Announcement): string[] {
  const texts = publicWrites.flatMap(eventsOfWrites).map((event) => {
    const data = JSON.stringify({ transactionId, timeMs, event });
    return `event: ${event.event}\ndata: ${data}\n\n`;
  });
  const last = texts.pop();
  if (last !== undefined) texts.push(`id: ${transactionId}\n${last}`);
  return texts;
}

/** Waits until a reader takes more; one that takes nothing for long is cut off. */
async function drained(response: ServerResponse): Promise<void> {
  const over = new AbortController();
  const signal = AbortSignal.any([over.signal, AbortSignal.timeout(longestUnreadMs)]);
  const events = [once(response, 'drain', { signal }), once(response, 'close', { signal })];
  try {
    await Promise.race(events);
  } catch {
    response.destroy();
  } finally {
    over.abort();
  }
}
