import {
  type Configuration,
  type Consensus,
  createRaft,
  type Effects,
  type Entry,
  type Message,
  type VoteRequest,
} from '@concordat/consensus';
import type { Height, View } from '@concordat/std';
import { idOf, nameOf } from './names.ts';
import { type Batch, decodeBatch, encodeBatch, type Item } from './scenario-batch.ts';

/** The clock of the format: a leader beats every 10 ms, a follower waits for 100 ms. A tick is 1 ms. */
export const heartbeatMs = 10;
/** See `heartbeatMs`. */
export const electionMs = 100;
/** When a machine would campaign by itself: the scenario decides before that. */
const ownTimeoutTicks = 2 * electionMs - 1;

/** A message in a node's outgoing queue. */
export interface Queued {
  readonly to: string;
  readonly message: Message;
}

/** How a node begins. */
export interface Beginning {
  /** The first voters of the network; a node outside it begins as a learner. */
  readonly genesis: Configuration;
  readonly view: View;
  readonly preVote: boolean;
  /** When a leader sends a peer what it lacks after a refusal. */
  readonly refusals: 'at once' | 'next period';
}

/**
 * One machine of a scenario. Unsigned data waits at the leader; a signature turns it into one entry.
 * Its effects are taken when a node of the format would send: a leader's at its period, everybody
 * else's at once.
 */
export class ScenarioNode {
  readonly name: string;
  readonly machine: Consensus;
  readonly queue: Queued[] = [];
  readonly log: Entry[] = [];
  readonly batches: Batch[] = [];
  /** Leader: positions that no signature covers yet. */
  readonly unsigned: Item[] = [];
  /** Leader: signed positions that cannot be proposed yet. */
  readonly waiting: Item[][] = [];
  readonly #preVote: boolean;
  readonly #refusals: Beginning['refusals'];
  /** Leader: appends for its next period. */
  readonly #later: Queued[] = [];
  /** Entries of `log` that came by effects; those above are this leader's, not yet taken. */
  #taken = 0;
  /** Ms of its own periods since its election timer began anew. */
  #silentMs = 0;
  /** Ticks of the machine since then. */
  #ticks = 0;
  #sinceBeatMs = 0;

  constructor(name: string, { genesis, view, preVote, refusals }: Beginning) {
    this.name = name;
    this.#preVote = preVote;
    this.#refusals = refusals;
    this.machine = createRaft({
      self: idOf(name),
      electionTicks: electionMs,
      heartbeatTicks: heartbeatMs,
      random: () => {
        this.#timerBegins();
        return (ownTimeoutTicks - electionMs + 0.5) / electionMs;
      },
      maxAppendBytes: 1 << 24,
      maxInflightAppends: 1000,
      maxMemoryBytes: 1 << 28,
      initial: {
        view,
        lastHeight: 0 as Height,
        lastView: 0 as View,
        committed: 0 as Height,
        configuration: genesis,
        configurationHeight: 0 as Height,
        viewHistory: [],
      },
    });
    this.#timerBegins();
  }

  get leads(): boolean {
    return this.machine.status.role === 'leader';
  }

  /** Index of the last position that a signature covers and that is in the log. */
  get signedIndex(): number {
    return this.batches[this.batches.length - 1]?.last ?? 0;
  }

  /** Index of the last position, signed or not. */
  get lastIndex(): number {
    return this.signedIndex + this.#beyondLog().length;
  }

  /** Index up to which positions are committed. */
  get commitIndex(): number {
    return this.batches[this.machine.status.committed - 1]?.last ?? 0;
  }

  /** Every position this node holds, oldest first. */
  positions(): Item[] {
    return [...this.batches.flatMap(({ items }) => items), ...this.#beyondLog()];
  }

  /** Time passes for this node. Answers whether its election timer ended. */
  period(ms: number): void {
    if (this.leads) this.#lead(ms);
    else {
      this.#silentMs += ms;
      if (this.#silentMs < electionMs) this.#idle(ms);
      else this.#campaign();
    }
  }

  /** Takes a position as leader; a signature proposes what has waited for it. */
  add(kind: Item['kind'], words: readonly string[]): void {
    this.unsigned.push({ index: this.lastIndex + 1, kind, words });
    if (kind !== 'signature') return;
    this.waiting.push(this.unsigned.splice(0));
    const newcomers = this.#proposeWaiting();
    // A leader of the format greets newcomers at once, and tells the others at its next period.
    if (newcomers.length > 0) this.#sendOnly(({ to }) => newcomers.includes(to));
  }

  nominate(): void {
    this.machine.transferLeadership();
    this.work();
  }

  receive(from: string, message: Message): void {
    const led = this.leads;
    if (message.type === 'vote-request' && message.pre) this.#waitAsLong(from, message);
    const refusal = this.machine.step(idOf(from), message);
    if (message.type === 'append' && (!refusal || refusal.code === 'CONFLICT')) this.#timerBegins();
    if (!led || !this.leads) this.work();
    else if (message.type !== 'append-response')
      this.#sendOnly((one) => one.message.type !== 'append');
    else if (message.rejected && this.#refusals === 'at once') this.work();
    // What had to wait goes out at once.
    if (this.#proposeWaiting().length > 0) this.work();
  }

  /** Carries out what the machine owes: everything is durable at once, messages are queued. */
  work(): void {
    const kept = this.#later.splice(0);
    const owed = this.#takeMessages();
    // Of two appends to one peer in one period, an empty second one says nothing.
    const isEcho = ({ to, message }: Queued) =>
      message.type === 'append' &&
      message.entries.length === 0 &&
      kept.some((one) => one.to === to);
    this.queue.push(...kept, ...owed.filter((queued) => !isEcho(queued)));
    if (this.leads) return;
    this.unsigned.length = 0;
    this.waiting.length = 0;
  }

  #takeMessages(): Queued[] {
    const messages: Queued[] = [];
    for (let effects = this.machine.takeEffects(); effects; effects = this.machine.takeEffects()) {
      this.#store(effects);
      for (const { to, message } of [...effects.messages, ...effects.afterHardState]) {
        messages.push({ to: nameOf(to), message });
      }
      for (const { peer, from } of effects.fetch) {
        this.machine.provide(peer, this.log.slice(from - 1));
      }
    }
    return messages;
  }

  #beyondLog(): Item[] {
    return [...this.waiting.flat(), ...this.unsigned];
  }

  #timerBegins(): void {
    this.#silentMs = 0;
    this.#ticks = 0;
  }

  #lead(ms: number): void {
    this.#sinceBeatMs += ms;
    for (let passed = 0; passed < ms && this.leads; passed += 1) this.machine.tick();
    if (this.leads && this.#sinceBeatMs < heartbeatMs) return;
    this.#sinceBeatMs = 0;
    this.work();
  }

  /** Time passes, but not so much that the machine would campaign. */
  #idle(ms: number): void {
    for (let passed = 0; passed < ms && this.#ticks < ownTimeoutTicks - 1; passed += 1) {
      this.#ticks += 1;
      this.machine.tick();
    }
    this.work();
  }

  /** The election timer ended. */
  #campaign(): void {
    const { length } = this.queue;
    for (let ticks = 0; ticks <= ownTimeoutTicks && this.#silentMs > 0; ticks += 1) {
      this.machine.tick();
    }
    this.work();
    if (!this.#preVote && this.machine.status.role === 'pre-candidate') this.#foretellYes(length);
  }

  /** Without pre-vote: everybody is taken to have said yes to it, and nobody was asked. */
  #foretellYes(queued: number): void {
    this.queue.length = queued;
    const { view, configurations } = this.machine.status;
    const yes: Message = {
      type: 'vote-response',
      view: (view + 1) as View,
      pre: true,
      granted: true,
      committed: { height: 0 as Height, view: 0 as View },
    };
    for (const { voters } of configurations) {
      for (const voter of voters) {
        if (this.machine.status.role === 'pre-candidate') this.machine.step(voter, yes);
      }
    }
    this.work();
  }

  /** A leader sends some messages at once and keeps the others for its next period. */
  #sendOnly(isUrgent: (queued: Queued) => boolean): void {
    for (const queued of this.#takeMessages()) {
      if (isUrgent(queued)) this.queue.push(queued);
      else this.#later.push(queued);
    }
  }

  /**
   * Whoever asks by a pre-vote has waited for a leader in vain, and by the one clock of the format so
   * has everybody else: a follower has heard no leader, and a leader was as silent as it was deaf.
   */
  #waitAsLong(from: string, { view }: VoteRequest): void {
    const { status } = this.machine;
    if (view <= status.view) return;
    if (!this.leads) {
      this.#idle(electionMs);
      return;
    }
    if (!status.configurations.some(({ voters }) => voters.includes(idOf(from)))) return;
    for (let passed = 0; passed < electionMs && this.leads; passed += 1) this.machine.tick();
  }

  /** Proposes what is signed and can be; answers the nodes that were not fed before. */
  #proposeWaiting(): string[] {
    const newcomers: string[] = [];
    for (let items = this.waiting[0]; items && this.leads; items = this.waiting[0]) {
      const configuration = this.#configurationOf(items);
      const payload = encodeBatch(items);
      const fed = [idOf(this.name), ...this.machine.status.progress.keys()];
      const proposed = this.machine.propose(payload, configuration);
      if (!proposed.ok) break;
      const fresh = configuration?.voters.filter((id) => !fed.includes(id)) ?? [];
      newcomers.push(...fresh.map(nameOf));
      this.waiting.shift();
      const { view, height } = proposed;
      const entry: Entry = { view, height, payload, ...(configuration && { configuration }) };
      this.log.push(entry);
      this.batches.push(decodeBatch(entry));
      this.machine.persisted(height, view);
    }
    return newcomers;
  }

  /** What a batch reconfigures to: of several configurations under one signature the last. */
  #configurationOf(items: readonly Item[]): Configuration | undefined {
    const words = items.findLast(({ kind }) => kind === 'configuration')?.words;
    if (!words) return undefined;
    const { configurations } = this.machine.status;
    const newest = configurations[configurations.length - 1]?.voters.map(nameOf) ?? [];
    const same = words.length === newest.length && words.every((name) => newest.includes(name));
    return same ? undefined : { voters: words.map(idOf) };
  }

  #store(effects: Effects): void {
    this.log.length = this.#taken;
    this.batches.length = this.#taken;
    if (effects.truncateAfter !== undefined) {
      this.log.length = effects.truncateAfter;
      this.batches.length = effects.truncateAfter;
    }
    for (const entry of effects.append) {
      this.log.push(entry);
      this.batches.push(decodeBatch(entry));
    }
    this.#taken = this.log.length;
    const last = effects.append[effects.append.length - 1];
    if (last) this.machine.persisted(last.height, last.view);
  }
}
