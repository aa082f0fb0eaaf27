import assert from 'node:assert/strict';
import { test } from 'node:test';
import { CodedError } from '@concordat/std';
import { decodeAnswer, encodeAnswer } from '../answer-form.ts';
import {
  decodeFromProcess,
  decodeToProcess,
  encodeFromProcess,
  encodeToProcess,
  type FromProcess,
  type ToProcess,
} from '../frames.ts';
import { PathTree, parseTemplate } from '../path-template.ts';
import { decodeRequest, encodeRequest } from '../request-form.ts';
import { TransactionHistory } from '../transaction-history.ts';

const bytes = (...values: number[]) => Uint8Array.from(values);

const message: FromProcess = {
  kind: 'results',
  id: 7,
  results: [
    { kind: 'answered', answer: bytes(1, 2) },
    {
      kind: 'answered',
      answer: bytes(3),
      writes: { publicWrites: bytes(4), privateWrites: bytes() },
      claims: new Uint8Array(32).fill(5),
    },
    { kind: 'failed', code: 'APPLICATION_FAILED', message: 'why', trace: 'where' },
    { kind: 'unfinished' },
    { kind: 'unplaced' },
    {
      kind: 'calling',
      wanted: [
        {
          ...{ number: 2 ** 32 - 1, system: 'rätes', method: 'POST', path: '/a?b=c' },
          headers: [
            ['x-a', 'b'],
            ['x-a', ''],
          ],
          body: bytes(9, 8),
        },
        { number: 1, system: '', method: '', path: '', headers: [], body: bytes() },
      ],
    },
    { kind: 'calling', wanted: [] },
    { kind: 'called', value: bytes(110, 117, 108, 108) },
  ],
};

const history = new TransactionHistory();
history.committed({ view: 2, firstSeqno: 3, count: 4 });
history.committed({ view: 5, firstSeqno: 9, count: 1 });

/** Every form that is read from elsewhere, with what reads it. */
const forms: Readonly<Record<string, readonly [Uint8Array, (bytes: Uint8Array) => unknown]>> = {
  request: [
    encodeRequest({ method: 'PUT', url: '/a?b', headers: [['x', 'y']], body: bytes(1) }),
    decodeRequest,
  ],
  answer: [encodeAnswer({ status: 200, headers: [['x', 'y']], body: bytes(1) }), decodeAnswer],
  frame: [encodeFromProcess(message), decodeFromProcess],
  history: [history.encode(), (given) => new TransactionHistory().restore(given)],
};

for (const [name, [whole, decode]] of Object.entries(forms)) {
  test(`a ${name} that is truncated, extended or flipped is read or refused by code`, () => {
    decode(whole);
    const tried = [Buffer.concat([whole, bytes(0)])];
    for (let at = 0; at < whole.length; at++) {
      tried.push(Buffer.from(whole.subarray(0, at)));
      for (const bit of [1, 0x80]) {
        const flipped = Buffer.from(whole);
        flipped[at] = (flipped[at] as number) ^ bit;
        tried.push(flipped);
      }
    }
    let refused = 0;
    for (const given of tried) {
      try {
        decode(given);
      } catch (error) {
        assert.ok(error instanceof CodedError, String(error));
        refused += 1;
      }
    }
    assert.ok(refused > 0);
  });
}

test('a frame of results comes back as it was', () => {
  const [read] = [decodeFromProcess(encodeFromProcess(message))];
  assert.deepEqual(plain(read), plain(message));
  assert.equal(read.kind === 'results' && read.results[2]?.kind, 'failed');
  assert.throws(() => decodeFromProcess(Buffer.concat([encodeFromProcess(message), bytes(0)])));
});

test('what an application wants of the past is a range, and no longer than it may be', () => {
  const wanted = { kind: 'wanted', handle: 2 ** 32 - 1, start: 5, end: 1_004 } as const;
  assert.deepEqual(decodeFromProcess(encodeFromProcess(wanted)), wanted);
  for (const [start, end] of [
    [0, 1],
    [2, 1],
    [1, 1_001],
    [2 ** 53 - 1, 2 ** 53 - 1],
  ] as const) {
    const read = () => decodeFromProcess(encodeFromProcess({ ...wanted, start, end }));
    if (start === end) assert.deepEqual(read(), { ...wanted, start, end });
    else assert.throws(read, { code: 'INVALID' });
  }
});

test('states of the past, indexes and versions reach an application as they are', () => {
  const state = {
    view: 2,
    seqno: 2 ** 40,
    receipt: Buffer.from('{}'),
    writes: [
      { table: 'javascript/records', key: '\x01m\xff\x00', value: Buffer.from('v') },
      { table: 'public:javascript/records', key: '\x01n' },
    ],
  };
  const request = Buffer.from('raw');
  const call = { endpoint: 3, caller: '{}', params: '{}', request };
  const writeSet = { publicWrites: Buffer.from([1]), privateWrites: Buffer.alloc(0) };
  const messages: readonly ToProcess[] = [
    { kind: 'read', id: 1, calls: [{ ...call, state }, call] },
    // The caller's certificate alone may have 64 KiB.
    { kind: 'execute', id: 2, layer: 3, calls: [{ ...call, caller: 'ü'.repeat(60_000) }, call] },
    { kind: 'past', wanted: { handle: 1, start: 2, end: 3 }, code: '', states: [state, state] },
    { kind: 'past', wanted: { handle: 1, start: 2, end: 3 }, code: 'OVERLOADED', states: [] },
    { kind: 'indexed', upTo: 9, entries: [{ index: 1, key: 'k\xff', seqno: 9 }] },
    { kind: 'numbered', layer: 4, firstSeqno: 2 ** 40 },
    { kind: 'applied', layer: 4, firstSeqno: 0, writeSets: [writeSet] },
    { kind: 'replayed', firstSeqno: 7, writeSets: [writeSet, writeSet] },
    { kind: 'part', part: writeSet },
  ];
  for (const one of messages) assert.deepEqual(decodeToProcess(encodeToProcess(one)), one);
});

test('an answer with headers that frame messages, or of no status, is refused', () => {
  for (const name of ['content-length', 'connection', 'Upper', 'with space', '']) {
    const answer = encodeAnswer({ status: 200, headers: [[name, '1']], body: bytes() });
    assert.throws(() => decodeAnswer(answer), { code: 'INVALID' }, name);
  }
  const split = encodeAnswer({ status: 200, headers: [['a', 'b\r\nc: d']], body: bytes() });
  assert.throws(() => decodeAnswer(split), { code: 'INVALID' });
  for (const status of [0, 101, 600]) {
    const answer = encodeAnswer({ status, headers: [], body: bytes() });
    assert.throws(() => decodeAnswer(answer), { code: 'INVALID' });
  }
});

test('the history tells what became of transactions, as far as it goes back', () => {
  const copy = new TransactionHistory();
  copy.restore(history.encode());
  for (const known of [history, copy]) {
    assert.deepEqual(known.last, { view: 5, seqno: 9 });
    const statuses = [
      [2, 3],
      [2, 6],
      [3, 6],
      [5, 9],
      [5, 10],
      [4, 10],
      [6, 10],
      [2, 1],
    ].map(([view, seqno]) => known.statusOf(view as number, seqno as number));
    const expected = ['Committed', 'Committed', 'Invalid', 'Committed', 'Pending', 'Invalid'];
    assert.deepEqual(statuses, [...expected, 'Unknown', 'Unknown']);
  }
});

test('a path finds its template: fixed segments before parameters, parameters decoded', () => {
  const tree = new PathTree<string>();
  for (const path of ['/a/{x}', '/a/b', '/{y}/b/{z}', '/a/{x}/c', '/']) {
    const template = parseTemplate(path);
    assert.ok(typeof template !== 'string', String(template));
    tree.add(template, path);
  }
  const found = (path: string) => {
    const match = tree.find(path);
    return match && [match.route, { ...match.params }];
  };
  assert.deepEqual(found('/a/b'), ['/a/b', {}]);
  assert.deepEqual(found('/a/q%20r'), ['/a/{x}', { x: 'q r' }]);
  assert.deepEqual(found('/a/b/c'), ['/a/{x}/c', { x: 'b' }]);
  assert.deepEqual(found('/a/b/d'), ['/{y}/b/{z}', { y: 'a', z: 'd' }]);
  assert.deepEqual(found('/'), ['/', {}]);
  for (const none of ['/a', '/a/', '/a/%ff', '/x/y', `/${'a/'.repeat(40)}`]) {
    assert.equal(found(none), undefined, none);
  }
});

test('the steps of a function that makes calls reach an application as they are', () => {
  const call = { endpoint: 3, caller: '{}', params: '{}', request: bytes(1) };
  const headers: [string, string][] = [['x-a', 'bä']];
  const answered = { ok: true, status: 503, headers, body: bytes(1, 2) } as const;
  const failed = { ok: false, code: 'EXTERNAL_TIMEOUT', message: 'zu spät' } as const;
  const called = { key: 'ab'.repeat(32), value: bytes() };
  const told: ToProcess[] = [
    {
      kind: 'read',
      id: 4,
      calls: [
        { ...call, called, step: { phase: 7 } },
        { ...call, called, step: { phase: 7, answered: { number: 5, end: answered } } },
        { ...call, called, step: { phase: 8, answered: { number: 6, end: failed } } },
        call,
      ],
    },
    {
      kind: 'execute',
      id: 5,
      layer: 2,
      calls: [{ ...call, called: { ...called, value: bytes(49) } }],
    },
    { kind: 'forget', phase: 9 },
  ];
  for (const one of told) {
    const whole = encodeToProcess(one);
    assert.deepEqual(plain(decodeToProcess(whole)), plain(one));
    for (let at = 1; at < whole.length; at++) {
      try {
        decodeToProcess(whole.subarray(0, at));
      } catch (error) {
        assert.ok(error instanceof CodedError, String(error));
      }
    }
  }
});

test('more calls than a request makes are no frame of an application', () => {
  const one = { number: 1, system: 'a', method: 'GET', path: '/', headers: [], body: bytes() };
  const wanted = Array.from({ length: 17 }, () => one);
  const frame = encodeFromProcess({
    kind: 'results',
    id: 1,
    results: [{ kind: 'calling', wanted }],
  });
  assert.throws(() => decodeFromProcess(frame), CodedError);
});

/** Bytes as hex, whatever they are a view of. */
const plain = (value: unknown): unknown =>
  JSON.parse(
    JSON.stringify(value, (_, one: unknown) => {
      if (one instanceof Uint8Array) return Buffer.from(one).toString('hex');
      const json = one as { type?: unknown; data?: number[] } | null;
      return json?.type === 'Buffer' ? Buffer.from(json.data ?? []).toString('hex') : one;
    }),
  );
