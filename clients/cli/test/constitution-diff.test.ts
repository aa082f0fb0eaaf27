import assert from 'node:assert/strict';
import { test } from 'node:test';
import { sha256 } from '@concordat/crypto';
import { createOrganisation } from '@concordat/sdk';
import { toHex, utf8 } from '@concordat/std';
import { changesBetween, changesText } from '../constitution-diff.ts';
import { Names } from '../constitution-names.ts';
import { print } from '../output.ts';

const plain = { write: () => {}, interactive: false };
const id = (digit: string): string => digit.repeat(64);

const before = {
  name: 'trade',
  actors: [
    { actorId: id('a'), name: 'aurora', roles: [] },
    { actorId: id('b'), name: 'borealis', roles: [] },
  ],
  nodes: [
    { nodeId: id('1'), actorId: id('a'), name: 'vn1', status: 'trusted' },
    { nodeId: id('2'), actorId: id('a'), name: 'vn2', status: 'learning' },
  ],
  policies: { epochBlocks: 0, durability: 'fsync' },
};

test('equal constitutions differ in nothing', () => {
  assert.deepEqual(changesBetween(before, structuredClone(before)), []);
  assert.deepEqual(changesText(plain, [], new Names()), ['  no change']);
});

test('what came, went and changed is told entry by entry, whatever the order of a list', () => {
  const after = {
    ...before,
    actors: [{ actorId: id('c'), name: 'dune', roles: ['clerk', 'teller'] }, before.actors[0]],
    nodes: [{ ...before.nodes[1], status: 'trusted' }, before.nodes[0]],
    policies: { ...before.policies, epochBlocks: 50 },
  };
  assert.deepEqual(changesBetween(before, after), [
    { path: ['actors', id('b')], before: before.actors[1] },
    { path: ['actors', id('c')], after: after.actors[0] },
    { path: ['nodes', id('2'), 'status'], before: 'learning', after: 'trusted' },
    { path: ['policies', 'epochBlocks'], before: 0, after: 50 },
  ]);
  const names = new Names({
    actors: [...before.actors, ...after.actors],
    nodes: before.nodes,
  } as never);
  assert.deepEqual(changesText(plain, changesBetween(before, after), names), [
    '- actors › borealis',
    `    actorId  borealis (${id('b').slice(0, 12)})`,
    '    name     borealis',
    '    roles    -',
    '+ actors › dune',
    `    actorId  dune (${id('c').slice(0, 12)})`,
    '    name     dune',
    '    roles    clerk, teller',
    '~ nodes › vn2 › status: learning → trusted',
    '~ policies › epochBlocks: 0 → 50',
  ]);
});

test('lists without identities, and values that change their kind, are compared as a whole', () => {
  const lists = changesBetween({ roles: ['a', 'b'] }, { roles: ['a', 'c'] });
  assert.deepEqual(lists, [{ path: ['roles'], before: ['a', 'b'], after: ['a', 'c'] }]);
  const twice = [
    { name: 'x', v: 1 },
    { name: 'x', v: 2 },
  ];
  assert.equal(changesBetween({ list: twice }, { list: [twice[0]] }).length, 1);
  assert.deepEqual(changesBetween({ v: {} }, { v: [] }), [{ path: ['v'], before: {}, after: [] }]);
  assert.deepEqual(changesBetween({ v: null }, { v: 0 }), [
    { path: ['v'], before: null, after: 0 },
  ]);
});

test('names that objects have anyway are names like others', () => {
  const after = JSON.parse('{"constructor":1,"__proto__":{"x":2},"toString":"3"}');
  assert.deepEqual(
    changesBetween({}, after).map(({ path }) => path[0]),
    ['constructor', '__proto__', 'toString'],
  );
});

test('values in a line name actors and nodes, and shorten what nobody compares', () => {
  const names = new Names(before as never);
  assert.equal(names.text(id('a')), `aurora (${id('a').slice(0, 12)})`);
  assert.equal(names.text(id('f')), id('f'));
  assert.equal(names.of('epochBlocks'), 'epochBlocks');
  const digest = toHex(sha256(utf8('x'.repeat(100))));
  const told = `${'x'.repeat(64)}… (100 characters, SHA-256 ${digest})`;
  assert.equal(names.text('x'.repeat(100)), told);
  assert.equal(names.text({ kind: 'm-of-n', m: 2, of: { a: 1 } }), 'kind m-of-n, m 2, of (a 1)');
  assert.equal(names.text([]), '-');
});

test('what is signed is what is seen: no text passes for several, for another or for a certificate', () => {
  const names = new Names();
  const [good, evil] = ['good', 'evil'].map((name) => createOrganisation({ name }).certificatePem);
  assert.match(names.text(good), /^certificate of "good", [0-9a-f]{64}$/);
  // Neither a second certificate nor a program around one may hide behind the first.
  for (const hidden of [
    `${good}${evil}`,
    `${good}evil()`,
    `// ${good}\nevil()`,
    `${evil} ${good}`,
  ]) {
    assert.doesNotMatch(names.text(hidden), /certificate of/);
    assert.match(names.text(hidden), /SHA-256/);
  }
  assert.equal(names.text('-----BEGIN CERTIFICATE-----'), '-----BEGIN CERTIFICATE-----');
  const [one, two] = ['1', '2'].map((end) => names.text(`${'3059'.repeat(40)}${end}`));
  assert.notEqual(one, two, 'keys begin alike');
  assert.equal(names.text({ name: 'x, value accept' }), 'name "x, value accept"');
  assert.notEqual(names.text(['a, b']), names.text(['a', 'b']));
  assert.notEqual(names.text({ a: { b: 'c' } }), names.text({ a: '(b c)' }));
  assert.notEqual(names.text(''), names.text(' '));
  assert.equal(names.text('auro\u200bra'), '"auro\\u{200b}ra"');
  assert.equal(names.text('x\u009b2J'), '"x\\u{9b}2J"');
});

test('what is printed as JSON steers no terminal either, and says the same', () => {
  const written: string[] = [];
  const terminal = { write: (text: string) => void written.push(text), interactive: true };
  const value = { name: 'x\u009b2J\u202e\u2028' };
  print({ terminal, options: { json: true } }, value, []);
  assert.doesNotMatch(written[0] as string, /[\u009b\u202e\u2028]/);
  assert.deepEqual(JSON.parse(written[0] as string), value);
});

test('what somebody proposes can neither end its line, nor hide, nor steer a terminal', () => {
  const evil = 'x\n+ policies › epochBlocks: 1\u001b[8m\u001b[2J\u202e\u2028y';
  const written: string[] = [];
  const terminal = { write: (text: string) => void written.push(text), interactive: true };
  const after = { [evil]: evil, list: [{ id: 'a', [evil]: [evil] }] };
  const lines = changesText(terminal, changesBetween({ list: [] }, after), new Names());
  print({ terminal, options: {} }, {}, lines);
  const [text = ''] = written;
  assert.equal(text.split('\n').length, lines.length + 1);
  assert.ok(lines.every((line) => !line.includes('\n')));
  for (const bad of ['\u001b[8m', '\u001b[2J', '\u202e', '\u2028']) {
    assert.ok(!text.includes(bad), JSON.stringify(bad));
  }
  assert.ok(text.includes('\u001b[32m+ '), 'its own colours stay');
});
