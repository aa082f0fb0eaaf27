/** Refusals of application requests and what becomes of transactions. */
export const requestErrors = {
  MALFORMED_REQUEST: {
    status: 400,
    meaning: 'The request is not well-formed HTTP, or a header has no valid value.',
    remedy: 'Correct the request; details name the part.',
  },
  INVALID_JSON: {
    status: 400,
    meaning: 'The body is not JSON, or not JSON this network accepts (nested too deep).',
    remedy: 'Send valid JSON in UTF-8.',
  },
  INVALID_PARAMETER: {
    status: 400,
    meaning: 'A query parameter or a property of the body has a wrong type or value.',
    remedy: 'Correct the parameter named in the details.',
  },
  INVALID_TRANSACTION: {
    status: 400,
    meaning:
      'The transaction cannot be decoded, is wrongly signed, or breaks a rule of its protocol.',
    remedy: 'Correct the transaction; the message names the rule.',
  },
  FORBIDDEN: {
    status: 403,
    meaning: 'The actor is known but may not do or read this.',
    remedy: 'Ask for the role, or use the identity of a party to the data.',
  },
  NOT_FOUND: {
    status: 404,
    meaning: 'There is nothing at this path.',
    remedy: 'Check the path and which channel (application or administrative) it belongs to.',
  },
  METHOD_NOT_ALLOWED: {
    status: 405,
    meaning: 'The path exists but not for this HTTP method.',
    remedy: 'Use one of the methods in the Allow header.',
  },
  REQUEST_TIMEOUT: {
    status: 408,
    meaning: 'The request did not arrive whole in time.',
    remedy: 'Send it again over a working connection.',
    retryable: true,
  },
  CONFLICT: {
    status: 409,
    meaning: 'The request contradicts the present state.',
    remedy: 'Read the state again and decide anew.',
  },
  PAYLOAD_TOO_LARGE: {
    status: 413,
    meaning: 'The body or the transaction is larger than the limit in the details.',
    remedy: 'Send less at once.',
  },
  UNSUPPORTED_MEDIA_TYPE: {
    status: 415,
    meaning: 'The content type is not one this path takes.',
    remedy: 'Use the content type named in the details.',
  },
  HEADERS_TOO_LARGE: {
    status: 431,
    meaning: 'The headers of the request exceed the limit.',
    remedy: 'Send smaller headers.',
  },
  METHOD_NOT_SUPPORTED: {
    status: 0,
    meaning: 'The JSON-RPC method exists elsewhere but cannot be offered by this ledger.',
    remedy: 'See the list of methods of the adapter; the message says what to use instead.',
  },
  UNKNOWN_BLOCK: {
    status: 0,
    meaning: "A JSON-RPC request names a block the adapter's chain does not have.",
    remedy: 'Check the number or hash; ask for the latest block number first.',
  },
  STATE_NOT_KEPT: {
    status: 0,
    meaning: 'The state of that past block is no longer held in memory.',
    remedy: 'Ask for a newer block.',
  },
  TOO_MANY_RESULTS: {
    status: 0,
    meaning: 'The query would answer more than the limit in the message.',
    remedy: 'Ask for a smaller range.',
  },
  EXECUTION_REVERTED: {
    status: 0,
    meaning: 'The contract or application refused the transaction itself.',
    remedy: 'Read its reason in the data of the error.',
  },
  APPLICATION_FAILED: {
    status: 500,
    meaning: 'The application threw, answered with what is no answer, or waits for nothing.',
    remedy: 'Details name what was thrown; nothing was written. Correct the application.',
  },
  APPLICATION_TIMEOUT: {
    status: 500,
    meaning: 'The application took longer for one request than maxRequestMs allows.',
    remedy: 'Nothing was written. Ask for less at a time, or correct the application.',
  },
  APPLICATION_STOPPED: {
    status: 500,
    meaning:
      'The process of the application ended while it ran this request: it needed more memory than it may have, or broke its runtime.',
    remedy: 'Nothing was written. Ask for less at a time, or correct the application.',
  },
  APPLICATION_STARTING: {
    status: 503,
    retryable: true,
    meaning: 'The process of the application did not come up in time, or is being replaced.',
    remedy: 'Try again; if it lasts, GET /node/state says why, and a vote can replace it.',
  },
  APPLICATION_LIMIT: {
    status: 500,
    meaning: 'The answer of the application is larger than maxAnswerBytes.',
    remedy: 'Nothing was written. Ask for less at a time, or raise the limit by vote.',
  },
  APPLICATION_ANSWERED: {
    status: 0,
    meaning: 'The application answered and wrote nothing; its answer is in the details.',
    remedy: 'Seen between nodes only.',
  },
  POLICY_NOT_MET: {
    status: 401,
    meaning: 'None of the authentication policies of the endpoint accepts this actor.',
    remedy: 'Use the identity of an actor that meets one of the policies the details name.',
  },
  EXECUTION_TIMEOUT: {
    status: 504,
    meaning: 'The execution passed its deadline and was aborted; nothing of it took effect.',
    remedy: 'Make it do less, or ask for a longer deadline where the application offers one.',
  },
  IDEMPOTENCY_KEY_REUSED: {
    status: 422,
    meaning: 'Another request of this actor was executed under the same idempotency key.',
    remedy:
      'Draw a new key for every new request; repeat one only with the same method, path and body.',
  },
  REQUEST_ALREADY_EXECUTED: {
    status: 409,
    meaning:
      'The request was executed once under this idempotency key, and its answer is too large to be kept.',
    remedy: 'Take `details.transactionId` as its transaction; read what it wrote.',
  },
  OVERLOADED: {
    status: 503,
    meaning: 'A queue of this node is full; the request was not started.',
    remedy: 'Send it again after the seconds in the Retry-After header, or to another node.',
    retryable: true,
  },
  READ_NOT_CONFIRMED: {
    status: 503,
    meaning:
      'A linearizable read was asked for, and no majority confirmed in time what is committed.',
    remedy: 'Send it again, to another node too; or read without it, if an older answer will do.',
    retryable: true,
  },
  TRANSACTION_LOST: {
    status: 503,
    meaning: 'The leader changed before the transaction was committed and it was rolled back.',
    remedy: 'Submit it again: it has had and will have no effect.',
    retryable: true,
  },
  TRANSACTION_UNKNOWN: {
    status: 503,
    meaning: 'The connection to the leader was lost after the transaction was handed over.',
    remedy: 'Ask for its effect first: it may have been committed, or may still be.',
  },
  TRANSACTION_NOT_FOUND: {
    status: 404,
    meaning: 'No transaction of that id is or can become part of the ledger.',
    remedy: 'Check the id (view.seqno) and that it is from this network.',
  },
  TRANSACTION_PENDING: {
    status: 202,
    meaning: 'The transaction is not committed yet, so there is no receipt.',
    remedy: 'Ask again shortly.',
    retryable: true,
  },
  TRANSACTION_NOT_COMMITTED: {
    status: 404,
    meaning: 'This node knows of no committed transaction of that id; it may come to be, or never.',
    remedy: 'Check the id (view.seqno); if it was answered with just now, ask again shortly.',
    retryable: true,
  },
  PAST_NOT_READY: {
    status: 202,
    meaning: 'The past transaction that was asked for is being read from the ledger.',
    remedy: 'Ask again after the seconds in the Retry-After header.',
    retryable: true,
  },
  INTERNAL_ERROR: {
    status: 500,
    meaning: 'The node met a fault of its own; details are in its log under the same event.',
    remedy: 'Try again; report it with the log line if it persists.',
    retryable: true,
  },
} as const;
