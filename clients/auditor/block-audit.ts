import type { PlatformVerifier } from '@concordat/attestation';
import { recoveryStage } from '@concordat/governance';
import { decodeWriteSet } from '@concordat/kv';
import type { VerifiedBlock } from '@concordat/ledger';
import { utf8, viewOf } from '@concordat/std';
import { CeremonyPhases } from './ceremony-phases.ts';
import { Chronicle } from './chronicle.ts';
import { ContentsCount } from './contents-count.ts';
import type { Findings } from './findings.ts';
import { isFormError } from './form-error.ts';
import { frameworkPrefix, RecordedWrites, snapshotsTable } from './framework-tables.ts';
import { rehearseGenesis } from './genesis-rehearsal.ts';
import { KeyChronicle } from './key-chronicle.ts';
import { Leadership } from './leadership.ts';
import type { LedgerReplay } from './ledger-replay.ts';
import { RecentRoots } from './recent-roots.ts';
import { type RehearsalContext, rehearse } from './rehearsal.ts';
import { SealingEpochs } from './sealing-epochs.ts';

const prefixBytes = viewOf(utf8(frameworkPrefix));

/** Examines each block that the chain has accepted, on the state before it. */
export class BlockAudit {
  readonly chronicle = new Chronicle();
  readonly keys = new KeyChronicle();
  readonly contents = new ContentsCount();
  readonly leadership: Leadership;
  readonly #replay: LedgerReplay;
  readonly #findings: Findings;
  readonly #roots = new RecentRoots();
  readonly #context: RehearsalContext;
  readonly #epochs: SealingEpochs;
  readonly #phases = new CeremonyPhases();
  #view = 0;
  #opensView = false;
  #applicationTransactions = 0;
  /** A recovered network that is restored, and not voted open yet. */
  #isClosed = false;

  constructor(parts: {
    readonly replay: LedgerReplay;
    readonly findings: Findings;
    readonly verifiers: readonly PlatformVerifier[];
  }) {
    this.#replay = parts.replay;
    this.#findings = parts.findings;
    this.leadership = new Leadership(parts.findings);
    this.#epochs = new SealingEpochs(parts.findings);
    this.#context = {
      ...parts,
      heightOfRoot: (root) => this.#roots.heightOf(root),
      applicationTransactions: () => this.#applicationTransactions,
      phases: this.#phases,
    };
  }

  /**
   * Examines the next block; an administrative one changes the state.
   * @throws LedgerDamage MALFORMED_GOVERNANCE
   */
  block(block: VerifiedBlock): void {
    const { header, historyRoot, covered } = block;
    const findings = this.#findings;
    this.#opensView = header.view !== this.#view;
    this.#view = header.view;
    this.leadership.block(header, this.#replay.endorsedNode(header.leader)?.entry);
    findings.examined('chain', 'blocks');
    if (covered === 'contents') findings.examined('chain', 'leaves', header.count + 1);
    findings.examined('chain', 'signatures');
    this.#epochs.block(header);
    this.#phases.block(header);
    this.contents.block(block);
    if (header.source === 0) this.#administrative(block);
    else this.#application(block);
    this.#roots.add(historyRoot, header.height);
  }

  #administrative(block: VerifiedBlock): void {
    const { header, publicWrites } = block;
    const [only, ...others] = publicWrites;
    if (only === undefined || others.length > 0) {
      const message = `an administrative block of ${publicWrites.length} transactions`;
      this.#findings.defect('governance', 'MALFORMED_BLOCK', { message });
    } else this.#rehearse(block, only);
    this.#examinePrivate(block);
    this.#replay.accept(header.height, publicWrites);
    this.#tolerant(() => {
      const { state } = this.#replay;
      this.#isClosed = recoveryStage(state)?.stage === 'restored';
      this.#epochs.newest(state, header);
      for (const writes of publicWrites) {
        this.keys.block(header.height, new RecordedWrites(writes));
        for (const nodeId of this.chronicle.block(header.height, writes, state)) {
          this.leadership.retired(nodeId, header);
        }
      }
    });
  }

  #rehearse({ header }: VerifiedBlock, writes: Uint8Array): void {
    const opensView = this.#opensView;
    this.#tolerant(() => {
      const administrative = { header, opensView, recorded: new RecordedWrites(writes) };
      if (header.height === 1) rehearseGenesis(administrative, this.#context);
      else rehearse(administrative, this.#context);
    });
  }

  #tolerant(body: () => void): void {
    try {
      body();
    } catch (error) {
      if (!isFormError(error)) throw error;
      this.#findings.defect('governance', 'MALFORMED_BLOCK', { message: error.message });
    }
  }

  /** What only whoever has the epoch's key sees: snapshots are recorded. */
  #examinePrivate({ transactions = [] }: VerifiedBlock): void {
    this.#tolerant(() => {
      for (const { privateWrites } of transactions) {
        for (const { table, key, value } of decodeWriteSet(privateWrites)) {
          if (table === snapshotsTable) {
            if (value) this.#findings.observe('snapshot-recorded', `of block ${Number(key)}`);
          } else {
            const message = `the private table ${table} is written, and nothing asks for it`;
            this.#findings.defect('governance', 'UNDECIDED_CHANGE', { message });
          }
        }
      }
    });
  }

  /** An application has tables of its own, and changes no voters. */
  #application({ header, publicWrites }: VerifiedBlock): void {
    this.#applicationTransactions += header.count;
    if (this.#isClosed) {
      const message = 'an application is served in a recovered network that nobody voted open';
      this.#findings.defect('governance', 'UNDECIDED_CHANGE', { message });
    }
    if (header.flags !== 0) {
      const message = "an application's block is marked as one of the administration";
      this.#findings.defect('nodes', 'WRONG_CONFIGURATION', { message });
    }
    for (const writes of publicWrites) {
      if (writes.length === 0 || !viewOf(writes).includes(prefixBytes)) continue;
      this.#tolerant(() => {
        for (const { table } of decodeWriteSet(writes)) {
          if (!table.startsWith(frameworkPrefix)) continue;
          const message = `worker ${header.source} wrote to ${table}`;
          this.#findings.defect('governance', 'FOREIGN_TABLE', { message });
          return;
        }
      });
    }
  }
}
