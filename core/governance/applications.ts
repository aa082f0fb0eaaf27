import { sha256 } from '@concordat/crypto';
import { decodeWriteSet, type ReadView, type TransactionSet } from '@concordat/kv';
import { assert, toHex } from '@concordat/std';
import type { ApplicationEntry } from './constitution.ts';
import { GovernanceError } from './errors.ts';
import type { Field } from './field.ts';
import type { ProposedAction } from './proposal.ts';
import { decodeRow, programsTable, readRow, readRows, tables, writeRow } from './tables.ts';

/** Bytes of one program at most: what travels beside a proposal to put it in force. */
export const maxProgramBytes = 8 * 1024 * 1024;

/** Open proposals with programs that one member may have: every node holds the programs. */
export const maxOpenPrograms = 4;

/** Digest of a program: hex SHA-256 of its bytes. */
export const programDigest = (program: Uint8Array): string => toHex(sha256(program));

/** The properties of `set_application`. */
export const applicationProperties = ['adapter', 'digest', 'bytes'] as const;

/** Reads what `set_application` puts in force. @throws GovernanceError of the field's code */
export const readApplication = (field: Field): ApplicationEntry => ({
  adapter: readAdapterId(field.at('adapter')),
  digest: field.at('digest').hex(32),
  bytes: field.at('bytes').integer({ min: 1, max: maxProgramBytes }),
});

/** Id of an adapter: at most 32 characters. @throws GovernanceError of the field's code */
export function readAdapterId(field: Field): string {
  const id = field.identifier();
  if (id.length > 32) field.fail('is longer than 32 characters');
  return id;
}

/** Reads a list of applications. @throws GovernanceError of the field's code */
export function readApplications(list: Field): ApplicationEntry[] {
  const entries = list.list(32).map((item) => readApplication(item.only(applicationProperties)));
  const ids = new Set(entries.map(({ adapter }) => adapter));
  if (ids.size < entries.length) list.fail('names an adapter twice');
  return entries.sort((a, b) => (a.adapter < b.adapter ? -1 : 1));
}

/**
 * Puts an application in force.
 * @throws GovernanceError PROGRAM_MISSING, PROGRAM_MISMATCH
 */
export function setApplication(set: TransactionSet, application: ApplicationEntry) {
  const { adapter, digest, bytes } = application;
  const program = programOf(set, digest);
  if (program === undefined) {
    const why = `the program ${digest} neither came with the proposal nor is it in the ledger`;
    throw new GovernanceError('PROGRAM_MISSING', why, { adapter, digest });
  }
  if (program.length !== bytes) {
    const why = `the program has ${program.length} bytes, not ${bytes}`;
    throw new GovernanceError('PROGRAM_MISMATCH', why, { adapter, digest });
  }
  writeRow(set, tables.applications, adapter, application);
  return [{ kind: 'application-set' as const, adapter, digest }];
}

/**
 * Ends an application, also one that came with the network's genesis data, of which no row is kept.
 * @throws GovernanceError APPLICATION_NOT_FOUND when it was ended before
 */
export function removeApplication(set: TransactionSet, adapter: string) {
  const row = readRow(set, tables.applications, adapter);
  if (row !== undefined && row.digest === undefined) {
    throw new GovernanceError('APPLICATION_NOT_FOUND', `${adapter} runs no application`, {
      adapter,
    });
  }
  writeRow(set, tables.applications, adapter, { adapter });
  return [{ kind: 'application-removed' as const, adapter }];
}

/** Applications that votes put in force, by adapter. */
export function readInForce(view: ReadView): ApplicationEntry[] {
  const rows = Array.from(readRows(view, tables.applications), ([, row]) => row);
  return rows.filter((row): row is ApplicationEntry => row.digest !== undefined);
}

/** Whether votes ever put an application in force, or ended one. */
export const hasApplications = (view: ReadView): boolean =>
  [...view.table(tables.applications.table).range({ limit: 1 })].length > 0;

/** A program that is in force or proposed; undefined when none of them has this digest. */
export const programOf = (view: ReadView, digest: string): Uint8Array | undefined =>
  view.table(programsTable).get(digest);

/**
 * Refuses a member's proposal that puts a program in force beside too many of its kind.
 * @throws GovernanceError TOO_MANY_OPEN_PROPOSALS
 */
export function requireFewPrograms(
  view: ReadView,
  proposer: string,
  actions: readonly ProposedAction[],
): void {
  const mine = actions.filter((action) => digestIn(action) !== undefined).length;
  if (mine === 0) return;
  let open = mine;
  for (const [, id] of readRows(view, tables.open)) {
    const proposal = readRow(view, tables.proposals, id);
    if (proposal?.proposer !== proposer) continue;
    open += proposal.actions.filter((action) => digestIn(action) !== undefined).length;
  }
  if (open <= maxOpenPrograms) return;
  const why = `a member has at most ${maxOpenPrograms} programs in open proposals: withdraw one first`;
  throw new GovernanceError('TOO_MANY_OPEN_PROPOSALS', why);
}

/**
 * Keeps the program that came with a proposal, for as long as something names it.
 * @throws GovernanceError PROGRAM_MISMATCH when none of the actions names it
 */
export function keepProgram(
  set: TransactionSet,
  program: Uint8Array,
  actions: readonly ProposedAction[],
): void {
  const digest = programDigest(program);
  if (!actions.some((action) => digestIn(action) === digest)) {
    const why = `no action of the proposal names the program that came with it, ${digest}`;
    throw new GovernanceError('PROGRAM_MISMATCH', why, { digest });
  }
  if (!set.table(programsTable).has(digest)) {
    set.table(programsTable).set(digest, Uint8Array.from(program));
  }
}

/** Drops the programs that are neither in force nor proposed. */
export function dropUnusedPrograms(set: TransactionSet): void {
  const held = Array.from(set.table(programsTable).entries(), ([digest]) => digest);
  if (held.length === 0) return;
  const used = new Set(readInForce(set).map(({ digest }) => digest));
  for (const [, id] of readRows(set, tables.open)) {
    const proposal = readRow(set, tables.proposals, id);
    assert(proposal !== undefined, 'an open proposal vanished');
    for (const action of proposal.actions) used.add(digestIn(action) ?? '');
  }
  for (const digest of held) if (!used.has(digest)) set.table(programsTable).delete(digest);
}

function digestIn({ name, args }: ProposedAction): string | undefined {
  return name === 'set_application' ? String(args.digest) : undefined;
}

/** An application of which a transaction said which program it is from then on. */
export interface ApplicationChange {
  readonly adapter: string;
  /** Digest of its program; undefined when it is ended. */
  readonly digest?: string;
}

/**
 * Which applications an administrative transaction changed.
 * @param publicWrites the public segment of a write set that the ledger holds
 * @throws KvError MALFORMED
 */
export function applicationChanges(publicWrites: Uint8Array): ApplicationChange[] {
  const changes: ApplicationChange[] = [];
  if (publicWrites.length === 0) return changes;
  for (const { table, key: adapter, value } of decodeWriteSet(publicWrites)) {
    if (table !== tables.applications.table || value === undefined) continue;
    const { digest } = decodeRow(tables.applications, value);
    changes.push({ adapter, ...(digest !== undefined && { digest }) });
  }
  return changes;
}
