import { type BinaryReader, DecodeError } from '@concordat/std';
import type { EncodedFrame, FrameBuilder } from './frame-builder.ts';
import { maxCodeBytes, maxReasonBytes } from './snapshot-channel.ts';

/** What a worker may ask its manager about the ledger on behalf of a client. */
export const questionSubjects = ['receipt', 'coseReceipt', 'viewHistory', 'requestKey'] as const;

/** One of them. */
export type QuestionSubject = (typeof questionSubjects)[number];

/**
 * A question about the ledger; `view` and `seqno` name the transaction of a receipt and are 0 for
 * the view history and the key that requests are sealed to. Answered once, by an `answer` of the
 * same id.
 */
export interface Question {
  readonly kind: 'question';
  readonly id: number;
  readonly subject: QuestionSubject;
  readonly view: number;
  readonly seqno: number;
}

/**
 * What a manager answers: the receipt as JSON or COSE, the view history as JSON `[{view,
 * firstSeqno}]`, the endorsed key as COSE; or, with a code of the catalogue of `core/api`, why there
 * is no answer, as text.
 */
export interface Answer {
  readonly kind: 'answer';
  readonly id: number;
  readonly code?: string;
  readonly bytes: Uint8Array;
}

/** Frame type of {@link Question}. */
export const questionType = 70;
/** Frame type of {@link Answer}. */
export const answerType = 70;

/** Bytes of an answer: a receipt has some kilobytes, a long view history some hundred. */
export const maxAnswerBytes = 4 * 1024 * 1024;

/** Writes the body of a frame that was begun with its type. */
export const writeQuestion = (frame: FrameBuilder, question: Question): EncodedFrame =>
  frame
    .u32(question.id)
    .u32(questionSubjects.indexOf(question.subject))
    .u64(question.view)
    .u64(question.seqno)
    .finish();

/** Reads it; the caller checks that nothing follows. @throws DecodeError */
export function readQuestion(reader: BinaryReader): Question {
  const id = reader.u32();
  const subject = questionSubjects[reader.u32()];
  if (subject === undefined) throw new DecodeError('INVALID', 'a question about nothing known');
  return { kind: 'question', id, subject, view: reader.u64(), seqno: reader.u64() };
}

/** Writes the body of a frame that was begun with its type. */
export function writeAnswer(frame: FrameBuilder, { id, code = '', bytes }: Answer): EncodedFrame {
  const shown = code === '' ? bytes : bytes.subarray(0, maxReasonBytes);
  return frame.u32(id).text(code).bytes(shown).finish();
}

/** Reads it; the caller checks that nothing follows. @throws DecodeError */
export function readAnswer(reader: BinaryReader): Answer {
  const [id, code] = [reader.u32(), reader.text(maxCodeBytes)];
  const bytes = reader.bytes(maxAnswerBytes);
  return { kind: 'answer', id, ...(code !== '' && { code }), bytes };
}
