/** Calls of applications to systems outside of the network: why one has no answer. */
export const externalErrors = {
  EXTERNAL_SYSTEM_NOT_LISTED: {
    status: 503,
    meaning:
      'The application calls a system that the constitution does not list for it, or no longer does.',
    remedy: 'Have members propose set_external_system, or call a system that is listed.',
  },
  EXTERNAL_REQUEST_INVALID: {
    status: 500,
    meaning: 'What the application asks a system for is no request to a path of it, or too large.',
    remedy: 'Correct the application; maxRequestBytes of the system is changed by vote.',
  },
  EXTERNAL_OVERLOADED: {
    status: 503,
    retryable: true,
    meaning: 'As many calls are under way as the node, the system or the caller may have.',
    remedy: 'Try again later; maxCalls of the system is changed by vote.',
  },
  EXTERNAL_UNREACHABLE: {
    status: 502,
    retryable: true,
    meaning: 'The host of the leader got no connection to the system: no address, or refused.',
    remedy: 'Have the operator look at its network; the line external.unreachable says why.',
  },
  EXTERNAL_CERTIFICATE_REFUSED: {
    status: 502,
    meaning:
      'The certificate of the system is not the one that is listed or of its authority, not of its name, or not valid now.',
    remedy:
      'Compare it with the certificates that the constitution lists. It may be another system that answers.',
  },
  EXTERNAL_TLS_FAILED: {
    status: 502,
    retryable: true,
    meaning: 'The connection to the system never became TLS 1.2 or 1.3.',
    remedy: 'Look at whether the system speaks HTTPS at that port.',
  },
  EXTERNAL_CONNECTION_LOST: {
    status: 502,
    retryable: true,
    meaning: 'The connection to the system broke before the answer was whole.',
    remedy:
      'The system may have acted. Try again, with the same idempotency key if there is one. If it lasts: an answer without a length has to end with the close_notify of TLS.',
  },
  EXTERNAL_TIMEOUT: {
    status: 504,
    retryable: true,
    meaning: 'There was no whole answer of the system within timeoutMs.',
    remedy: 'The system may have acted. Try again, with the same idempotency key if there is one.',
  },
  EXTERNAL_ANSWER_TOO_LARGE: {
    status: 502,
    meaning: 'The answer of the system is larger than maxAnswerBytes.',
    remedy: 'Ask for less, or have members raise the limit.',
  },
  EXTERNAL_ANSWER_MALFORMED: {
    status: 502,
    meaning:
      'What the system answered is not HTTP/1.1, or has more than 16 KiB of headers or 32 interim answers.',
    remedy: 'Look at what it answers to others.',
  },
} as const;
