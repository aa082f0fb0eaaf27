import { isNobody } from '@concordat/bridge';
import { parseCertificate, serialText } from '@concordat/crypto';
import { type Constitution, certificatesOf, revokedSerials } from '@concordat/governance';
import { toLatin1 } from '@concordat/std';
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
  #judgedUnder: Constitution | undefined;
  #timer: NodeJS.Timeout | undefined;
  /** Lists that were said to be overdue, as issuer and number. */
  readonly #overdue = new Set<string>();

  constructor(node: WatchedNode) {
    this.#node = node;
  }

  /** Looks at the clock from now on. */
  start(): void {
    this.#judgedUnder = this.#node.constitution();
    this.#timer ??= setInterval(() => this.sweep(), sweepMs).unref();
  }

  /** A vote may have changed who is who: everybody it concerns is judged again. */
  constitutionChanged(): void {
    const constitution = this.#node.constitution();
    const before = this.#judgedUnder;
    if (before === constitution) return;
    this.#judgedUnder = constitution;
    const isConcerned = before ? concernedBy(before, constitution) : () => true;
    const isGone = goneUnder(constitution, this.#node.nowMs());
    this.#node.cutOff((identity) => isConcerned(identity) && isGone(identity));
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
    if (fresh.length > 0 && refuses) this.#node.cutOff(goneUnder(this.#node.constitution(), nowMs));
    else this.#node.cutOff(({ untilMs }) => untilMs !== undefined && nowMs > untilMs);
  }

  /** Looks at the clock no longer. */
  stop(): void {
    clearInterval(this.#timer);
    this.#timer = undefined;
  }
}

/** What is looked at of the certificates somebody presented, leaf first. */
interface PresentedFacts {
  readonly serials: readonly string[];
  /** Names, as binary strings. */
  readonly issuers: readonly string[];
}

const factsByIdentity = new WeakMap<ClientIdentity, PresentedFacts>();

function factsOf(identity: ClientIdentity): PresentedFacts {
  const known = factsByIdentity.get(identity);
  if (known) return known;
  const { presented } = identity;
  const certificates = presented ? [presented.leafDer, ...presented.intermediates] : [];
  const parsed = certificates.map(parseCertificate);
  const facts = {
    serials: parsed.map(({ serial }) => serialText(serial)),
    issuers: parsed.map(({ issuer }) => toLatin1(issuer)),
  };
  factsByIdentity.set(identity, facts);
  return facts;
}

const rowsOf = ({ actors }: Constitution): ReadonlyMap<string, string> =>
  new Map(actors.map((actor) => [actor.actorId, JSON.stringify(actor)]));

/**
 * Whom a change of the constitution may concern. A chain takes some tenths of a millisecond to judge,
 * and with thousands of connections judging them all would hold up the leader: only those are whose
 * actor changed, who have a certificate that a new list names the number of, or that may have been
 * issued by an actor that is new or has another certificate.
 */
function concernedBy(before: Constitution, after: Constitution): (of: ClientIdentity) => boolean {
  const [old, now] = [rowsOf(before), rowsOf(after)];
  const changed = new Set(
    [...old.keys(), ...now.keys()].filter((id) => old.get(id) !== now.get(id)),
  );
  const subjects = new Set(
    [...before.actors, ...after.actors]
      .filter(({ actorId }) => changed.has(actorId))
      .flatMap((actor) => certificatesOf(actor))
      .map(({ der }) => toLatin1(parseCertificate(der).subject)),
  );
  const serials = revokedSerials(after, before);
  const isStricter =
    before.policies.overdueRevocationLists !== after.policies.overdueRevocationLists;
  return (identity) => {
    if (isStricter || isNobody(identity.actorId) || changed.has(identity.actorId)) return true;
    if (subjects.size === 0 && serials.size === 0) return false;
    const facts = factsOf(identity);
    return (
      facts.serials.some((serial) => serials.has(serial)) ||
      facts.issuers.some((issuer) => subjects.has(issuer))
    );
  };
}

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
