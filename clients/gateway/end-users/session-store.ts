import { createHash, randomBytes } from 'node:crypto';
import { ApiError, type EndUser } from '@concordat/api';
import type { SessionSettings } from './settings.ts';

/** What a session begins with. */
export interface SignedIn {
  /** Name of the provider. */
  readonly provider: string;
  readonly endUser: EndUser;
  /** For signing out at the provider. */
  readonly idToken: string;
  readonly refreshToken: string | undefined;
}

/** An end user who is signed in with a browser. */
export class Session {
  readonly provider: string;
  /** Milliseconds since 1970. */
  readonly endsAtMs: number;
  endUser: EndUser;
  idToken: string;
  refreshToken: string | undefined;
  usedAtMs: number;
  /** When the provider last spoke of the end user. */
  claimsAtMs: number;
  /** Set while the provider is being asked. */
  isRefreshing = false;
  readonly #ends = new Set<() => void>();
  #isOver = false;

  constructor(given: SignedIn, nowMs: number, endsAtMs: number) {
    this.provider = given.provider;
    this.endUser = given.endUser;
    this.idToken = given.idToken;
    this.refreshToken = given.refreshToken;
    this.usedAtMs = nowMs;
    this.claimsAtMs = nowMs;
    this.endsAtMs = endsAtMs;
  }

  get isOver(): boolean {
    return this.#isOver;
  }

  /** Calls when the session ends; returns what takes that back. */
  whenOver(action: () => void): () => void {
    this.#ends.add(action);
    return () => this.#ends.delete(action);
  }

  /** For {@link SessionStore} alone. */
  finish(): void {
    this.#isOver = true;
    for (const action of this.#ends) action();
    this.#ends.clear();
  }
}

/**
 * The sessions of a gateway, in its memory. Browsers hold random ids of 32 bytes; what is kept here are
 * hashes of them, so that nothing read from memory or compared in time opens a session.
 */
export class SessionStore {
  readonly #settings: SessionSettings;
  readonly #now: () => number;
  /** In the order in which they began. */
  readonly #sessions = new Map<string, Session>();

  constructor(settings: SessionSettings, now: () => number) {
    this.#settings = settings;
    this.#now = now;
  }

  get size(): number {
    return this.#sessions.size;
  }

  /** Begins a session under a fresh id, which is returned. @throws ApiError OVERLOADED */
  start(given: SignedIn): string {
    const { max, maxPerEndUser, lifetimeSeconds } = this.#settings;
    const own = this.#sessionsOf(given.endUser);
    if (own.length >= maxPerEndUser) this.#end(own[0] as string);
    if (this.#sessions.size >= max) this.#sweep();
    if (this.#sessions.size >= max) {
      throw new ApiError('OVERLOADED', `${max} sessions are open, which is as many as may be`);
    }
    const id = randomBytes(32).toString('base64url');
    const nowMs = this.#now();
    this.#sessions.set(hashOf(id), new Session(given, nowMs, nowMs + lifetimeSeconds * 1_000));
    return id;
  }

  /** The session of an id, used now; undefined when there is none or it is over. */
  find(id: string | undefined): Session | undefined {
    if (id === undefined || !idForm.test(id)) return undefined;
    const hash = hashOf(id);
    const session = this.#sessions.get(hash);
    if (session === undefined) return undefined;
    if (this.#isDue(session)) {
      this.#end(hash);
      return undefined;
    }
    session.usedAtMs = this.#now();
    return session;
  }

  /** Ends a session whose time is over; what its end user does beside requests counts as use. */
  review(session: Session, isUsed: boolean): void {
    if (isUsed) session.usedAtMs = this.#now();
    if (this.#isDue(session)) this.end(session);
  }

  /** Ends a session. */
  end(session: Session): void {
    for (const [hash, known] of this.#sessions) if (known === session) this.#end(hash);
  }

  /** Ends all. */
  close(): void {
    for (const hash of [...this.#sessions.keys()]) this.#end(hash);
  }

  #sessionsOf({ issuer, subject }: EndUser): readonly string[] {
    const own: string[] = [];
    for (const [hash, { endUser }] of this.#sessions) {
      if (endUser.subject === subject && endUser.issuer === issuer) own.push(hash);
    }
    return own;
  }

  #sweep(): void {
    for (const [hash, session] of this.#sessions) if (this.#isDue(session)) this.#end(hash);
  }

  #isDue({ usedAtMs, endsAtMs }: Session): boolean {
    const nowMs = this.#now();
    return nowMs >= endsAtMs || nowMs - usedAtMs >= this.#settings.idleSeconds * 1_000;
  }

  #end(hash: string): void {
    this.#sessions.get(hash)?.finish();
    this.#sessions.delete(hash);
  }
}

const idForm = /^[A-Za-z0-9_-]{43}$/;
const hashOf = (id: string): string => createHash('sha256').update(id).digest('base64url');
