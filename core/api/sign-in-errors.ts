/** Refusals of a gateway that signs end users in, and of what is said of end users. */
export const signInErrors = {
  END_USER_MALFORMED: {
    status: 400,
    meaning: 'The header concordat-end-user is not the canonical form of an end user.',
    remedy: 'Write it as docs/gateway.md says, within its bounds; the message names the fault.',
  },
  SIGN_IN_REQUIRED: {
    status: 401,
    meaning: 'The path is for end users who are signed in, and the request is by none.',
    remedy: 'Sign in at /login, or send the header authorization: Bearer with a token.',
  },
  SIGN_IN_STATE_WRONG: {
    status: 400,
    meaning:
      'The answer of the identity provider belongs to no sign-in that this browser began in the last ten minutes.',
    remedy: 'Begin again at /login; each sign-in can be completed once.',
  },
  SIGN_IN_REFUSED: {
    status: 401,
    meaning:
      'The identity provider refused the sign-in, or what it said of the end user is not valid.',
    remedy: 'Sign in again; the message says what was refused, the log of the gateway why.',
  },
  END_USER_ROLE_MISSING: {
    status: 403,
    meaning:
      'The end user has none of the roles that the path asks for, or the path is for nobody.',
    remedy: 'Have the end user put into a group that has the role; details name the roles.',
  },
  CROSS_SITE_REQUEST: {
    status: 403,
    meaning: 'A request with the cookie of a session comes from a page of another origin.',
    remedy:
      'Send it from a page of the gateway or of an allowed origin; without Origin, add the header concordat-session.',
  },
  IDENTITY_PROVIDER_UNAVAILABLE: {
    status: 503,
    meaning: 'The identity provider cannot be reached or does not answer in time.',
    remedy: 'Try again; who is signed in stays so meanwhile.',
    retryable: true,
  },
  IDENTITY_PROVIDER_INVALID: {
    status: 502,
    meaning: 'What the identity provider publishes or answers is not what OpenID Connect allows.',
    remedy:
      'Compare issuer, client and key settings at both sides; the log of the gateway says more.',
  },
} as const;
