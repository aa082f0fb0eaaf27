import { assert, type Seqno } from '@concordat/std';
import { type CeremonyTerms, dealersNeeded } from './ceremony-terms.ts';
import { type Complaint, type Judgement, judge } from './complaint.ts';
import { type Dealing, requireDealing } from './dealing.ts';
import { KeysError } from './errors.ts';
import { dealingsThatCount, keyFrom, type ThresholdKey } from './threshold-key.ts';

/** When the phases of a ceremony end at the latest: positions in the ledger, never clocks. */
export interface CeremonyDeadlines {
  /** Dealings at this seqno or later are refused. */
  readonly dealBy: Seqno;
  /** Complaints and confirmations at this seqno or later are refused. */
  readonly checkBy: Seqno;
}

/**
 * Where a ceremony stands: dealers deal, receivers check what they got, the key is there; or too few
 * dealers were left, and another ceremony must be opened.
 */
export type CeremonyPhase = 'dealing' | 'checking' | 'done' | 'failed';

/**
 * One dealing of a key, as the ledger tells it: whoever feeds it the same transactions in the same
 * order comes to the same key (joint Feldman with publicly judged complaints; Gennaro, Jarecki,
 * Krawczyk and Rabin 1999 on what its dealers can bias, Gurkan and others 2021 on why encryption
 * does not mind).
 */
export class Ceremony {
  readonly terms: CeremonyTerms;
  readonly deadlines: CeremonyDeadlines;
  readonly #dealings = new Map<number, Dealing>();
  readonly #atFault = new Set<number>();
  readonly #confirmed = new Set<number>();
  readonly #reshared: ThresholdKey | undefined;

  /** @param reshared the key that is reshared, when the terms say that one is */
  constructor(terms: CeremonyTerms, deadlines: CeremonyDeadlines, reshared?: ThresholdKey) {
    assert((terms.reshares === undefined) === (reshared === undefined), 'a resharing has its key');
    assert(deadlines.dealBy <= deadlines.checkBy, 'dealing ends before checking does');
    this.terms = terms;
    this.deadlines = deadlines;
    this.#reshared = reshared;
  }

  /** Where it stands for a transaction at this seqno. */
  phase(seqno: Seqno): CeremonyPhase {
    const { dealBy, checkBy } = this.deadlines;
    if (this.#dealings.size < this.terms.dealers.length && seqno < dealBy) return 'dealing';
    if (this.good.length < dealersNeeded(this.terms)) return 'failed';
    const { receivers } = this.terms;
    const isChecked = receivers.every(({ index }) => this.#confirmed.has(index));
    return isChecked || seqno >= checkBy ? 'done' : 'checking';
  }

  /** Dealings that nobody has justly complained about, in the order of their dealers. */
  get good(): readonly Dealing[] {
    return [...this.#dealings.values()]
      .filter(({ dealer }) => !this.#atFault.has(dealer))
      .sort((a, b) => a.dealer - b.dealer);
  }

  /** Dealers whose dealing did not hold, ascending. */
  get atFault(): readonly number[] {
    return [...this.#atFault].sort((a, b) => a - b);
  }

  /** Dealings a receiver must check now: those that make up the key as things stand. */
  get counting(): readonly Dealing[] {
    return dealingsThatCount(this.terms, this.good);
  }

  /** @throws KeysError CEREMONY_PHASE, DUPLICATE_DEALING, INVALID_DEALING; nothing has changed then */
  deal(dealing: Dealing, seqno: Seqno): void {
    this.#require('dealing', seqno);
    const { dealer } = dealing;
    if (this.#dealings.has(dealer)) {
      throw new KeysError('DUPLICATE_DEALING', `dealer ${dealer} has dealt already`, { dealer });
    }
    requireDealing(this.terms, dealing);
    this.#dealings.set(dealer, dealing);
  }

  /**
   * Judges a complaint. When the dealer is at fault its dealing no longer counts, and as other
   * dealings may count in its place, those who had confirmed are asked again.
   * @throws KeysError CEREMONY_PHASE, INVALID_COMPLAINT; nothing has changed then
   */
  complain(complaint: Complaint, seqno: Seqno): Judgement {
    this.#require('checking', seqno);
    const { dealer } = complaint;
    const dealing = this.#dealings.get(dealer);
    if (!dealing || this.#atFault.has(dealer)) {
      throw new KeysError('INVALID_COMPLAINT', `dealer ${dealer} has no dealing that counts`);
    }
    const judgement = judge(this.terms, dealing, complaint);
    if (judgement === 'dealer') {
      this.#atFault.add(dealer);
      this.#confirmed.clear();
    }
    return judgement;
  }

  /**
   * A receiver holds its share of the key that the counting dealings make.
   * @throws KeysError CEREMONY_PHASE, INVALID_CONFIRMATION; nothing has changed then
   */
  confirm(receiver: number, seqno: Seqno): void {
    this.#require('checking', seqno);
    if (!this.terms.receivers.some(({ index }) => index === receiver)) {
      throw new KeysError('INVALID_CONFIRMATION', `${receiver} receives no share`);
    }
    this.#confirmed.add(receiver);
  }

  /**
   * The key.
   * @throws KeysError CEREMONY_PHASE when it is not done; those of {@link keyFrom}
   */
  key(seqno: Seqno): ThresholdKey {
    this.#require('done', seqno);
    return keyFrom(this.terms, this.good, this.#reshared);
  }

  #require(phase: CeremonyPhase, seqno: Seqno): void {
    const now = this.phase(seqno);
    if (now === phase) return;
    throw new KeysError('CEREMONY_PHASE', `the ceremony is ${now}, not ${phase}`, { phase: now });
  }
}
