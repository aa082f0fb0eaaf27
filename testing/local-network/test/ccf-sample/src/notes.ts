import * as ccfapp from '@microsoft/ccf-app';
import { digest } from '@microsoft/ccf-app/crypto.js';

interface Note {
  readonly author: string;
  readonly text: string;
}

const counters = ccfapp.typedKv('public:counters', ccfapp.string, ccfapp.uint32);
const authors = ccfapp.typedKvSet('authors', ccfapp.string);

const notesOf = (room: string) =>
  ccfapp.typedKv(`notes.${room}`, ccfapp.uint32, ccfapp.checkedJson<Note>());

const roomOf = ({ params }: ccfapp.Request): string => params.room as string;

const notFound: ccfapp.Response = { statusCode: 404, body: { error: 'no such note' } };

export function addNote(request: ccfapp.Request<{ text: unknown }>): ccfapp.Response {
  const { text } = request.body.json();
  if (typeof text !== 'string' || text === '') {
    return { statusCode: 400, body: { error: 'a note has a text' } };
  }
  const caller = request.caller as ccfapp.UserCertAuthnIdentity;
  const room = roomOf(request);
  const number = (counters.get(room) ?? 0) + 1;
  counters.set(room, number);
  notesOf(room).set(number, { author: caller.id, text });
  authors.add(caller.id);
  ccfapp.setClaimsDigest(digest('SHA-256', ccfapp.string.encode(text)));
  return { body: { number, writers: authors.size }, headers: { 'x-room': room } };
}

export function readNote(request: ccfapp.Request): ccfapp.Response {
  const note = notesOf(roomOf(request)).get(Number(request.params.number));
  return note === undefined ? notFound : { body: note };
}

export function listNotes(request: ccfapp.Request): ccfapp.Response {
  const found: { number: number; text: string }[] = [];
  notesOf(roomOf(request)).forEach(({ text }, number) => {
    found.push({ number, text });
  });
  return { body: { found, policy: request.caller?.policy } };
}

export function removeNote(request: ccfapp.Request): ccfapp.Response {
  const notes = notesOf(roomOf(request));
  const number = Number(request.params.number);
  if (!notes.has(number)) return notFound;
  notes.delete(number);
  return { statusCode: 204 };
}
