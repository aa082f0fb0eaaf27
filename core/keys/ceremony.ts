import { type Digest, type Seqno, toSeqno } from '@concordat/std';
import {
  type CeremonyTerms,
  ceremonyIdOf,
  dealersNeeded,
  resharesTheKey,
} from './ceremony-terms.ts';
import { type Complaint, type Judgement, judge } from './complaint.ts';
import { type Confirmation, dealingDigest, requireConfirmation } from './confirmation.ts';
import { type Dealing, requireDealing } from './dealing.ts';
import { KeysError } from './errors.ts';
import { finishSteps, type Steps } from './steps.ts';
import { keySteps, type ThresholdKey, verificationKeyOf } from './threshold-key.ts';

/** When the phases of a ceremony end at the latest: positions in the ledger, never clocks. */
export interface CeremonyDeadlines {
  /** Dealings at this seqno or later are refused; {@link Ceremony.endPhase} may bring it forward. */
  readonly dealBy: Seqno;
  /**
   * Complaints and confirmations at this seqno or later are refused. A dealer that is found out moves
   * it: receivers get a whole window, `checkBy - dealBy`, for the dealings that count now.
   */
  readonly checkBy: Seqno;
}

/**
 * Where a ceremony stands: dealers deal; receivers check what they got; the key can be made; or too
 * few dealers or confirmed receivers are left, and another ceremony must be opened.
 */
export type CeremonyPhase = 'dealing' | 'checking' | 'done' | 'failed';

/** What became of a ceremony so far: plain data beside the dealings, for a ledger to keep. */
export interface CeremonyProgress {
  /** Who dealt, and the digest of the dealing's bytes, in the order of dealing. */
  readonly dealt: readonly { readonly dealer: number; readonly digest: Digest }[];
  /** Dealers whose dealing did not hold, in the order they were found out. */
  readonly atFault: readonly number[];
  /** Receivers that confirmed the dealings that count now, in order. */
  readonly confirmed: readonly number[];
  /** The deadline of dealing, as brought forward. */
  readonly dealBy: Seqno;
  /** The deadline of checking, as moved. */
  readonly checkBy: Seqno;
}

/** How a ceremony that was begun goes on: its progress, and the dealings it is about. */
export interface Resumption {
  readonly progress: CeremonyProgress;
  /** The dealing of a dealer that dealt: asked for only when it is needed. */
  dealingOf(dealer: number): Dealing;
}

/**
 * One dealing of a key, as the ledger tells it: whoever feeds it the same transactions in the same
 * order comes to the same key (joint Feldman with publicly judged complaints; Gennaro, Jarecki,
 * Krawczyk and Rabin 1999 on what its dealers can bias, Gurkan and others 2021 on why encryption
 * does not mind). A transaction costs a few multiplications, a complaint one for each of the threshold;
 * only making the key costs more, and comes in steps.
 */
export class Ceremony {
  readonly terms: CeremonyTerms;
  readonly deadlines: CeremonyDeadlines;
  readonly #reshared: ThresholdKey | undefined;
  readonly #dealings = new Map<number, Dealing>();
  readonly #dealingOf: (dealer: number) => Dealing;
  #progress: CeremonyProgress;

  /**
   * @param options.reshared the key that is reshared, when the terms say that one is
   * @param options.resumed a ceremony that was begun; what it holds was checked then
   * @throws KeysError INVALID_TERMS, also when they are not about the key that is reshared
   */
  constructor(
    terms: CeremonyTerms,
    deadlines: CeremonyDeadlines,
    options: { readonly reshared?: ThresholdKey; readonly resumed?: Resumption } = {},
  ) {
    const { reshared, resumed } = options;
    if (deadlines.dealBy > deadlines.checkBy) {
      throw new KeysError('INVALID_TERMS', 'the ceremony: checking ends before dealing does');
    }
    ceremonyIdOf(terms);
    this.terms = terms;
    this.deadlines = deadlines;
    this.#reshared = reshared;
    if (resumed) {
      this.#progress = resumed.progress;
      this.#dealingOf = (dealer) => this.#dealings.get(dealer) ?? resumed.dealingOf(dealer);
      return;
    }
    requireKeyReshared(terms, reshared);
    this.#progress = { dealt: [], atFault: [], confirmed: [], ...deadlines };
    this.#dealingOf = (dealer) => this.#dealings.get(dealer) as Dealing;
  }

  /** What became of it so far. */
  get progress(): CeremonyProgress {
    return this.#progress;
  }

  /** Where it stands for a transaction at this seqno. Ask for no earlier one than before. */
  phase(seqno: Seqno): CeremonyPhase {
    const { dealt, confirmed, dealBy, checkBy } = this.#progress;
    if (dealt.length < this.terms.dealers.length && seqno < dealBy) return 'dealing';
    if (this.#goodDealers().length < dealersNeeded(this.terms)) return 'failed';
    if (confirmed.length === this.terms.receivers.length) return 'done';
    if (seqno < checkBy) return 'checking';
    // A key that too few are known to hold would make unreadable what is encrypted to it.
    return confirmed.length >= this.terms.threshold ? 'done' : 'failed';
  }

  /** Dealings that nobody has justly complained about, in the order of their dealers. */
  get good(): readonly Dealing[] {
    return this.#goodDealers().map((dealer) => this.#dealingOf(dealer));
  }

  /** Dealers whose dealing did not hold, ascending. */
  get atFault(): readonly number[] {
    return [...this.#progress.atFault].sort((a, b) => a - b);
  }

  /** Digests of the dealings that make up the key as things stand: what receivers confirm. */
  get counting(): readonly Digest[] {
    const counting = new Set(this.#countingDealers());
    return this.#progress.dealt
      .filter(({ dealer }) => counting.has(dealer))
      .sort((a, b) => a.dealer - b.dealer)
      .map(({ digest }) => digest);
  }

  /** @throws KeysError CEREMONY_PHASE, DUPLICATE_DEALING, INVALID_DEALING; nothing has changed then */
  deal(dealing: Dealing, seqno: Seqno): void {
    const { dealer } = dealing;
    const { dealt } = this.#progress;
    if (dealt.some((one) => one.dealer === dealer)) {
      throw new KeysError('DUPLICATE_DEALING', `dealer ${dealer} has dealt already`, { dealer });
    }
    this.#require('dealing', seqno);
    requireDealing(this.terms, dealing);
    this.#dealings.set(dealer, dealing);
    const digest = dealingDigest(dealing);
    this.#progress = { ...this.#progress, dealt: [...dealt, { dealer, digest }] };
  }

  /**
   * Judges a complaint. When the dealer is at fault its dealing no longer counts, and as others may
   * count in its place, those who had confirmed are asked again and have a whole window for it.
   * @throws KeysError CEREMONY_PHASE, INVALID_COMPLAINT; nothing has changed then
   */
  complain(complaint: Complaint, seqno: Seqno): Judgement {
    this.#require('checking', seqno);
    const { dealer } = complaint;
    if (!this.#goodDealers().includes(dealer)) {
      throw new KeysError('INVALID_COMPLAINT', `dealer ${dealer} has no dealing that counts`);
    }
    const judgement = judge(this.terms, this.#dealingOf(dealer), complaint);
    if (judgement === 'dealer') {
      const { atFault, checkBy } = this.#progress;
      this.#progress = {
        ...this.#progress,
        atFault: [...atFault, dealer],
        confirmed: [],
        checkBy: toSeqno(Math.max(checkBy, seqno + this.#window)),
      };
    }
    return judgement;
  }

  /**
   * A receiver holds its share of the key that the counting dealings make. Saying so twice changes
   * nothing.
   * @throws KeysError CEREMONY_PHASE, INVALID_CONFIRMATION; nothing has changed then
   */
  confirm(confirmation: Confirmation, seqno: Seqno): void {
    this.#require('checking', seqno);
    const { receiver } = confirmation;
    requireConfirmation(this.terms, this.counting, confirmation);
    const { confirmed } = this.#progress;
    if (confirmed.includes(receiver)) return;
    this.#progress = { ...this.#progress, confirmed: [...confirmed, receiver] };
  }

  /**
   * Ends the phase at hand before its deadline: on an idle ledger that one might never come. Whoever
   * orders the ledger decides it, and has no more power by it than by ordering alone: nothing that it
   * takes to make a key, or to be sure that enough hold it, is let off. Checking has a whole window
   * once dealing was ended so.
   * @throws KeysError CEREMONY_PHASE when neither dealing nor checking is under way
   */
  endPhase(seqno: Seqno): void {
    const phase = this.phase(seqno);
    if (phase === 'dealing') {
      const checkBy = toSeqno(seqno + this.#window);
      this.#progress = { ...this.#progress, dealBy: seqno, checkBy };
    } else {
      this.#require('checking', seqno);
      this.#progress = { ...this.#progress, checkBy: seqno };
    }
  }

  /** How long checking takes at the most, in ledger positions. */
  get #window(): number {
    return this.deadlines.checkBy - this.deadlines.dealBy;
  }

  /**
   * The key.
   * @throws KeysError CEREMONY_PHASE when it is not done; INVALID_ELEMENT when dealings cancel each
   *   other out: this ceremony gives no key
   */
  key(seqno: Seqno): ThresholdKey {
    return finishSteps(this.keySteps(seqno));
  }

  /** {@link Ceremony.key} in steps. */
  keySteps(seqno: Seqno): Steps<ThresholdKey> {
    this.#require('done', seqno);
    return keySteps(this.terms, this.good, this.#reshared);
  }

  #goodDealers(): readonly number[] {
    const { dealt, atFault } = this.#progress;
    return dealt
      .map(({ dealer }) => dealer)
      .filter((dealer) => !atFault.includes(dealer))
      .sort((a, b) => a - b);
  }

  /** As `dealingsThatCount`: all good ones, or as many as the reshared key needs. */
  #countingDealers(): readonly number[] {
    const good = this.#goodDealers();
    return this.terms.reshares ? good.slice(0, dealersNeeded(this.terms)) : good;
  }

  #require(phase: CeremonyPhase, seqno: Seqno): void {
    const now = this.phase(seqno);
    if (now === phase) return;
    throw new KeysError('CEREMONY_PHASE', `the ceremony is ${now}, not ${phase}`, { phase: now });
  }
}

function requireKeyReshared(terms: CeremonyTerms, reshared: ThresholdKey | undefined): void {
  const isSame = reshared
    ? resharesTheKey(terms, {
        id: reshared.id,
        threshold: reshared.threshold,
        verificationKey: (index) => verificationKeyOf(reshared, index),
      })
    : terms.reshares === undefined;
  if (!isSame) throw new KeysError('INVALID_TERMS', 'the terms are not about the key reshared');
}
