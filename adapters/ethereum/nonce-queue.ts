import { EthereumError } from './errors.ts';

/** A transaction as the queue needs it. */
export interface Queued {
  /** Sender as a binary string. */
  readonly sender: string;
  readonly nonce: bigint;
  /** Transaction hash as a binary string. */
  readonly hash: string;
}

interface Waiting {
  readonly hash: string;
  readonly release: () => void;
  readonly expire: (error: EthereumError) => void;
  readonly timer: ReturnType<typeof setTimeout>;
}

interface Sender {
  /** Nonce after those under way. */
  next: bigint;
  /** Hashes admitted and not yet executed, by nonce. */
  readonly underWay: Map<bigint, string>;
  readonly waiting: Map<bigint, Waiting>;
  touchedMs: number;
}

/** Bounds of the queue. */
export interface QueueLimits {
  /** Transactions of one sender that may wait for a gap. */
  readonly waitingPerSender: number;
  readonly waiting: number;
  /** How long a gap may stay open, milliseconds. */
  readonly gapMs: number;
  /** After this a transaction under way counts as lost, milliseconds. */
  readonly lostMs: number;
}

/** The bounds in force unless a test sets others. */
export const defaultQueueLimits: QueueLimits = {
  waitingPerSender: 64,
  waiting: 4_096,
  gapMs: 3_000,
  lostMs: 5_000,
};

/**
 * Orders each sender's transactions by nonce before they join a batch. What comes in order passes
 * at once; what comes a moment early waits for the gap to fill, because wallets send in parallel;
 * then it is refused. Nothing here outlives the process: it is not a mempool.
 */
export class NonceQueue {
  readonly #senders = new Map<string, Sender>();
  readonly #limits: QueueLimits;
  readonly #nowMs: () => number;
  #underWay = 0;
  #waiting = 0;

  constructor(nowMs: () => number, limits: QueueLimits = defaultQueueLimits) {
    this.#nowMs = nowMs;
    this.#limits = limits;
  }

  /** Transactions admitted and not yet executed. */
  get underWay(): number {
    return this.#underWay;
  }

  /** Nonce of a sender's next transaction, given the one its account has. */
  next(sender: string, accountNonce: bigint): bigint {
    const known = this.#senders.get(sender);
    if (known === undefined || known.underWay.size === 0) return accountNonce;
    return known.next > accountNonce ? known.next : accountNonce;
  }

  /**
   * Takes a transaction in: undefined when it may be ordered now, else a promise of that moment.
   * @throws EthereumError NONCE_TOO_LOW, NONCE_TOO_HIGH, ALREADY_KNOWN, POOL_FULL
   */
  enter(queued: Queued, accountNonce: bigint): undefined | Promise<void> {
    const sender = this.#sender(queued.sender);
    const nowMs = this.#nowMs();
    if (sender.underWay.size > 0 && nowMs - sender.touchedMs > this.#limits.lostMs) {
      this.#underWay -= sender.underWay.size;
      sender.underWay.clear();
    }
    const next = this.next(queued.sender, accountNonce);
    if (queued.nonce < next) {
      this.#tidy(queued.sender, sender);
      if (sender.underWay.get(queued.nonce) === queued.hash) throw alreadyKnown();
      throw new EthereumError('NONCE_TOO_LOW', `nonce ${queued.nonce}, next is ${next}`, {
        next: next.toString(),
      });
    }
    if (queued.nonce > next) return this.#wait(queued, sender, next);
    this.#pass(queued.nonce, queued.hash, sender, nowMs);
    this.#releaseSoon(sender);
    return undefined;
  }

  /** A transaction was executed or dropped; the account now has this nonce. */
  settled(queued: Queued, accountNonce: bigint): void {
    const sender = this.#senders.get(queued.sender);
    if (sender === undefined) return;
    if (sender.underWay.delete(queued.nonce)) this.#underWay--;
    sender.touchedMs = this.#nowMs();
    if (sender.underWay.size === 0) {
      sender.next = accountNonce;
      this.#release(sender);
    }
    this.#tidy(queued.sender, sender);
  }

  /** Forgets what is under way: the head of the state was replaced. */
  reset(): void {
    for (const [key, sender] of this.#senders) {
      sender.underWay.clear();
      sender.next = 0n;
      this.#tidy(key, sender);
    }
    this.#underWay = 0;
  }

  /** After a reset, in any order: what is under way nevertheless. */
  readmitted({ sender: key, nonce, hash }: Queued): void {
    const sender = this.#sender(key);
    if (sender.underWay.has(nonce)) return;
    const { next } = sender;
    this.#pass(nonce, hash, sender, this.#nowMs());
    if (next > sender.next) sender.next = next;
    this.#releaseSoon(sender);
  }

  #sender(key: string): Sender {
    let sender = this.#senders.get(key);
    if (sender === undefined) {
      sender = { next: 0n, underWay: new Map(), waiting: new Map(), touchedMs: this.#nowMs() };
      this.#senders.set(key, sender);
    }
    return sender;
  }

  #tidy(key: string, sender: Sender): void {
    if (sender.underWay.size === 0 && sender.waiting.size === 0) this.#senders.delete(key);
  }

  #pass(nonce: bigint, hash: string, sender: Sender, nowMs: number): void {
    sender.underWay.set(nonce, hash);
    sender.next = nonce + 1n;
    sender.touchedMs = nowMs;
    this.#underWay++;
  }

  // The caller enqueues what was just admitted when its own turn ends; successors come after it.
  #releaseSoon(sender: Sender): void {
    if (sender.waiting.has(sender.next)) setImmediate(() => this.#release(sender));
  }

  #release(sender: Sender): void {
    for (;;) {
      const waiting = sender.waiting.get(sender.next);
      if (waiting === undefined) return;
      this.#forget(sender, sender.next, waiting);
      this.#pass(sender.next, waiting.hash, sender, this.#nowMs());
      waiting.release();
    }
  }

  #forget(sender: Sender, nonce: bigint, waiting: Waiting): void {
    clearTimeout(waiting.timer);
    sender.waiting.delete(nonce);
    this.#waiting--;
  }

  #wait(queued: Queued, sender: Sender, next: bigint): Promise<void> {
    const limits = this.#limits;
    const known = sender.waiting.get(queued.nonce);
    if (known?.hash === queued.hash) throw alreadyKnown();
    const tooHigh = (): EthereumError =>
      new EthereumError('NONCE_TOO_HIGH', `nonce ${queued.nonce}, next is ${next}`, {
        next: next.toString(),
      });
    if (known !== undefined || queued.nonce - next > BigInt(limits.waitingPerSender)) {
      this.#tidy(queued.sender, sender);
      throw tooHigh();
    }
    if (sender.waiting.size >= limits.waitingPerSender || this.#waiting >= limits.waiting) {
      throw new EthereumError('POOL_FULL', 'too many transactions wait for earlier nonces');
    }
    this.#waiting++;
    return new Promise((release, expire) => {
      const timer = setTimeout(() => {
        this.#forget(sender, queued.nonce, waiting);
        this.#tidy(queued.sender, sender);
        expire(tooHigh());
      }, limits.gapMs);
      timer.unref();
      const waiting: Waiting = { hash: queued.hash, release, expire, timer };
      sender.waiting.set(queued.nonce, waiting);
    });
  }
}

const alreadyKnown = (): EthereumError =>
  new EthereumError('ALREADY_KNOWN', 'this transaction is already under way');
