import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import {
  type AuditClass,
  type AuditReport,
  auditLedger,
  type DefectCode,
  type LedgerAudit,
} from '@concordat/auditor';
import { submitMessage } from '@concordat/governance';
import type { TransactionSet } from '@concordat/kv';
import type { Identity } from '@concordat/sdk';
import { fromUtf8, utf8 } from '@concordat/std';
import { WrittenLedger } from './written-ledger.ts';

let root = '';
before(async () => {
  root = await mkdtemp(join(tmpdir(), 'audit-defects-'));
});
after(() => rm(root, { recursive: true }));

let written = 0;
export async function audit(ledger: WrittenLedger, options: Partial<LedgerAudit> = {}) {
  const directory = join(root, `${++written}`);
  await ledger.write(directory, 5);
  const { networkCertificate } = ledger;
  const epochKeys = ledger.epochKeys();
  return auditLedger({ directory, networkCertificate, epochKeys, ...options });
}

/** What a forgery must be found as. */
export interface Expected {
  readonly class: AuditClass;
  readonly code: DefectCode | string;
  readonly cause?: string;
  /** Classes that are hurt too. */
  readonly also?: readonly AuditClass[];
  readonly options?: Partial<LedgerAudit>;
}

/** Requires that just this is found, at this height, and that the audit went on to the end. */
export function assertFound(
  report: AuditReport,
  ledger: WrittenLedger,
  expected: Expected,
  at: number,
) {
  const found = report.classes.filter(({ first }) => first);
  const told = JSON.stringify(found.map(({ first }) => first));
  const classes = found.map((verdict) => verdict.class).sort();
  assert.deepEqual(classes, [expected.class, ...(expected.also ?? [])].sort(), told);
  const first = found.find((verdict) => verdict.class === expected.class)?.first;
  assert.equal(first?.code, expected.code, told);
  assert.equal(first?.cause, expected.cause, told);
  assert.equal(first?.height, at, told);
  assert.match(first?.file ?? '', /^ledger_\d+.*\.chunk$/);
  assert.equal(report.ok, false);
  if (expected.class !== 'chain') assert.equal(report.blocks, ledger.blocks.length);
}

/** A ledger of three members in which something is forged; lawful blocks come before and after. */
export const forgery = (
  name: string,
  expected: Expected,
  forge: (ledger: WrittenLedger, others: readonly Identity[]) => unknown,
): Promise<void> =>
  test(name, async () => {
    const ledger = new WrittenLedger({}, ['Beta', 'Gamma']);
    ledger.execute('before');
    const told = forge(ledger, ledger.others);
    const at = typeof told === 'number' ? told : ledger.blocks.length;
    ledger.execute('after');
    const report = await audit(ledger, expected.options);
    assertFound(report, ledger, expected, at);
    const blind = await audit(ledger, { ...expected.options, epochKeys: undefined as never });
    assertFound(blind, ledger, expected, at);
  }) as Promise<void>;

export const tables = {
  actors: 'public:concordat.actors',
  nodes: 'public:concordat.nodes',
  policies: 'public:concordat.policies',
  voting: 'public:concordat.voting-policies',
  proposals: 'public:concordat.gov.proposals',
  recent: 'public:concordat.gov.recent',
  messages: 'public:concordat.gov.messages',
  network: 'public:concordat.network',
  code: 'public:concordat.code',
  epochKeys: 'public:concordat.epoch-keys',
  grants: 'public:concordat.key-grants',
  holders: 'public:concordat.keys.holders',
  ceremonies: 'public:concordat.keys.ceremonies',
  ceremonyEvents: 'public:concordat.keys.events',
  sharings: 'public:concordat.keys.sharings',
  keys: 'public:concordat.keys.keys',
  auditGrants: 'public:concordat.keys.grants',
  epoch: 'public:concordat.epoch',
} as const;

/** Does something in a state with one row changed, and changes it back. */
export function pretending(
  set: TransactionSet,
  row: { readonly table: string; readonly key: string; readonly value: unknown },
  body: () => void,
): void {
  const table = set.table(row.table);
  const honest = table.get(row.key);
  if (row.value === undefined) table.delete(row.key);
  else table.set(row.key, utf8(JSON.stringify(row.value)));
  body();
  if (honest) table.set(row.key, honest);
  else table.delete(row.key);
}

export const seconds = (): number => Math.floor(Date.now() / 1000);
export const submitted = (set: TransactionSet, message: Uint8Array): void => {
  submitMessage(set, message, { nowSeconds: seconds() });
};
export const policy = (value: unknown) =>
  ({ name: 'set_policy', args: { name: 'maxBatchTransactions', value } }) as const;
export const rowOf = <Row>(ledger: WrittenLedger, table: string, key: string): Row =>
  JSON.parse(fromUtf8(ledger.administration.head.table(table).get(key) as Uint8Array)) as Row;

/** Class, code and height of the first defect of each class. */
export const firstDefects = ({ classes }: AuditReport): string[] =>
  classes.flatMap(({ first }) => (first ? [`${first.class} ${first.code} ${first.height}`] : []));

/** A further node joins and shows this. */
export const joinsWith =
  (showing: Parameters<WrittenLedger['learn']>[1]) => (ledger: WrittenLedger) =>
    ledger.learn(ledger.admit().identity, showing);
