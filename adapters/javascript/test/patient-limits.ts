/** As much time as may be: what is not about time is not held to it on a machine that is busy. */
export const patientLimits = { maxRequestMs: 4_000, maxBatchMs: 4_000 };
