import type { Actor } from '@concordat/worker-enclave';
import type { Authentication, Authenticator } from './authentication.ts';
import type { Policy } from './policies.ts';
import type { ApplicationRequest } from './request-form.ts';

/** A request as routes look at it: where it goes, and who asks under which policies. */
export interface AskedRequest {
  readonly method: string;
  readonly url: string;
  authenticate(policies: readonly Policy[]): Authentication;
}

/** A request of an actor, judged at this time by this node's clock, milliseconds since 1970. */
export const askedBy = (
  actor: Actor,
  request: ApplicationRequest,
  { authenticator, timeMs }: { readonly authenticator: Authenticator; readonly timeMs: number },
): AskedRequest => ({
  method: request.method,
  url: request.url,
  authenticate: (policies) =>
    authenticator.authenticate(policies, {
      actor,
      header: (name) => request.headers.find(([known]) => known === name)?.[1],
      body: request.body,
      timeMs,
    }),
});
