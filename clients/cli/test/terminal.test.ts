import assert from 'node:assert/strict';
import { test } from 'node:test';
import { formatCount, formatMs, paint, renderTable, Steps } from '../terminal.ts';

function recorder(interactive: boolean) {
  const written: string[] = [];
  return { written, terminal: { write: (text: string) => void written.push(text), interactive } };
}

test('a table is as wide as its widest cells and has no trailing spaces', () => {
  const table = renderTable(
    ['node', 'of'],
    [
      ['vn1', 'aurora-bank'],
      ['vn12345', ''],
    ],
  );
  assert.equal(table, '  node     of\n  ───────  ───────────\n  vn1      aurora-bank\n  vn12345\n');
});

test('a table without rows is its header', () => {
  assert.equal(renderTable(['a'], []), '  a\n  ─\n');
});

test('durations are rounded as people say them', () => {
  assert.deepEqual([1.234, 12.6, 999.4, 1_500].map(formatMs), [
    '1.2 ms',
    '13 ms',
    '999 ms',
    '1.5 s',
  ]);
});

test('counts have their thousands separated', () => {
  assert.equal(formatCount(1_234_567.4), '1,234,567');
});

test('colours are for terminals only', () => {
  assert.equal(paint(recorder(false).terminal, 'red', 'no'), 'no');
  assert.equal(paint(recorder(true).terminal, 'red', 'no'), '\u001b[31mno\u001b[0m');
});

test('steps are one plain line each where no person looks', () => {
  const { written, terminal } = recorder(false);
  const steps = new Steps(terminal);
  steps.begin('starting');
  steps.done('started');
  steps.begin('going on');
  steps.failed();
  assert.match(written.join(''), /^ {2}✓ started [\d.]+ ms\n {2}✗ going on\n$/);
});

test('steps as JSON are one object a line and nothing else', () => {
  const { written, terminal } = recorder(true);
  const steps = new Steps(terminal, { json: true });
  steps.heading('The network');
  steps.begin('starting');
  steps.done('started', { node: 'vn1' });
  steps.note('by the way');
  steps.begin('failing');
  steps.failed();
  const lines = written.map((line) => JSON.parse(line) as Record<string, unknown>);
  assert.equal(lines.length, 2);
  assert.deepEqual({ ...lines[0], tookMs: 0 }, { step: 'started', tookMs: 0, node: 'vn1' });
  assert.deepEqual(lines[1], { note: 'by the way' });
});
