import assert from 'node:assert/strict';
import { existsSync, mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { Log } from '../log.ts';
import { decisionFileName, OperatorDecision } from '../operator-decision.ts';

const terms = 'ab'.repeat(32);
const otherTerms = 'cd'.repeat(32);
const waiting = (of: unknown) => ({ phase: 'awaiting-approval', approval: { terms: of } });

function fixture(context: TestContext) {
  const directory = mkdtempSync(join(tmpdir(), 'concordat-decision-'));
  const heard: string[] = [];
  const lines: string[] = [];
  const path = join(directory, decisionFileName);
  const decision = new OperatorDecision(path, new Log('vn', (line) => lines.push(line)), {
    onApproved: (of) => heard.push(`approved ${of}`),
    onRefused: (of) => heard.push(`refused ${of}`),
  });
  context.after(() => {
    decision.close();
    rmSync(directory, { recursive: true, force: true });
  });
  const decide = (text: string): void => {
    writeFileSync(`${path}.new`, text);
    renameSync(`${path}.new`, path);
  };
  const until = async (what: () => boolean): Promise<void> => {
    for (let waitedMs = 0; !what(); waitedMs += 25) {
      assert.ok(waitedMs < 20_000, `${heard} ${lines}`);
      await sleep(25);
    }
  };
  const ignored = (): number => lines.filter((line) => line.includes('approval.ignored')).length;
  return { decision, decide, heard, until, ignored, path };
}

test('a decision about the terms that are shown is heard once, given before or after', async (context) => {
  const { decision, decide, heard, until } = fixture(context);
  decide(JSON.stringify({ terms, accept: true }));
  await sleep(400);
  assert.deepEqual(heard, [], 'nobody waits for it');
  decision.statusIs(waiting(terms));
  await until(() => heard.length > 0);
  decision.statusIs(waiting(terms));
  await sleep(600);
  assert.deepEqual(heard, [`approved ${terms}`]);
  decide(JSON.stringify({ terms: otherTerms, accept: false }));
  decision.statusIs(waiting(otherTerms));
  await until(() => heard.length > 1);
  assert.deepEqual(heard[1], `refused ${otherTerms}`);
});

test('a refusal that was heard is gone, so that the next start asks anew; an approval stays', async (context) => {
  const { decision, decide, heard, until, path } = fixture(context);
  decide(JSON.stringify({ terms, accept: false }));
  decision.statusIs(waiting(terms));
  await until(() => heard.length === 1);
  assert.equal(existsSync(path), false);
  decide(JSON.stringify({ terms, accept: true }));
  await until(() => heard.length === 2);
  assert.deepEqual(heard, [`refused ${terms}`, `approved ${terms}`]);
  assert.equal(existsSync(path), true);
});

test('a decision about other terms, or that is none, changes nothing and is told once', async (context) => {
  const { decision, decide, heard, until, ignored } = fixture(context);
  decision.statusIs(waiting(terms));
  let told = 0;
  for (const text of [
    JSON.stringify({ terms: otherTerms, accept: true }),
    JSON.stringify({ terms, accept: 'true' }),
    JSON.stringify({ terms: 7, accept: true }),
    '{"terms":',
    'null',
    '[]',
    `{"terms":"${terms}","accept":true}${' '.repeat(5_000)}`,
  ]) {
    decide(text);
    told++;
    await until(() => ignored() === told);
  }
  await sleep(400);
  assert.equal(ignored(), told);
  assert.deepEqual(heard, []);
});

test('a node that waits for nothing is decided about by nobody', async (context) => {
  const { decision, decide, heard, ignored } = fixture(context);
  decide(JSON.stringify({ terms, accept: true }));
  for (const status of [
    undefined,
    null,
    { phase: 'joining' },
    { phase: 'awaiting-approval' },
    { phase: 'running', approval: { terms } },
    waiting('ab'),
    waiting(1),
  ]) {
    decision.statusIs(status);
    await sleep(300);
  }
  assert.deepEqual(heard, []);
  assert.equal(ignored(), 0);
});
