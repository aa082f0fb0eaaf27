import type {
  AuditGrant,
  CeremonyReason,
  CeremonyRow,
  EpochBegun,
  EpochReason,
  KeyExport,
  KeyGrant,
  KeyRow,
  SharingRow,
} from '@concordat/governance';
import { fromUtf8 } from '@concordat/std';
import { isFormError } from './form-error.ts';
import { type RecordedWrites, tableNames } from './framework-tables.ts';

/** A key ceremony and what became of it. */
export interface CeremonyReport {
  readonly number: number;
  readonly purpose: CeremonyRow['purpose'];
  readonly reason: CeremonyReason;
  /** Number of the key made or reshared. */
  readonly key: number;
  readonly attempt: number;
  readonly threshold: number;
  /** Organisations that were to hold a share, by name. */
  readonly receivers: readonly string[];
  /** Organisations found out as cheating while they dealt, by name. */
  readonly atFault: readonly string[];
  readonly state: CeremonyRow['state'];
  readonly failure?: string;
  readonly openedHeight: number;
  readonly closedHeight?: number;
}

/** How an epoch began. */
export interface EpochBeginningReport {
  readonly height: number;
  readonly reason: EpochReason;
  readonly timeMs: number;
  /** Number of the shared key its session key is encrypted to. */
  readonly sharedKey: number;
}

/** A shared key as it is held at the end of the ledger. */
export interface SharedKeyReport {
  readonly number: number;
  /** Hex. */
  readonly keyId: string;
  /** Shares it takes. */
  readonly threshold: number;
  /** Organisations that hold one, by name. */
  readonly holders: readonly string[];
  /** How often it was dealt. */
  readonly sharings: number;
}

/** A grant to an auditor, and who gave shares under it. */
export interface AuditorReport {
  readonly auditor: string;
  /** Hex. */
  readonly encryptionKey: string;
  readonly epochs: readonly number[];
  /** Heights: voted by this block, revoked by that. */
  readonly since: number;
  readonly until?: number;
  /** Givings of shares, in their order. */
  readonly given: readonly {
    readonly by: string;
    readonly epochs: readonly [number, number];
    readonly height: number;
  }[];
}

/** A recovery copy of a share that left its enclave. */
export interface KeyExportReport {
  readonly actor: string;
  readonly key: number;
  readonly sharing: number;
  readonly times: number;
  readonly height: number;
}

/** What a ledger tells of keys: who can read it together, and who was let read it. */
export interface KeysReport {
  readonly shared: readonly SharedKeyReport[];
  readonly ceremonies: readonly CeremonyReport[];
  readonly auditors: readonly AuditorReport[];
  readonly exports: readonly KeyExportReport[];
}

type Mutable<T> = { -readonly [Name in keyof T]: T[Name] };
type Auditor = Mutable<Omit<AuditorReport, 'given'>> & { given: AuditorReport['given'][number][] };

const read = <Row>(bytes: Uint8Array): Row => JSON.parse(fromUtf8(bytes)) as Row;

/** Keeps what a report says of keys beside its verdict. Memory grows with governance. */
export class KeyChronicle {
  readonly #ceremonies = new Map<string, { row: CeremonyRow; opened: number; closed?: number }>();
  readonly #epochs = new Map<number, EpochBeginningReport>();
  readonly #keys = new Map<string, KeyRow>();
  readonly #sharings = new Map<string, SharingRow>();
  /** Those with a grant in force, by the key of their row. */
  readonly #granted = new Map<string, Auditor>();
  readonly #auditors: Auditor[] = [];
  readonly #exports = new Map<string, KeyExport & { height: number }>();

  /** Takes up an administrative block that was applied. @throws TypeError, SyntaxError */
  block(height: number, recorded: RecordedWrites): void {
    for (const [key, value] of recorded.rows(tableNames.ceremonies)) {
      if (!value) continue;
      const row = read<CeremonyRow>(value);
      const opened = this.#ceremonies.get(key)?.opened ?? height;
      const closed = row.state === 'open' ? {} : { closed: height };
      this.#ceremonies.set(key, { row, opened, ...closed });
    }
    this.#take(recorded, tableNames.keys, this.#keys);
    this.#take(recorded, tableNames.sharings, this.#sharings);
    this.#epoch(recorded);
    this.#audits(height, recorded);
    for (const [key, value] of recorded.rows(tableNames.keyExports)) {
      if (value) this.#exports.set(key, { ...read<KeyExport>(value), height });
    }
  }

  #take<Row>(recorded: RecordedWrites, table: string, into: Map<string, Row>): void {
    for (const [key, value] of recorded.rows(table)) {
      if (value) into.set(key, read<Row>(value));
      else into.delete(key);
    }
  }

  #epoch(recorded: RecordedWrites): void {
    const value = recorded.get(tableNames.epoch, 'begun');
    if (!value) return;
    const { epoch, height, reason, timeMs } = read<EpochBegun>(value);
    const [key = ''] = recorded.rows(tableNames.epochKeys).keys();
    const sharedKey = Number(key.slice(key.indexOf('/') + 1));
    this.#epochs.set(epoch, { height, reason, timeMs, sharedKey });
  }

  #audits(height: number, recorded: RecordedWrites): void {
    for (const [key, value] of recorded.rows(tableNames.auditGrants)) {
      const former = this.#granted.get(key);
      if (former) former.until = height;
      this.#granted.delete(key);
      if (!value) continue;
      const { auditor, encryptionKey, epochs } = read<AuditGrant>(value);
      const granted: Auditor = { auditor, encryptionKey, epochs, since: height, given: [] };
      this.#granted.set(key, granted);
      this.#auditors.push(granted);
    }
    for (const [, value] of recorded.rows(tableNames.keyGrants)) {
      const grant = value && read<KeyGrant>(value);
      if (grant?.reason !== 'audit') continue;
      const [to] = grant.to;
      const granted = [...this.#granted.values()].find(({ auditor, encryptionKey }) => {
        return to === `auditor:${auditor}:${encryptionKey}`;
      });
      granted?.given.push({ by: grant.by ?? '', epochs: grant.epochs, height });
    }
  }

  /** How an epoch began; undefined when no block did. */
  epoch(epoch: number): EpochBeginningReport | undefined {
    return this.#epochs.get(epoch);
  }

  /** @param nameOf what an actor is called */
  report(nameOf: (actorId: string) => string): KeysReport {
    const sharings = [...this.#sharings.values()];
    return {
      shared: formed(this.#keys.values(), ({ number, keyId, sharing }) => {
        const newest = this.#sharings.get(String(sharing).padStart(12, '0'));
        return {
          number,
          keyId,
          threshold: newest?.threshold ?? 0,
          holders: newest?.holders.map(({ actorId }) => nameOf(actorId)) ?? [],
          sharings: sharings.filter(({ key }) => key === number).length,
        };
      }),
      ceremonies: formed(this.#ceremonies.values(), (one) => ceremonyReport(one, nameOf)),
      auditors: formed(this.#auditors, (one) => ({
        ...one,
        given: one.given.map((giving) => ({ ...giving, by: nameOf(giving.by) })),
      })),
      exports: formed(this.#exports.values(), ({ actorId, key, sharing, times, height }) => {
        return { actor: nameOf(actorId), key, sharing, times, height };
      }),
    };
  }
}

/** What a forged ledger has in the place of rows is left out: that it does is told as a defect. */
const formed = <Row, Told>(rows: Iterable<Row>, tell: (row: Row) => Told): Told[] =>
  Array.from(rows).flatMap((row) => {
    try {
      return [tell(row)];
    } catch (error) {
      if (!isFormError(error)) throw error;
      return [];
    }
  });

function ceremonyReport(
  { row, opened, closed }: { row: CeremonyRow; opened: number; closed?: number },
  nameOf: (actorId: string) => string,
): CeremonyReport {
  const { number, purpose, reason, key, attempt, terms, progress, state, failure } = row;
  return {
    number,
    purpose,
    reason,
    key,
    attempt,
    threshold: terms.threshold,
    receivers: terms.receivers.map(({ actor }) => nameOf(actor)),
    atFault: terms.dealers
      .filter(({ index }) => progress.atFault.includes(index))
      .map(({ actor }) => nameOf(actor)),
    state,
    ...(failure !== undefined && { failure }),
    openedHeight: opened,
    ...(closed !== undefined && { closedHeight: closed }),
  };
}
