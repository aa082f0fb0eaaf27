import {
  type CeremonyRow,
  closeCeremony,
  type DueCeremony,
  dealersOf,
  holderRegistrationOf,
  isMember,
  isOvertaken,
  keyNeeds,
  newestCeremony,
  openCeremony,
  openCeremonyOf,
  preparedKeySteps,
  recordComplaint,
  recordConfirmation,
  recordDeadline,
  recordDealing,
  registerHolder,
  resumeCeremony,
} from '@concordat/governance';
import type { ReadView, TransactionSet } from '@concordat/kv';
import { emptyBytes, type Seqno, toSeqno } from '@concordat/std';
import { entropy } from './enclave-sources.ts';
import { type CeremonyMessage, decodeCeremonyMessage } from './key-messages.ts';
import type { NodeContext } from './node-context.ts';
import { inSlices } from './slices.ts';

/** A ceremony is opened once nothing about its holders has changed for so long. */
const settleMs = 300;
/** Nodes that are about to register holder keys hold it up no longer than this. */
const maxSettleMs = 5_000;
/** After a failed attempt the next one waits a second, and twice as long each time, up to this. */
const maxBackOffMs = 60_000;

/** What of the node it needs. */
export type LeadContext = Pick<
  NodeContext,
  'administration' | 'driver' | 'takesPart' | 'queue' | 'log' | 'channel' | 'identity' | 'control'
> & {
  readonly sessionKeys: Pick<NodeContext['sessionKeys'], 'begin'>;
  readonly networkKey: Pick<NodeContext['networkKey'], 'isHeld' | 'write'>;
};

/**
 * The leader's part in key ceremonies: it opens what is due, makes a transaction of each contribution,
 * ends phases that wait for the silent, and closes. It keeps nothing but how long it has waited: whoever
 * leads next goes on from the ledger.
 */
export class CeremonyLead {
  readonly #context: LeadContext;
  /** What was due, and since when it has been so. */
  #due = { what: '', firstMs: 0, sinceMs: 0 };
  /** The phase of the open ceremony, and since when it goes on. */
  #phase = { what: '', sinceMs: 0 };
  #failed = { number: 0, sinceMs: 0 };
  /** Since when a ceremony could be closed. */
  #done = { number: 0, sinceMs: 0 };

  constructor(context: LeadContext) {
    this.#context = context;
  }

  /**
   * Takes the next step, if there is one.
   * @returns whether there will be one as time passes, though nothing else happens
   * @throws CodedError: it is tried again
   */
  async work(): Promise<boolean> {
    const { administration, driver, takesPart } = this.#context;
    if (!takesPart || !driver.leads || !administration.isCommitted) {
      this.#forget();
      return false;
    }
    const view = administration.committedState;
    const row = openCeremonyOf(view);
    if (!row) return this.#openDue(view);
    await this.#attend(view, row);
    return true;
  }

  #forget(): void {
    this.#due = { what: '', firstMs: 0, sinceMs: 0 };
    this.#phase = { what: '', sinceMs: 0 };
  }

  /** Makes a transaction of an actor's contribution. @throws CodedError of what refuses it */
  async execute(body: Uint8Array): Promise<Uint8Array> {
    const message = decodeCeremonyMessage(body);
    await this.#administer((set, seqno) => contribute(set, message, seqno));
    return emptyBytes;
  }

  /** The body learns where its transaction will stand. */
  async #administer<Result>(body: (set: TransactionSet, seqno: Seqno) => Result): Promise<Result> {
    const { queue, log } = this.#context;
    // Placed as soon as it is executed: nothing comes between.
    const { result } = await queue.administer((set) => body(set, toSeqno(log.lastSeqno + 1)));
    return result;
  }

  async #attend(view: ReadView, row: CeremonyRow): Promise<void> {
    const { log } = this.#context;
    if (isOvertaken(view, row)) return this.#close(row);
    const seqno = toSeqno(log.lastSeqno + 1);
    const phase = resumeCeremony(view, row).phase(seqno);
    if (phase === 'failed') return this.#close(row);
    if (phase === 'done') return this.#isPremature(row) ? undefined : this.#close(row);
    const what = `${row.number} ${phase} ${row.progress.atFault.length}`;
    const nowMs = performance.now();
    if (this.#phase.what !== what) this.#phase = { what, sinceMs: nowMs };
    if (nowMs - this.#phase.sinceMs < this.#patienceMs) return;
    this.#phase.sinceMs = nowMs;
    const next = await this.#administer((set, at) => recordDeadline(set, { seqno: at }));
    this.#tell('key.phase-ended', row, { phase, next });
  }

  /**
   * A fresh key is closed by a leader that has the network's private key, if one can be had in time: it
   * is under the old key as long as nobody writes it anew, and that key may be out of reach next.
   */
  #isPremature({ number, purpose }: CeremonyRow): boolean {
    if (purpose !== 'fresh' || this.#context.networkKey.isHeld) return false;
    const nowMs = performance.now();
    if (this.#done.number !== number) this.#done = { number, sinceMs: nowMs };
    return nowMs - this.#done.sinceMs < this.#patienceMs;
  }

  get #patienceMs(): number {
    const { policies } = this.#context.administration.committedConstitution;
    return policies.keyCeremonyDuration * 1_000;
  }

  async #close(row: CeremonyRow): Promise<void> {
    const { administration, log, sessionKeys, networkKey } = this.#context;
    const view = administration.committedState;
    const seqno = toSeqno(log.lastSeqno + 1);
    const isDone = !isOvertaken(view, row) && resumeCeremony(view, row).phase(seqno) === 'done';
    const prepared = isDone ? await inSlices(preparedKeySteps(view, seqno)) : undefined;
    const outcome = await this.#administer((set, at) => {
      const closed = closeCeremony(set, { seqno: at, ...(prepared && { prepared }) });
      // What is sealed from here on, those who hold the fresh key read, and no others.
      if (closed.state === 'done' && row.purpose === 'fresh') {
        sessionKeys.begin(set, { reason: 'key', nowMs: Date.now(), entropy });
        // A leader that has not got it yet writes it once it has.
        if (networkKey.isHeld) networkKey.write(set, entropy);
      }
      return closed;
    });
    const { state } = outcome;
    this.#tell('key.ceremony-closed', row, {
      state,
      ...(outcome.state === 'failed' && { level: 'warn', failure: outcome.failure }),
    });
  }

  async #openDue(view: ReadView): Promise<boolean> {
    const { due } = keyNeeds(view);
    const nowMs = performance.now();
    if (!due) {
      this.#forget();
      return false;
    }
    if (!this.#hasSettled(view, due, nowMs) || this.#backsOff(view, nowMs)) return true;
    if (missingFor(due, (actorId) => isActorUp(this.#context, actorId)).length > 0) return true;
    const row = await this.#administer((set, seqno) => openCeremony(set, { seqno }));
    this.#tell('key.ceremony-opened', row, { holders: row.terms.receivers.length });
    return true;
  }

  /** Joins that come together share one ceremony. */
  #hasSettled(view: ReadView, due: DueCeremony, nowMs: number): boolean {
    const gathering = this.#gathering(view);
    const what = JSON.stringify([due.threshold, due.receivers, gathering]);
    if (this.#due.what === '') this.#due.firstMs = nowMs;
    if (this.#due.what !== what) this.#due = { ...this.#due, what, sinceMs: nowMs };
    const { firstMs, sinceMs } = this.#due;
    const patience = gathering.length > 0 ? maxSettleMs : settleMs;
    return nowMs - sinceMs >= patience || nowMs - firstMs >= maxSettleMs;
  }

  /** Nodes of members that have not registered a holder key yet. */
  #gathering(view: ReadView): string[] {
    const { actors, nodes } = this.#context.administration.committedConstitution;
    const members = new Set<string>(actors.filter(isMember).map(({ actorId }) => actorId));
    return nodes
      .filter(({ status }) => status === 'learning' || status === 'trusted')
      .filter(({ actorId }) => members.has(actorId) && !holderRegistrationOf(view, actorId))
      .map(({ nodeId }) => nodeId);
  }

  #backsOff(view: ReadView, nowMs: number): boolean {
    const newest = newestCeremony(view);
    if (newest?.state !== 'failed') return false;
    const { number, attempt } = newest;
    if (this.#failed.number !== number) this.#failed = { number, sinceMs: nowMs };
    const waitMs = Math.min(1_000 * 2 ** Math.min(attempt - 1, 10), maxBackOffMs);
    return nowMs - this.#failed.sinceMs < waitMs;
  }

  #tell(event: string, row: CeremonyRow, fields: Record<string, unknown>): void {
    const { number, purpose, reason, key, attempt } = row;
    const { threshold } = row.terms;
    const named = { ceremony: number, purpose, reason, key, attempt, threshold };
    this.#context.control.log(event, { ...named, ...fields });
  }
}

/** Whether a node of the actor is there to deal and to confirm, as far as this node sees. */
export function isActorUp(
  context: Pick<NodeContext, 'administration' | 'channel' | 'identity'>,
  actorId: string,
): boolean {
  const { administration, channel, identity } = context;
  return administration.committedConstitution.nodes.some(
    ({ nodeId, actorId: owner, status }) =>
      owner === actorId &&
      status === 'trusted' &&
      (nodeId === identity.nodeId || channel.connected(nodeId)),
  );
}

/**
 * Actors without whom a ceremony could not succeed now, as too few others are up: dealers and
 * receivers. It is not opened before, or every attempt would add a failed one to the ledger.
 */
export function missingFor(due: DueCeremony, isUp: (actorId: string) => boolean): string[] {
  const { reshared, receivers, threshold } = due;
  const dealers = reshared ? dealersOf(reshared, receivers) : receivers;
  const needed = reshared ? reshared.sharing.threshold : threshold;
  const missing = new Set<string>();
  for (const [who, atLeast] of [
    [dealers, needed],
    [receivers, threshold],
  ] as const) {
    const down = who.filter(({ actorId }) => !isUp(actorId));
    if (who.length - down.length >= atLeast) continue;
    for (const { actorId } of down) missing.add(actorId);
  }
  return [...missing];
}

function contribute(set: TransactionSet, message: CeremonyMessage, seqno: Seqno): void {
  if (message.kind === 'registration') registerHolder(set, message.registration);
  else if (message.kind === 'dealing') recordDealing(set, message.bytes, { seqno });
  else if (message.kind === 'complaint') recordComplaint(set, message.bytes, { seqno });
  else recordConfirmation(set, message.bytes, { seqno });
}
