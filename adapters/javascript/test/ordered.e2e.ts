import assert from 'node:assert/strict';
import { after, before, suite, test } from 'node:test';
import { createFakeNode, type FakeNode } from '@concordat/conformance';
import { createJavascriptAdapter } from '../index.ts';
import { bytesOfBundle } from './logging-application.ts';
import { patientLimits } from './patient-limits.ts';

const source = `
const key = (text) => ccf.strToBuf(text);
const listed = (map, options, take = 1e9) => {
  const found = [];
  for (const [one, value] of concordat.kv(map).entries(options)) {
    found.push(ccf.bufToStr(one) + '=' + ccf.bufToStr(value));
    if (found.length === take) break;
  }
  return found.join(' ');
};
const boundsOf = ({ prefix, from, to, after, reverse, limit }) => ({
  ...(prefix !== undefined && { prefix: key(prefix) }),
  ...(from !== undefined && { from: key(from) }),
  ...(to !== undefined && { to: key(to) }),
  ...(after !== undefined && { after: key(after) }),
  reverse, limit,
});

export function fill(request) {
  for (const [map, one, value] of request.body.json()) ccf.kv[map].set(key(one), key(value));
  return {};
}
export function scan(request) {
  const { map, take, ...bounds } = request.body.json();
  return { body: listed(map, boundsOf(bounds), take) };
}
export function own(request) {
  ccf.kv.own.set(key('b'), key('new'));
  ccf.kv.own.delete(key('c'));
  ccf.kv.own.set(key('bb'), key('1'));
  const { count } = { count: concordat.kv('own').count({ from: key('b') }) };
  return { statusCode: 400, body: [listed('own'), listed('own', { reverse: true, limit: 2 }), count] };
}
export function under(request) {
  // Writes while it scans: ahead, behind, of its own entry, and a deletion ahead.
  const seen = [];
  for (const [one] of concordat.kv('walk').entries()) {
    const name = ccf.bufToStr(one);
    seen.push(name);
    new Uint8Array(one).fill(0);
    if (name === '05') {
      ccf.kv.walk.set(key('04b'), key('behind'));
      ccf.kv.walk.set(key('05b'), key('ahead'));
      ccf.kv.walk.delete(key('06'));
      ccf.kv.walk.set(key('05'), key('again'));
    }
    if (name === '99') ccf.kv.walk.set(key('99b'), key('after the last'));
  }
  return { statusCode: 400, body: seen };
}
export function update() {
  let changed = 0;
  for (const [one, value] of concordat.kv('walk').entries()) {
    ccf.kv.walk.set(one, key('u' + ccf.bufToStr(value)));
    changed += 1;
  }
  return { body: changed };
}
export function wrong() {
  const told = [];
  const attempts = [
    () => [...concordat.kv('a').entries({ from: 'text' })],
    () => [...concordat.kv('a').entries({ limit: -1 })],
    () => [...concordat.kv('').entries()],
    () => concordat.kv(1),
    () => concordat.kv('a').count({ prefix: new ArrayBuffer(20000) }),
    () => { concordat.kv = 1; },
    () => { concordat.kv('a').extra = 1; },
  ];
  for (const attempt of attempts) {
    try { attempt(); told.push('none'); } catch (error) { told.push(error instanceof TypeError); }
  }
  return { body: told };
}
export function leave() {
  const places = [
    ccf.kv.x.get, ccf.kv.x.constructor, ccf.kv.x, concordat.kv('x').entries,
    concordat.kv('x').constructor, concordat.kv('x').entries.prototype,
    Object.getPrototypeOf(concordat.kv('x').entries()),
  ];
  let left = 0;
  for (const place of places) {
    if (place.left !== undefined) left += 1;
    try { place.left = 'behind'; } catch {}
  }
  return { body: left };
}
`;

const endpoint = (js_function: string) => ({
  post: { js_module: 'a.js', js_function, mode: 'readwrite', authn_policies: ['any_cert'] },
});
const names = ['fill', 'scan', 'own', 'under', 'update', 'wrong', 'leave'];
const bundle = bytesOfBundle({
  metadata: { endpoints: Object.fromEntries(names.map((name) => [`/${name}`, endpoint(name)])) },
  modules: [{ name: 'a.js', module: source }],
});

suite('ordered maps', { concurrency: false }, () => {
  let node: FakeNode;
  before(async () => {
    node = await createFakeNode(createJavascriptAdapter(), {
      genesisData: bundle,
      config: patientLimits,
    });
  });
  after(() => node.close());

  async function post(name: string, body: unknown = {}) {
    const response = await fetch(`${node.url}/${name}`, {
      method: 'POST',
      body: JSON.stringify(body),
    });
    const text = await response.text();
    return response.headers.get('content-type') === 'application/json' ? JSON.parse(text) : text;
  }
  const padded = (count: number) =>
    Array.from({ length: count }, (_, at) => `${at}`.padStart(2, '0'));

  test('are scanned by prefix, range, direction and limit, each map for itself', async () => {
    const keys = ['a', 'ab', 'abc', 'b', 'ba', 'c', '\u{10000}', 'é'];
    await post('fill', [
      ...keys.map((one) => ['m', one, one.length.toString()]),
      ['n', 'abd', '1'],
      ['public:m', 'abe', '1'],
    ]);
    assert.equal(await post('scan', { map: 'm', prefix: 'ab' }), 'ab=2 abc=3');
    assert.equal(await post('scan', { map: 'm', from: 'ab', to: 'b' }), 'ab=2 abc=3');
    assert.equal(await post('scan', { map: 'm', after: 'ab', limit: 2 }), 'abc=3 b=1');
    assert.equal(await post('scan', { map: 'm', reverse: true, limit: 2 }), '\u{10000}=2 é=1');
    const below = { map: 'm', reverse: true, after: 'b', prefix: 'a' };
    assert.equal(await post('scan', below), 'abc=3 ab=2 a=1');
    assert.equal(await post('scan', { map: 'public:m' }), 'abe=1');
    assert.equal(await post('scan', { map: 'm', from: 'c', to: 'a' }), '');
    assert.equal(await post('scan', { map: 'm', limit: 0 }), '');
    assert.equal(await post('scan', { map: 'none' }), '');
  });

  test('show a request its own writes and deletions in order, and keep none of a refused one', async () => {
    await post(
      'fill',
      ['a', 'b', 'c', 'd'].map((one) => ['own', one, 'old']),
    );
    const expected = ['a=old b=new bb=1 d=old', 'd=old bb=1', 3];
    assert.deepEqual(await post('own'), expected);
    assert.deepEqual(await post('own'), expected);
    assert.equal(await post('scan', { map: 'own' }), 'a=old b=old c=old d=old');
  });

  test('are scanned in chunks while they change: what is ahead is seen, nothing comes twice', async () => {
    const keys = padded(100);
    await post(
      'fill',
      keys.map((one) => ['walk', one, '']),
    );
    const seen = await post('under');
    const expected = keys.filter((one) => one !== '06');
    expected.splice(6, 0, '05b');
    assert.deepEqual(seen, [...expected, '99b']);
    assert.equal(await post('update'), 100);
    assert.equal(await post('scan', { map: 'walk', limit: 2 }), '00=u 01=u');
  });

  test('refuse what is no bound, and cannot be changed', async () => {
    assert.deepEqual(await post('wrong'), Array(7).fill(true));
  });

  test('leave nothing behind for another request, nor do plain maps', async () => {
    assert.equal(await post('leave'), 0);
    assert.equal(await post('leave'), 0);
  });
});
