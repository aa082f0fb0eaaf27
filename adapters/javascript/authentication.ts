import {
  ApiError,
  decodeEndUser,
  type EndUser,
  type ErrorCode,
  endUserHeader,
} from '@concordat/api';
import { type Actor, isNobody } from '@concordat/worker-enclave';
import {
  type Caller,
  certifiedIdentity,
  type Identity,
  type Policy,
  type PolicyName,
  type PolicyVerdict,
  type Presented,
} from './policies.ts';
import { judgeSignedBody } from './signed-body-policy.ts';
import { TokenPolicy } from './token-policy.ts';
import { Trust } from './trust.ts';

/** Why one policy does not hold, as the details of an answer list it. */
export interface PolicyRefusal {
  readonly auth_policy: string;
  readonly code: ErrorCode;
  readonly message: string;
}

/** The caller as JSON, empty where there is no policy; or why none holds, one entry each. */
export type Authentication =
  | { readonly ok: true; readonly callerJson: string; readonly subject?: string }
  | { readonly ok: false; readonly code: ErrorCode; readonly message: string }
  | { readonly ok: false; readonly refusals: readonly PolicyRefusal[] };

/** Judges requests by the policies of their endpoints, under what the network trusts at present. */
export class Authenticator {
  readonly #tokens = new TokenPolicy();
  /** JSON of callers that are known by their connection alone, by policy. */
  #certified = new WeakMap<Actor, Map<string, string>>();
  #trust = new Trust({ actors: [], tokenIssuers: [] });

  /** What the network trusts from now on. */
  trust(trust: Trust): void {
    this.#trust = trust;
    this.#tokens.forget();
  }

  /** The caller under the first policy that holds. */
  authenticate(policies: readonly Policy[], presented: Presented): Authentication {
    const endUser = endUserOf(presented);
    if (endUser instanceof ApiError) {
      return { ok: false, code: endUser.code, message: endUser.message };
    }
    if (policies.length === 0) return { ok: true, callerJson: '' };
    const refusals: PolicyRefusal[] = [];
    for (const policy of policies) {
      const known = this.#knownByConnection(policy, presented.actor);
      if (known !== undefined && endUser === undefined) return { ok: true, callerJson: known };
      const verdict = this.#judge(policy, { ...presented, endUser });
      if (verdict.ok)
        return { ok: true, callerJson: JSON.stringify(verdict.caller), ...subjectIn(verdict) };
      const { code, message } = verdict;
      refusals.push({ auth_policy: nameOf(policy), code, message });
    }
    return { ok: false, refusals };
  }

  /** The hot path: a connection's caller under one certificate policy is made once. */
  #knownByConnection(policy: Policy, actor: Actor): string | undefined {
    if (typeof policy !== 'string' || !isByConnection(policy)) return undefined;
    let byPolicy = this.#certified.get(actor);
    const known = byPolicy?.get(policy);
    if (known !== undefined) return known;
    const verdict = judgeConnection(policy, { actor });
    if (!verdict.ok) return undefined;
    const text = JSON.stringify(verdict.caller);
    if (byPolicy === undefined) {
      byPolicy = new Map();
      this.#certified.set(actor, byPolicy);
    }
    byPolicy.set(policy, text);
    return text;
  }

  #judge(policy: Policy, presented: Judged): PolicyVerdict {
    if (typeof policy === 'string') return this.#judgeOne(policy, presented);
    const parts: [string, Caller][] = [];
    const subjects: string[] = [];
    for (const name of policy.all_of) {
      const verdict = this.#judgeOne(name, presented);
      if (!verdict.ok) return { ...verdict, message: `${name}: ${verdict.message}` };
      parts.push([name, verdict.caller]);
      if (verdict.subject !== undefined) subjects.push(verdict.subject);
    }
    const caller = { policy: [...policy.all_of], ...Object.fromEntries(parts) };
    const subject = subjects.length > 0 ? JSON.stringify(subjects) : undefined;
    return { ok: true, caller, ...subjectIn({ subject }) };
  }

  #judgeOne(policy: PolicyName, presented: Judged): PolicyVerdict {
    if (policy === 'jwt') return this.#tokens.judge(presented, this.#trust);
    if (isByConnection(policy)) return judgeConnection(policy, presented);
    return judgeSignedBody(policy, presented, this.#trust);
  }
}

/** The subject, where there is one. */
const subjectIn = ({
  subject,
}: {
  readonly subject?: string | undefined;
}): Pick<Identity, 'subject'> => (subject === undefined ? {} : { subject });

/** What policies look at, and for which end user the connection's actor says it asks. */
type Judged = Presented & { readonly endUser?: EndUser | undefined };

function endUserOf({ header }: Presented): EndUser | ApiError | undefined {
  const text = header(endUserHeader);
  if (text === undefined) return undefined;
  try {
    return decodeEndUser(text);
  } catch (error) {
    if (error instanceof ApiError) return error;
    throw error;
  }
}

type ByConnection = 'user_cert' | 'member_cert' | 'any_cert' | 'no_auth';

const isByConnection = (policy: PolicyName): policy is ByConnection =>
  policy.endsWith('_cert') || policy === 'no_auth';

const nameOf = (policy: Policy): string =>
  typeof policy === 'string' ? policy : `all_of(${policy.all_of.join(', ')})`;

/** A user is an actor that is a participant, a member one that is a member. */
function judgeConnection(
  policy: ByConnection,
  { actor, endUser }: Pick<Judged, 'actor' | 'endUser'>,
): PolicyVerdict {
  if (policy === 'no_auth') return { ok: true, caller: { policy } };
  if (isNobody(actor.actorId)) {
    const message = 'no client certificate was presented';
    return { ok: false, code: 'CLIENT_CERTIFICATE_REQUIRED', message };
  }
  const kind = policy === 'user_cert' ? 'participant' : 'member';
  if (policy !== 'any_cert' && !actor.kinds.includes(kind)) {
    const message = `the actor of the connection is no ${kind}`;
    return { ok: false, code: 'ACTOR_KIND_MISSING', message };
  }
  const caller = certifiedIdentity(policy, actor);
  if (endUser === undefined) return { ok: true, caller };
  // The connection's participant vouches, so the claim stands in no other identity.
  const subject = JSON.stringify(['endUser', endUser.issuer, endUser.subject]);
  return { ok: true, caller: { ...caller, endUser }, subject };
}
