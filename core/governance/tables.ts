import type { ReadView, TableDeclaration, TransactionSet } from '@concordat/kv';
import { type ActorId, fromUtf8, utf8 } from '@concordat/std';
import type { Acknowledgement } from './acknowledgements.ts';
import type { AuditGrant } from './audit-grant.ts';
import type { AutomationRule } from './automation-rule.ts';
import { canonicalJson } from './canonical-json.ts';
import type {
  Actor,
  ApplicationEntry,
  CodeEntry,
  ExternalSystem,
  JwtIssuer,
  NodeEntry,
  RevocationListEntry,
  TeeEntry,
} from './constitution.ts';
import { GovernanceError, type GovernanceErrorCode } from './errors.ts';
import type { KeyExport } from './key-exports.ts';
import type { KeyGrant } from './key-grants.ts';
import type { HolderRotation } from './key-rotation.ts';
import type {
  CeremonyEvent,
  CeremonyRow,
  HolderRegistration,
  KeyRow,
  SharingRow,
} from './key-rows.ts';
import type { Proposal } from './proposal.ts';
import type { FormerNetwork, RecoveryConsent, RecoveryStage } from './recovery-rows.ts';
import type { VotingPolicy } from './voting-policy.ts';

/** What never changes about a network; key `info` of its table. */
export interface NetworkInfo {
  /** Version of the constitution's schema. */
  readonly version: 1;
  readonly name: string;
  /** Hex, 32 bytes: see {@link networkIdOf}. */
  readonly networkId: string;
  /** PEM. */
  readonly networkCertificate: string;
  /** Milliseconds since the Unix epoch. */
  readonly genesisTimeMs: number;
}

/** A table whose values are rows of one type, as canonical JSON. */
export interface Rows<Row> {
  readonly table: string;
  /** Never present: carries the type. */
  readonly row?: Row;
}

const rows = <Row>(name: string): Rows<Row> => ({ table: `public:concordat.${name}` });

/** The tables of governance, by what their rows are. Keys are named beside each. */
export const tables = {
  /** `info` */
  network: rows<NetworkInfo>('network'),
  /** actor id */
  actors: rows<Actor>('actors'),
  /** node id */
  nodes: rows<NodeEntry>('nodes'),
  /** measurement */
  code: rows<CodeEntry>('code'),
  /** platform */
  tees: rows<TeeEntry>('tees'),
  /** kind of change, or `default` */
  votingPolicies: rows<VotingPolicy>('voting-policies'),
  /** name of the policy; only those that are set */
  policies: rows<unknown>('policies'),
  /** name */
  automationRules: rows<AutomationRule>('automation-rules'),
  /** adapter id */
  adapters: rows<unknown>('adapters'),
  /** adapter id; without a digest: it was ended by vote */
  applications: rows<Partial<ApplicationEntry> & { readonly adapter: string }>('applications'),
  /** {@link textKey} of the issuer */
  jwtIssuers: rows<JwtIssuer>('jwt-issuers'),
  /** fingerprint of a certificate that an actor was given after its first */
  laterCertificates: rows<ActorId>('actor-certificates'),
  /** id of the issuer */
  revocationLists: rows<RevocationListEntry>('revocation-lists'),
  /** name */
  externalSystems: rows<ExternalSystem>('external-systems'),
  /** proposal id */
  proposals: rows<Proposal>('gov.proposals'),
  /** sequence of the proposal's message, value its id: the open ones in the order of opening */
  open: rows<string>('gov.open'),
  /** second of its expiry in 16 digits, `:`, {@link sequenceKey} of the proposal; value its id */
  expiries: rows<string>('gov.expiries'),
  /** actor id, `:`, created-at of 12 digits, `:`, digest; value: id of the message */
  recent: rows<string>('gov.recent'),
  /** actor id; value: messages created up to this second are refused */
  floors: rows<number>('gov.floors'),
  /** actor id */
  holders: rows<HolderRegistration>('keys.holders'),
  /** {@link sequenceKey} of the ceremony's number */
  ceremonies: rows<CeremonyRow>('keys.ceremonies'),
  /** ceremony, `:`, event, each a {@link sequenceKey} */
  ceremonyEvents: rows<CeremonyEvent>('keys.events'),
  /** {@link sequenceKey} of the ceremony that dealt it */
  sharings: rows<SharingRow>('keys.sharings'),
  /** {@link sequenceKey} of the key's number */
  keys: rows<KeyRow>('keys.keys'),
  /** {@link textKey} of the auditor's name */
  auditGrants: rows<AuditGrant>('keys.grants'),
  /** `network`; only in a recovered network */
  recoveredFrom: rows<FormerNetwork>('recovered-from'),
  /** `stage`; only in a recovered network */
  recovery: rows<RecoveryStage>('recovery'),
  /** actor id */
  recoveryConsents: rows<RecoveryConsent>('recovery-consents'),
  /** sequence of 16 digits, from 1 */
  keyGrants: rows<KeyGrant>('key-grants'),
  /** {@link sequenceKey} of the sharing's ceremony, `:`, actor id */
  keyExports: rows<KeyExport>('key-exports'),
  /** actor id */
  rotations: rows<HolderRotation>('keys.rotations'),
  /** actor id */
  acknowledgements: rows<Acknowledgement>('acknowledgements'),
} as const;

/** Every governance message verbatim, by sequence: its bytes, not JSON. */
export const messagesTable = 'public:concordat.gov.messages';

/** Programs in force or proposed, by digest: their bytes, not JSON. */
export const programsTable = 'public:concordat.programs';

/** Declarations of all tables of governance: public, so a ledger tells its governance unaided. */
export const governanceTables: readonly TableDeclaration[] = [
  ...Object.values(tables).map(({ table }) => ({ name: table, kind: 'ordered' as const })),
  { name: messagesTable, kind: 'ordered' },
  { name: programsTable, kind: 'ordered' },
];

/** A key of any text: its UTF-8 bytes as a binary string. */
export const textKey = (text: string): string => Buffer.from(text, 'utf8').toString('latin1');

/** A sequence number as a key that sorts by value: 12 decimal digits. */
export const sequenceKey = (sequence: number): string => String(sequence).padStart(12, '0');

const decode = <Row>(bytes: Uint8Array): Row => JSON.parse(fromUtf8(bytes)) as Row;

/** The row of a key, or undefined. */
export function readRow<Row>(view: ReadView, from: Rows<Row>, key: string): Row | undefined {
  const bytes = view.table(from.table).get(key);
  return bytes && decode<Row>(bytes);
}

/** Every row, in key order. */
export function* readRows<Row>(view: ReadView, from: Rows<Row>): Generator<[string, Row]> {
  for (const [key, bytes] of view.table(from.table).entries()) yield [key, decode<Row>(bytes)];
}

/** Reads a row from its stored bytes. */
export const decodeRow = <Row>(_of: Rows<Row>, bytes: Uint8Array): Row => decode<Row>(bytes);

/** Gives a key its row. */
export function writeRow<Row>(set: TransactionSet, to: Rows<Row>, key: string, row: Row): void {
  set.table(to.table).set(key, utf8(canonicalJson(row)));
}

/** Removes a row. */
export function deleteRow<Row>(set: TransactionSet, from: Rows<Row>, key: string): void {
  set.table(from.table).delete(key);
}

/**
 * Writes the row of something new.
 * @throws GovernanceError of the code given when it is listed already
 */
export function addRow<Row>(
  set: TransactionSet,
  to: Rows<Row>,
  add: { readonly key: string; readonly row: Row; readonly exists: GovernanceErrorCode },
): void {
  if (set.table(to.table).has(add.key)) {
    throw new GovernanceError(add.exists, `${add.key} is listed already`, { key: add.key });
  }
  writeRow(set, to, add.key, add.row);
}

/**
 * Deletes the row of something listed.
 * @throws GovernanceError of the code given when it is not
 */
export function removeRow<Row>(
  set: TransactionSet,
  from: Rows<Row>,
  remove: { readonly key: string; readonly missing: GovernanceErrorCode },
): void {
  if (!set.table(from.table).has(remove.key)) {
    throw new GovernanceError(remove.missing, `${remove.key} is not set`, { key: remove.key });
  }
  deleteRow(set, from, remove.key);
}
