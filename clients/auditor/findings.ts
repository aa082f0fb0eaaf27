/** What an audit looks at, in the order of its report. */
export const auditClasses = [
  'chain',
  'governance',
  'nodes',
  'leaders',
  'evidence',
  'keys',
  'clocks',
  'receipts',
  'execution',
] as const;

/** One kind of thing that an audit looks at. */
export type AuditClass = (typeof auditClasses)[number];

/** Something that must not be in a ledger. */
export interface Defect {
  readonly class: AuditClass;
  /** A code of {@link LedgerDamage} for the chain, else of {@link DefectCode}. */
  readonly code: string;
  readonly height: number;
  /** Base name of the chunk file; absent where no file is to blame. */
  readonly file?: string;
  readonly message: string;
  /** Code of the rule that refused, where one did. */
  readonly cause?: string;
}

/**
 * What is wrong with a ledger whose blocks are one signed history:
 * - `MESSAGE_REFUSED`: governance refuses the recorded message in the state of its time (`cause`).
 * - `WRONG_OUTCOME`: executing the recorded message changes something else than was recorded.
 * - `UNDECIDED_CHANGE`: governance changed though no message in the block asked for it.
 * - `WRONG_TIME`: the time a message was executed at is not that of its block.
 * - `WRONG_GENESIS`: the first block is not what its constitution begins a network with.
 * - `MALFORMED_BLOCK`: administrative writes do not have their form.
 * - `FOREIGN_TABLE`: an application wrote to a table of the framework.
 * - `NODE_CHANGE_REFUSED`: the rules of a node's life refuse the change (`cause`).
 * - `UNDECIDED_NODE_CHANGE`: the node list changed by neither a message nor those rules.
 * - `UNENDORSED_CERTIFICATE`: the network did not issue the node's certificate for its key.
 * - `WRONG_CONFIGURATION`: the record of who votes, or its flag, is not that of the node list.
 * - `UNTRUSTED_LEADER`: the node that led was not trusted at that height.
 * - `EVIDENCE_MISSING`: a node is there whose evidence was not recorded.
 * - `EVIDENCE_REFUSED`: recorded evidence does not hold at the instant it was judged (`cause`).
 * - `EVIDENCE_OF_ANOTHER_VERDICT`: it proves another code, platform or machine than was recorded.
 * - `EVIDENCE_UNLISTED`: the manifests of its height do not allow what it proves (`cause`).
 * - `EVIDENCE_NOT_OF_ITS_TIME`: it names another network, a later epoch or another time.
 * - `UNEXPECTED_EVIDENCE`: evidence of a node that did not join in the block.
 * - `CEREMONY_REFUSED`: the rules of key ceremonies refuse a recorded step (`cause`).
 * - `WRONG_CEREMONY`: the steps of a key ceremony come to something else than was recorded.
 * - `DEADLINE_TOO_EARLY`: a phase of a key ceremony was ended before the silent had their time.
 * - `EPOCH_MISSING`: actors or nodes left or came, a key is new, or a vote asked for it, and no new
 *   epoch began, nor is one on record that waits for a fresh shared key.
 * - `EPOCH_OVERDUE`: an epoch goes on long after the policies of its time ended it, or the one that
 *   waited for a fresh shared key should have begun.
 * - `EPOCH_WITHOUT_REASON`: the reason an epoch names for its beginning is not there.
 * - `WRONG_EPOCH`: an epoch that is not the next one, or a block of one that is not begun, or over.
 * - `INVALID_EPOCH_KEY`: a session key not encrypted to the shared key of the time for its epoch.
 * - `INVALID_NETWORK_KEY`: the network's private key is not written with the first block, or written
 *   otherwise than anew for a shared key that is fresh.
 * - `REPEATED_EPOCH_KEY`: two epochs have one session key.
 * - `WRONG_GRANT`: an epoch was granted to others than the nodes of the time, or not to all of them.
 * - `TIME_FELL`: within one view a block is older than the one before it.
 * - `RECEIPT_REFUSED`: a receipt proves nothing (`cause`).
 * - `RECEIPT_OF_ANOTHER_HISTORY`: it proves a transaction that is not in this ledger.
 * - `RECEIPT_BEYOND_END`: it proves a transaction after the end of this ledger.
 * - `WRONG_EXECUTION`: executing a transaction anew comes to something else than was recorded.
 */
export type DefectCode =
  | 'MESSAGE_REFUSED'
  | 'WRONG_OUTCOME'
  | 'UNDECIDED_CHANGE'
  | 'WRONG_TIME'
  | 'WRONG_GENESIS'
  | 'MALFORMED_BLOCK'
  | 'FOREIGN_TABLE'
  | 'NODE_CHANGE_REFUSED'
  | 'UNDECIDED_NODE_CHANGE'
  | 'UNENDORSED_CERTIFICATE'
  | 'WRONG_CONFIGURATION'
  | 'UNTRUSTED_LEADER'
  | 'EVIDENCE_MISSING'
  | 'EVIDENCE_REFUSED'
  | 'EVIDENCE_OF_ANOTHER_VERDICT'
  | 'EVIDENCE_UNLISTED'
  | 'EVIDENCE_NOT_OF_ITS_TIME'
  | 'UNEXPECTED_EVIDENCE'
  | 'CEREMONY_REFUSED'
  | 'WRONG_CEREMONY'
  | 'DEADLINE_TOO_EARLY'
  | 'EPOCH_MISSING'
  | 'EPOCH_OVERDUE'
  | 'EPOCH_WITHOUT_REASON'
  | 'WRONG_EPOCH'
  | 'INVALID_EPOCH_KEY'
  | 'INVALID_NETWORK_KEY'
  | 'REPEATED_EPOCH_KEY'
  | 'WRONG_GRANT'
  | 'TIME_FELL'
  | 'RECEIPT_REFUSED'
  | 'RECEIPT_OF_ANOTHER_HISTORY'
  | 'RECEIPT_BEYOND_END'
  | 'WRONG_EXECUTION';

/** Something unusual that a sound ledger may hold. */
export type ObservationKind =
  | 'view-changed'
  | 'views-without-blocks'
  | 'view-without-work'
  | 'clock-differs'
  | 'long-gap'
  | 'led-after-retirement'
  | 'node-departed'
  | 'evidence-root-unknown'
  | 'network-resumed'
  | 'ceremony-deadline'
  | 'earlier-epoch'
  | 'epoch-waits'
  | 'snapshot-recorded'
  | 'recovered-from'
  | 'contents-closed'
  | 'image-unlisted'
  | 'torn-end';

/** One observation. */
export interface Observation {
  readonly kind: ObservationKind;
  readonly height: number;
  readonly message: string;
}

/** Observations of one kind: the first ones, and how many there are. */
export interface Observations {
  readonly kind: ObservationKind;
  readonly count: number;
  readonly first: readonly Observation[];
}

/** What was found in one class. */
export interface ClassVerdict {
  readonly class: AuditClass;
  readonly verdict: 'holds' | 'defect';
  /** How many defects there are. */
  readonly defects: number;
  readonly first?: Defect;
  /** What was looked at, counted. */
  readonly examined: Readonly<Record<string, number>>;
}

/** Observations of one kind that are kept word for word. */
const keptObservations = 10;

/** Collects what an audit finds: of each class the first defect, and counts; bounded. */
export class Findings {
  readonly #first = new Map<AuditClass, Defect>();
  readonly #defects = new Map<AuditClass, number>();
  readonly #examined = new Map<AuditClass, Map<string, number>>();
  readonly #observations = new Map<ObservationKind, { count: number; first: Observation[] }>();
  #height = 0;
  #file: string | undefined;

  /** What is found next is about this block. */
  at(height: number, file: string | undefined): void {
    this.#height = height;
    this.#file = file;
  }

  /** Whether nothing is wrong so far. */
  get clean(): boolean {
    return this.#first.size === 0;
  }

  /** Notes a defect of the present block. */
  defect(of: AuditClass, code: DefectCode, found: { message: string; cause?: string }): void {
    const place = { height: this.#height, ...(this.#file !== undefined && { file: this.#file }) };
    this.add({ class: of, code, ...place, ...found });
  }

  /** Notes a defect. */
  add(defect: Defect): void {
    this.#defects.set(defect.class, (this.#defects.get(defect.class) ?? 0) + 1);
    if (!this.#first.has(defect.class)) this.#first.set(defect.class, defect);
  }

  /** Counts something that was looked at. */
  examined(of: AuditClass, what: string, count = 1): void {
    let counts = this.#examined.get(of);
    if (!counts) {
      counts = new Map();
      this.#examined.set(of, counts);
    }
    counts.set(what, (counts.get(what) ?? 0) + count);
  }

  /** Notes something unusual about the present block. */
  observe(kind: ObservationKind, message: string): void {
    let noted = this.#observations.get(kind);
    if (!noted) {
      noted = { count: 0, first: [] };
      this.#observations.set(kind, noted);
    }
    noted.count += 1;
    if (noted.first.length >= keptObservations) return;
    noted.first.push({ kind, height: this.#height, message });
  }

  /** A verdict for every class. */
  verdicts(): ClassVerdict[] {
    return auditClasses.map((of) => {
      const first = this.#first.get(of);
      return {
        class: of,
        verdict: first ? 'defect' : 'holds',
        defects: this.#defects.get(of) ?? 0,
        ...(first && { first }),
        examined: Object.fromEntries(this.#examined.get(of) ?? []),
      };
    });
  }

  /** What is unusual, by kind. */
  observations(): Observations[] {
    return Array.from(this.#observations, ([kind, noted]) => ({ kind, ...noted }));
  }
}
