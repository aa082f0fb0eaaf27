import type { Key } from '@concordat/kv';
import type { Actor, AdapterHost, FrameStream, Submitted } from '@concordat/worker-enclave';
import {
  isMisfit,
  type KeyvalueLimits,
  linearizable,
  operations,
  parseRequest,
  waitLocal,
} from './request.ts';
import { entriesTable, type KeyvalueResult } from './table.ts';

/** First byte of an answer on the stream. */
export const answers = { ok: 0, absent: 1, refused: 2 } as const;

const maxTextBytes = 2_048;
/** `send` copies, so that one scratch serves every short answer. */
const scratch = Buffer.allocUnsafe(8 + 2 * maxTextBytes);
const absent = Buffer.of(answers.absent);

/**
 * `/kv/stream`: each frame is one binary request. Answers: 0 | value for a get, 0 | text
 * transaction id for a write (empty with local wait), 1 when a get or delete found nothing,
 * 2 | text code | text message otherwise.
 */
export function openStream(
  stream: FrameStream,
  {
    actor,
    host,
    limits,
  }: {
    readonly actor: Actor;
    readonly host: AdapterHost<KeyvalueResult>;
    readonly limits: () => KeyvalueLimits;
  },
): void {
  stream.onFrame = (id, body) => {
    const first = body[0] ?? 0;
    if ((first & ~(waitLocal | linearizable)) === operations.get) {
      answerGet(stream, id, body);
      return;
    }
    const wait = first >= waitLocal ? 'local' : 'commit';
    host.submitWith(body, actor, wait, (answer) => answerWrite(stream, id, answer));
  };

  function answerGet(stream: FrameStream, id: number, body: Buffer): void {
    const request = parseRequest(body, limits());
    if (isMisfit(request)) {
      sendRefusal(stream, id, request);
      return;
    }
    const { key } = request;
    if (!request.linearizable) {
      answerValue(stream, id, key);
      return;
    }
    host.whenCurrent(actor, (refused) => {
      if (refused) sendRefusal(stream, id, refused);
      else answerValue(stream, id, key);
    });
  }

  function answerValue(stream: FrameStream, id: number, key: Key): void {
    const value = host.committed().table(entriesTable).get(key);
    if (value === undefined) {
      stream.send(id, absent);
      return;
    }
    const answer = Buffer.allocUnsafe(1 + value.length);
    answer[0] = answers.ok;
    answer.set(value, 1);
    stream.send(id, answer);
  }
}

function answerWrite(stream: FrameStream, id: number, answer: Submitted<KeyvalueResult>): void {
  if (answer.ok) {
    const { transactionId = '' } = answer;
    scratch[0] = answers.ok;
    scratch[1] = 0;
    scratch[2] = transactionId.length;
    scratch.write(transactionId, 3, 'latin1');
    stream.send(id, scratch.subarray(0, 3 + transactionId.length));
  } else if (answer.code === 'NOT_FOUND') {
    stream.send(id, absent);
  } else {
    sendRefusal(stream, id, answer);
  }
}

function sendRefusal(
  stream: FrameStream,
  id: number,
  { code, message }: { readonly code: string; readonly message: string },
): void {
  scratch[0] = answers.refused;
  let at = 1;
  for (const text of [code, message]) {
    const length = scratch.write(text, at + 2, maxTextBytes, 'utf8');
    scratch.writeUInt16BE(length, at);
    at += 2 + length;
  }
  stream.send(id, scratch.subarray(0, at));
}
