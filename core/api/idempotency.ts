/**
 * Header of an application request that may be sent again without being executed again; lower case.
 * Its value is drawn by the client, unlike any other of the same actor: 1-128 visible ASCII characters.
 */
export const idempotencyKeyHeader = 'concordat-idempotency-key';

/**
 * Milliseconds for which a node at least remembers the key of an executed request. Who sends a
 * request again later than that may have it executed a second time.
 */
export const idempotencyWindowMs = 600_000;

/** Whether a header's value is an idempotency key. */
export const isIdempotencyKey = (value: string): boolean => /^[\x21-\x7e]{1,128}$/.test(value);
