import { ApiError } from '@concordat/api';
import type { GatewayLog } from '../target-pool.ts';
import { endUserOf } from './end-user-claims.ts';
import type { Session, SessionStore } from './session-store.ts';
import type { SignInClient } from './sign-in-client.ts';

/** Milliseconds until a provider that could not be asked is asked again. */
const retryMs = 30_000;

/** What refreshing works with. */
export interface RefreshOptions {
  readonly store: SessionStore;
  readonly refreshMs: number;
  readonly now: () => number;
  readonly log: GatewayLog;
}

/**
 * Asks the provider anew about the end user of a session that is in use, when it has spoken long ago:
 * groups that were changed count, and who may not sign in any more is signed out. The request at hand is
 * served meanwhile, and while the provider is away.
 */
export async function refreshSession(
  session: Session,
  client: SignInClient,
  { store, refreshMs, now, log }: RefreshOptions,
): Promise<void> {
  const { refreshToken } = session;
  const isDue = now() - session.claimsAtMs >= refreshMs;
  if (refreshToken === undefined || session.isRefreshing || !isDue) return;
  session.isRefreshing = true;
  const { issuer, subject } = session.endUser;
  try {
    const answer = await client.refresh(refreshToken);
    if (session.isOver) {
      // Signed out meanwhile, by the token before this one.
      if (answer.refreshToken !== undefined) void client.revoke(answer.refreshToken);
      return;
    }
    session.refreshToken = answer.refreshToken;
    if ('claims' in answer) {
      const endUser = endUserOf(answer.claims, client.provider.settings, 'SIGN_IN_REFUSED');
      if (endUser.subject !== subject) {
        throw new ApiError('SIGN_IN_REFUSED', 'the provider speaks of another end user');
      }
      session.endUser = endUser;
      session.idToken = answer.idToken;
    }
    session.claimsAtMs = now();
  } catch (error) {
    const { code, message } = error as ApiError;
    const isAway = typeof code !== 'string' || saysNothing(code);
    log('gateway.refresh-failed', { issuer, subject, code, why: message });
    if (isAway) session.claimsAtMs = now() - refreshMs + Math.min(retryMs, refreshMs);
    else store.end(session);
  } finally {
    session.isRefreshing = false;
  }
}

/** A key that cannot be had is none that is wrong: the provider signs by new ones before it shows them. */
const saysNothing = (code: string): boolean =>
  code.startsWith('IDENTITY_PROVIDER_') || code === 'TOKEN_KEY_UNKNOWN';
