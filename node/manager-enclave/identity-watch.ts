import { isNobody } from '@concordat/bridge';
import type { Constitution } from '@concordat/governance';
import { acceptsAnonymous } from './anonymous-client.ts';
import { type ClientIdentity, judgeCertificate } from './client-identity.ts';

/** How often it is looked whose time is over. */
const sweepMs = 1_000;

/** What the watch needs of the node. */
export interface WatchedNode {
  readonly constitution: () => Constitution;
  /** Cuts the connections of identities that no longer hold. */
  readonly cutOff: (gone: (identity: ClientIdentity) => boolean) => void;
  readonly log: (event: string, fields: Readonly<Record<string, unknown>>) => void;
  /** ms since the Unix epoch. */
  readonly nowMs: () => number;
}

/**
 * Sees that no connection outlives what let it in: its actor, its certificate and those above it,
 * the revocation lists and the roles it came with. What a vote changed is judged at its commit
 * (paper, "Mitigating Compromise"; M12), what time ends within a second.
 */
export class IdentityWatch {
  readonly #node: WatchedNode;
  #judgedUnder = '';
  #timer: NodeJS.Timeout | undefined;
  /** Lists that were said to be overdue, as issuer and number. */
  readonly #overdue = new Set<string>();

  constructor(node: WatchedNode) {
    this.#node = node;
  }

  /** Looks at the clock from now on. */
  start(): void {
    this.#judgedUnder = termsOf(this.#node.constitution());
    this.#timer ??= setInterval(() => this.sweep(), sweepMs).unref();
  }

  /** A vote may have changed who is who: everybody is judged again. */
  constitutionChanged(): void {
    const terms = termsOf(this.#node.constitution());
    if (terms === this.#judgedUnder) return;
    this.#judgedUnder = terms;
    this.#judgeAll();
  }

  /** Cuts whose time is over, and says which revocation lists are overdue. */
  sweep(): void {
    const nowMs = this.#node.nowMs();
    const { policies, revocationLists = [] } = this.#node.constitution();
    const overdue = revocationLists.filter(({ nextUpdateMs }) => nowMs > nextUpdateMs);
    const fresh = overdue.filter(({ issuer, number }) => !this.#overdue.has(`${issuer} ${number}`));
    const refuses = policies.overdueRevocationLists === 'refuse';
    for (const { issuer, number, authority, nextUpdateMs } of fresh) {
      this.#overdue.add(`${issuer} ${number}`);
      const due = new Date(nextUpdateMs).toISOString();
      const facts = { issuer, authority, number, due, refuses };
      this.#node.log('revocation-list.overdue', { level: 'warn', ...facts });
    }
    if (fresh.length > 0 && refuses) this.#judgeAll();
    else this.#node.cutOff(({ untilMs }) => untilMs !== undefined && nowMs > untilMs);
  }

  #judgeAll(): void {
    this.#node.cutOff(goneUnder(this.#node.constitution(), this.#node.nowMs()));
  }

  /** Looks at the clock no longer. */
  stop(): void {
    clearInterval(this.#timer);
    this.#timer = undefined;
  }
}

/** What of a constitution says who a certificate is. */
const termsOf = ({ actors, revocationLists = [], policies }: Constitution): string =>
  JSON.stringify([
    actors,
    revocationLists.map(({ issuer, number }) => [issuer, number]),
    policies.overdueRevocationLists,
    policies.anonymousConnections,
  ]);

/**
 * Whether somebody who was let in would not be let in now, or as somebody else. Connections of one
 * certificate are judged once.
 */
export function goneUnder(
  constitution: Constitution,
  atMs: number,
): (identity: ClientIdentity) => boolean {
  const judged = new Map<string, boolean>();
  return ({ actorId, presented, record }) => {
    if (isNobody(actorId)) return !acceptsAnonymous(constitution);
    if (presented === undefined) return false;
    const { leafDer, intermediates } = presented;
    const key = Buffer.concat([record, leafDer, ...intermediates]).toString('latin1');
    const known = judged.get(key);
    if (known !== undefined) return known;
    const verdict = judgeCertificate(constitution, { leafDer, intermediates, atMs });
    const isGone = !verdict.ok || Buffer.compare(verdict.identity.record, record) !== 0;
    judged.set(key, isGone);
    return isGone;
  };
}
