import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import { type Infer, InvalidValue, type JsonSchema, type Schema, s } from '@concordat/app';
import { fromBase64, fromBase64Url, toBase64, toBase64Url } from '../runtime/base64.ts';
import { readQuery } from '../runtime/query.ts';
import { decodeUtf8, encodeUtf8 } from '../runtime/utf8.ts';
import { numbers } from './numbers.ts';

type Next = (below: number) => number;
// biome-ignore lint/suspicious/noExplicitAny: schemas and values are made together at random
type AnySchema = Schema<any, any>;

const texts = [
  '',
  'a',
  'ä',
  '\u{1f600}',
  '__proto__',
  'constructor',
  'toString',
  '"\\',
  '\0',
  '日本',
];
const names = ['a', 'b', 'constructor', 'toString', 'hasOwnProperty', 'x y'];

/** A schema and a way to make values of it. */
function schemaFrom(next: Next, depth: number): [AnySchema, () => unknown] {
  const inner = () => schemaFrom(next, depth - 1);
  const kind = next(depth > 0 ? 13 : 7);
  if (kind === 0) return [s.string({ maxLength: 20 }), () => texts[next(texts.length)]];
  if (kind === 1) return [s.integer({ min: -5, max: 2 ** 53 - 1 }), () => next(100) - 5];
  if (kind === 2) return [s.number(), () => (next(1_000) - 500) / 7];
  if (kind === 3) return [s.boolean(), () => next(2) === 0];
  if (kind === 4) return [s.bytes({ maxBytes: 9 }), () => bytesFrom(next, next(10))];
  if (kind === 5) return [s.bigint(), () => (BigInt(next(2 ** 31)) - 2n ** 30n) ** 5n];
  if (kind === 6) return [s.enum(['x', 'y', 7, true]), () => ['x', 'y', 7, true][next(4)]];
  if (kind === 7) {
    const [item, value] = inner();
    return [s.array(item, { maxItems: 4 }), () => Array.from({ length: next(5) }, value)];
  }
  if (kind === 8) {
    const [item, value] = inner();
    return [
      s.record(item),
      () => {
        const made: Record<string, unknown> = {};
        for (let at = next(4); at > 0; at--) {
          const own = { configurable: true, enumerable: true, writable: true, value: value() };
          Object.defineProperty(made, texts[next(texts.length)] as string, own);
        }
        return made;
      },
    ];
  }
  if (kind === 9) {
    const [item, value] = inner();
    return [s.nullable(item), () => (next(3) === 0 ? null : value())];
  }
  if (kind === 10) {
    const [[first, one], [second, two]] = [inner(), inner()];
    // Told apart by a tag, as unions are in practice.
    const tagged = (tag: string, value: AnySchema) => s.object({ tag: s.literal(tag), value });
    return [
      s.union(tagged('1', first), tagged('2', second)),
      () => (next(2) === 0 ? { tag: '1', value: one() } : { tag: '2', value: two() }),
    ];
  }
  const fields: Record<string, AnySchema> = {};
  const values: Record<string, () => unknown> = {};
  for (const name of names.slice(0, 1 + next(names.length))) {
    const [schema, value] = inner();
    const isOptional = next(3) === 0;
    fields[name] = isOptional ? s.optional(schema) : schema;
    values[name] = isOptional ? () => (next(2) === 0 ? undefined : value()) : value;
  }
  return [
    s.object(fields),
    () =>
      Object.fromEntries(
        Object.entries(values)
          .map(([name, value]) => [name, value()])
          .filter(([, value]) => value !== undefined),
      ),
  ];
}

const bytesFrom = (next: Next, length: number): Uint8Array =>
  Uint8Array.from({ length }, () => next(256));

/** JSON with one place of it changed. */
function mutated(next: Next, json: unknown): unknown {
  const others = [null, -1, 0.5, 'zz', '', [], {}, true, [null], { a: 1 }, 1e300, '\ud800'];
  if (typeof json !== 'object' || json === null || next(3) === 0)
    return others[next(others.length)];
  const copy = (Array.isArray(json) ? [...json] : { ...json }) as Record<string, unknown>;
  const keys = Object.keys(copy);
  const key = keys[next(keys.length)];
  if (key === undefined || next(5) === 0) return { ...copy, extra: 1 };
  if (next(4) === 0) delete copy[key];
  else copy[key] = mutated(next, copy[key]);
  return copy;
}

suite('schemas', () => {
  test('carry what they write through JSON and back, whatever their shape', () => {
    for (let seed = 1; seed <= 3_000; seed++) {
      const next = numbers(seed);
      const [schema, value] = schemaFrom(next, 3);
      const one = value();
      const json = JSON.parse(JSON.stringify(schema.write(one))) as unknown;
      assert.deepEqual(schema.read(json), one, `seed ${seed}`);
      JSON.stringify(schema.jsonSchema());
    }
  });

  test('read foreign JSON or refuse it with its place; what they read they write again', () => {
    let [read, refused] = [0, 0];
    for (let seed = 1; seed <= 6_000; seed++) {
      const next = numbers(seed);
      const [schema, value] = schemaFrom(next, 3);
      const changed = mutated(next, JSON.parse(JSON.stringify(schema.write(value()))));
      const json = JSON.parse(JSON.stringify(changed)) as unknown;
      try {
        const found = schema.read(json);
        read += 1;
        assert.deepEqual(JSON.parse(JSON.stringify(schema.write(found))), json, `seed ${seed}`);
      } catch (error) {
        assert.ok(error instanceof InvalidValue, `seed ${seed}: ${error}`);
        assert.ok(error.why.length > 0 && error.message.length < 2_000);
        refused += 1;
      }
    }
    assert.ok(read > 100 && refused > 1_000, `${read} read, ${refused} refused`);
  });

  test('name the place of a mistake', () => {
    const order = s.object({
      items: s.array(
        s.object({ amount: s.integer({ min: 1 }), 'odd name': s.optional(s.string()) }),
      ),
      by: s.union(s.object({ name: s.string() }), s.object({ id: s.integer() })),
      more: s.optional(s.record(s.boolean())),
    });
    const item = { amount: 1 };
    const by = { name: 'x' };
    const tagged = s.union(
      s.object({ kind: s.literal('a'), size: s.integer() }),
      s.object({ kind: s.literal('b'), name: s.string() }),
    );
    assert.throws(() => tagged.read({ kind: 'b', name: 1 }), {
      message: 'name: a text, not a number',
    });
    assert.throws(() => tagged.read({ kind: 'c' }), { message: 'kind: "a" or "b"' });
    for (const [json, message] of [
      [{ items: [item, { amount: 0 }], by }, /^items\[1\]\.amount: a whole number of at least 1$/],
      [
        { items: [{ ...item, 'odd name': 1 }], by },
        /^items\[0\]\["odd name"\]: a text, not a number/,
      ],
      [{ items: [], by: { id: 'x' } }, /^by\.(id|name): /],
      [{ items: [], by: 1 }, /^by: it is none of the kinds/],
      [{ by }, /^items: it is missing$/],
      [{ items: [], by, extra: 1 }, /^extra: there is no such property$/],
      [{ items: [], by, more: { a: 1 } }, /^more\.a: true or false, not a number$/],
      [{ items: null, by }, /^items: a list, not null$/],
      [[], /^an object, not a list$/],
      [JSON.parse('{"items":[],"by":{"name":"x"},"__proto__":1}'), /^__proto__: there is no such/],
    ] as const) {
      assert.throws(() => order.read(json), { message });
    }
  });

  test('keep the names of foreign properties from becoming anything else', () => {
    const record = s.record(s.json());
    const read = record.read(JSON.parse('{"__proto__": {"polluted": 1}, "constructor": 2}'));
    assert.deepEqual(Object.keys(read), ['__proto__', 'constructor']);
    assert.equal(Object.getPrototypeOf(read), Object.prototype);
    assert.equal((read as { polluted?: unknown }).polluted, undefined);
  });

  test('hold numbers and texts to their bounds', () => {
    const wrong: readonly (readonly [AnySchema, unknown])[] = [
      [s.integer(), 2 ** 53],
      [s.integer(), 0.5],
      [s.integer({ max: 5 }), 6],
      [s.number(), Number.NaN],
      [s.string({ minLength: 2 }), 'a'],
      [s.string({ maxLength: 2 }), 'abc'],
      [s.string({ pattern: /^\d+$/ }), '1a'],
      [s.string(), '\ud800'],
      [s.bytes({ minBytes: 2 }), 'AA=='],
      [s.bytes(), 'AB=='],
      [s.bytes(), 'A'],
      [s.bytes(), 'AA'],
      [s.bigint(), '01'],
      [s.bigint(), '-0'],
      [s.bigint(), '1e3'],
      [s.bigint({ min: 0n }), '-1'],
      [s.bigint(), '9'.repeat(201)],
      [s.literal('a'), 'b'],
      [s.array(s.json(), { minItems: 1 }), []],
      [s.record(s.json(), { maxEntries: 1 }), { a: 1, b: 2 }],
    ];
    for (const [schema, json] of wrong) assert.throws(() => schema.read(json), InvalidValue);
    assert.ok(Object.is(s.number().read(-0), 0));
    assert.throws(() => s.string({ pattern: /a/g }), { code: 'SCHEMA_INVALID' });
    assert.equal(s.string({ minLength: 2, maxLength: 2 }).read('\u{1f600}a'), '\u{1f600}a');
    assert.throws(() => s.string({ minLength: 2 }).read('\u{1f600}'), InvalidValue);
    assert.throws(() => s.enum([]), { code: 'SCHEMA_INVALID' });
  });
});

suite('queries', () => {
  const fields = {
    name: s.string(),
    count: s.optional(s.integer()),
    tag: s.optional(s.array(s.enum(['a', 'b']), { maxItems: 2 })),
    flag: s.optional(s.boolean()),
  };

  test('are read by their schemas', () => {
    assert.deepEqual(readQuery(fields, 'name=a%20b+c&count=-7&tag=a&tag=b&flag=true'), {
      name: 'a b c',
      count: -7,
      tag: ['a', 'b'],
      flag: true,
    });
    assert.deepEqual(readQuery(fields, 'name='), { name: '' });
  });

  test('are refused by the name of what is wrong', () => {
    for (const [text, message] of [
      ['', /^name: it is missing/],
      ['name=a&name=b', /^name: it stands more than once/],
      ['name=a&x=1', /^x: there is no such parameter/],
      ['name=a&count=1.5', /^count: a whole number/],
      ['name=a&count=', /^count: /],
      ['name=a&count=0x10', /^count: /],
      ['name=a&tag=c', /^tag\[0\]: one of "a", "b"/],
      ['name=a&tag=a&tag=a&tag=a', /^tag: at most 2 items/],
      ['name=%ff', /percent-encoded/],
      ['name=a&flag=1', /^flag: true or false/],
      [`name=a&${'x&'.repeat(2_000)}`, /at most 1000 parameters/],
    ] as const) {
      assert.throws(() => readQuery(fields, text), { message }, text);
    }
  });

  test('that nobody wrote end in a value or a refusal', () => {
    for (let seed = 1; seed <= 3_000; seed++) {
      const next = numbers(seed);
      const signs = ['name', 'tag', 'count', '=', '&', '%', '2', 'f', '+', 'a', '__proto__', '\0'];
      const text = Array.from({ length: next(12) }, () => signs[next(signs.length)]).join('');
      try {
        readQuery(fields, text);
      } catch (error) {
        assert.ok(error instanceof InvalidValue, `${text}: ${error}`);
      }
    }
  });
});

test('UTF-8 and base64 are what Node has of them, and refuse the rest', () => {
  for (let seed = 1; seed <= 3_000; seed++) {
    const next = numbers(seed);
    const bytes = bytesFrom(next, next(12));
    assert.equal(toBase64(bytes), Buffer.from(bytes).toString('base64'));
    assert.equal(toBase64Url(bytes), Buffer.from(bytes).toString('base64url'));
    assert.deepEqual(fromBase64(toBase64(bytes)), bytes);
    assert.deepEqual(fromBase64Url(toBase64Url(bytes)), bytes);
    const text = String.fromCodePoint(
      ...Array.from({ length: next(6) }, () => {
        const point = next([0x80, 0x800, 0x10000, 0x110000][next(4)] as number);
        return point >= 0xd800 && point < 0xe000 ? 0x20 : point;
      }),
    );
    assert.deepEqual(Buffer.from(encodeUtf8(text)), Buffer.from(text));
    assert.equal(decodeUtf8(encodeUtf8(text)), text);
    let expected: string | undefined;
    try {
      expected = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
    } catch {
      assert.throws(() => decodeUtf8(bytes), TypeError, Buffer.from(bytes).toString('hex'));
      continue;
    }
    assert.equal(decodeUtf8(bytes), expected);
  }
});

/** Whether JSON Schema takes a value, for the keywords that are used here (2020-12, validation). */
function takes(schema: JsonSchema, json: unknown): boolean {
  const { type, properties = {}, required = [], items, anyOf, pattern } = schema;
  if ('const' in schema && schema.const !== json) return false;
  if (Array.isArray(schema.enum) && !schema.enum.includes(json)) return false;
  if (Array.isArray(anyOf) && !anyOf.some((one) => takes(one as JsonSchema, json))) return false;
  const bound = (name: string, usual: number) => (schema[name] as number | undefined) ?? usual;
  const within = (value: number, least: string, most: string) =>
    value >= bound(least, Number.NEGATIVE_INFINITY) &&
    value <= bound(most, Number.POSITIVE_INFINITY);
  switch (type) {
    case 'string':
      if (typeof json !== 'string' || !within([...json].length, 'minLength', 'maxLength'))
        return false;
      return pattern === undefined || new RegExp(pattern as string, 'u').test(json);
    case 'integer':
      return Number.isInteger(json) && within(json as number, 'minimum', 'maximum');
    case 'number':
      return typeof json === 'number' && within(json, 'minimum', 'maximum');
    case 'boolean':
      return typeof json === 'boolean';
    case 'null':
      return json === null;
    case 'array':
      if (!Array.isArray(json) || !within(json.length, 'minItems', 'maxItems')) return false;
      return json.every((one) => takes(items as JsonSchema, one));
    case 'object': {
      if (typeof json !== 'object' || json === null || Array.isArray(json)) return false;
      const more = schema.additionalProperties as JsonSchema | false;
      const own = properties as Readonly<Record<string, JsonSchema>>;
      return (
        within(Object.keys(json).length, 'minProperties', 'maxProperties') &&
        (required as string[]).every((name) => Object.hasOwn(json, name)) &&
        Object.entries(json).every(([name, value]) => {
          const known = Object.hasOwn(own, name) ? own[name] : more;
          return known !== false && takes(known as JsonSchema, value);
        })
      );
    }
    default:
      return true;
  }
}

test('a JSON Schema takes what its schema takes, but for forms of texts it cannot say', () => {
  const seen = { both: 0, neither: 0 };
  for (let seed = 1; seed <= 6_000; seed++) {
    const next = numbers(seed);
    const [schema, value] = schemaFrom(next, 3);
    const good = schema.write(value());
    const changed = next(3) === 0 ? good : mutated(next, JSON.parse(JSON.stringify(good)));
    const json = JSON.parse(JSON.stringify(changed)) as unknown;
    let isRead = true;
    let why = '';
    try {
      schema.read(json);
    } catch (error) {
      isRead = false;
      why = (error as Error).message;
    }
    const isTaken = takes(schema.jsonSchema(), json);
    // That a text is base64, or well-formed, no keyword demands.
    if (isTaken && /base64|surrogate|none of the kinds/.test(why)) continue;
    assert.equal(isTaken, isRead, `seed ${seed}: ${why} ${JSON.stringify(json)}`);
    seen[isRead ? 'both' : 'neither'] += 1;
  }
  assert.ok(seen.both > 1_000 && seen.neither > 1_000, JSON.stringify(seen));
});

// What a schema says is what the application has: checked by the compiler.
const account = s.object({
  owner: s.string(),
  limit: s.optional(s.integer()),
  key: s.nullable(s.bytes()),
  kind: s.enum(['private', 'business']),
});
type Account = Infer<typeof account>;
const typed: Account = { owner: 'a', key: null, kind: 'private' };
// @ts-expect-error: a choice that is none
typed.kind = 'other';
// @ts-expect-error: not the text that JSON has
typed.key = 'AA==';
// @ts-expect-error: it is not optional
export const incomplete: Account = { key: null, kind: 'private' };
