import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import { defineApp, endpointsOf, key, type Scan, s, table, testApp } from '@concordat/app';
import { numbers } from './numbers.ts';

const tables = {
  words: table({ key: key.string(), value: s.integer() }),
  rows: table({ key: key.tuple(key.string(), key.integer()), value: s.string(), public: true }),
};
const endpoint = endpointsOf(tables);
const app = defineApp({
  tables,
  endpoints: { none: endpoint('GET /none', { access: 'anyone', handler: () => {} }) },
});

type RowKey = readonly [string, number];
const compareRows = ([a, b]: RowKey, [c, d]: RowKey): number =>
  a < c ? -1 : a > c ? 1 : Math.sign(b - d);

suite('tables', () => {
  test('are scanned as a model is: prefix, range, direction, limit, where to begin', () => {
    for (let seed = 1; seed <= 300; seed++) {
      const next = numbers(seed);
      const { tables: seen, seed: write } = testApp(app);
      const model = new Map<string, [RowKey, string]>();
      const keyFrom = (): RowKey => [['', 'a', 'a\0', 'ab', 'b'][next(5)] as string, next(6) - 3];
      write(({ rows }) => {
        for (let at = 0; at < 25; at++) {
          const one = keyFrom();
          if (next(5) === 0) {
            rows.delete(one);
            model.delete(String(one));
          } else {
            rows.put(one, `${at}`);
            model.set(String(one), [one, `${at}`]);
          }
        }
      });
      for (let at = 0; at < 10; at++) {
        const scan: Scan<RowKey, readonly [string] | RowKey> = {
          ...(next(2) === 0 && { prefix: [keyFrom()[0]] as const }),
          ...(next(3) === 0 && { from: keyFrom() }),
          ...(next(3) === 0 && { to: keyFrom() }),
          ...(next(3) === 0 && { after: keyFrom() }),
          ...(next(2) === 0 && { reverse: next(2) === 0 }),
          ...(next(2) === 0 && { limit: next(5) }),
        };
        const { prefix, from, to, after, reverse = false, limit = 99 } = scan;
        const expected = [...model.values()]
          .filter(([one]) => prefix === undefined || one[0] === prefix[0])
          .filter(([one]) => from === undefined || compareRows(one, from) >= 0)
          .filter(([one]) => to === undefined || compareRows(one, to) < 0)
          .filter(
            ([one]) => after === undefined || compareRows(one, after) * (reverse ? -1 : 1) > 0,
          )
          .sort(([a], [b]) => compareRows(a, b) * (reverse ? -1 : 1))
          .slice(0, limit);
        assert.deepEqual([...seen.rows.scan(scan)], expected, `seed ${seed}`);
        if (after === undefined && limit === 99) {
          assert.equal(seen.rows.count(scan), expected.length);
          // Pages of any size, one after another, are the same.
          const paged: unknown[] = [];
          let token: string | undefined;
          do {
            const query = { ...scan, limit: 1 + next(4), token };
            const page = seen.rows.page(query);
            paged.push(...page.items);
            token = page.next;
          } while (token !== undefined);
          assert.deepEqual(paged, expected, `seed ${seed}`);
        }
      }
    }
  });

  test('give tokens that belong to their query and to nothing else', () => {
    const { tables: seen, seed } = testApp(app);
    seed(({ words, rows }) => {
      for (let at = 0; at < 20; at++) {
        words.put(`w${at}`, at);
        rows.put(['a', at], 'x');
      }
    });
    const token = seen.words.page({ limit: 2, prefix: 'w' }).next as string;
    assert.equal(seen.words.page({ prefix: 'w', token, limit: 3 }).items.length, 3);
    const refused = (act: () => unknown) =>
      assert.throws(act, { code: 'InvalidPageToken', status: 400 });
    refused(() => seen.words.page({ token }));
    refused(() => seen.words.page({ prefix: 'w1', token }));
    refused(() => seen.words.page({ prefix: 'w', reverse: true, token }));
    refused(() => seen.words.page({ prefix: 'w', from: 'w', token }));
    refused(() => seen.words.page({ prefix: 'w', to: 'x', token }));
    refused(() => seen.words.page({ prefix: 'w', binding: 'other', token }));
    refused(() => seen.rows.page({ token }));
    const bytes = Buffer.from(token, 'base64url');
    for (let at = 0; at < bytes.length; at++) {
      for (const bit of [1, 0x80]) {
        const flipped = Buffer.from(bytes);
        flipped[at] = (flipped[at] as number) ^ bit;
        refused(() => seen.words.page({ prefix: 'w', token: flipped.toString('base64url') }));
      }
      refused(() =>
        seen.words.page({ prefix: 'w', token: bytes.subarray(0, at).toString('base64url') }),
      );
    }
    refused(() => seen.words.page({ prefix: 'w', token: `${token}AA` }));
    refused(() => seen.words.page({ prefix: 'w', token: `${token}=` }));
    for (const limit of [0, 1_001, 0.5, Number.NaN]) {
      assert.throws(() => seen.words.page({ limit }), { code: 'InvalidInput' });
    }
  });

  test('refuse to hold what their schema does not have', () => {
    const { seed, tables: seen } = testApp(app);
    assert.throws(() => seed(({ words }) => words.put('a', 0.5)), /the table words .*whole number/);
    assert.equal(seen.words.count(), 0);
    assert.throws(() => table({ key: key.string(), value: s.optional(s.string()) }), {
      code: 'TABLE_INVALID',
    });
  });
});

// What tables take and give, checked by the compiler.
export const typed = endpoint('PUT /typed', {
  access: 'anyone',
  handler(_, { tables: { words, rows, ...none } }) {
    const word: number | undefined = words.get('a');
    for (const [[name, number], value] of rows.scan({ prefix: ['a'] })) {
      const parts: [string, number, string] = [name, number, value];
      rows.put([parts[0], parts[1]], parts[2]);
    }
    // @ts-expect-error: the key is a text
    words.get(1);
    // @ts-expect-error: the value is a number
    words.put('a', 'b');
    // @ts-expect-error: a key has two parts
    rows.get(['a']);
    // @ts-expect-error: a prefix begins with the first part
    rows.scan({ prefix: [1] });
    // @ts-expect-error: there is no such table
    none.other;
    return void word;
  },
});
export const reading = endpoint('GET /typed', {
  access: 'anyone',
  handler(_, { tables: { words } }) {
    words.get('a');
    // @ts-expect-error: an endpoint that reads cannot write
    words.put('a', 1);
  },
});
