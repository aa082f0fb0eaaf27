// The outcome of the outermost call, which has no frame above it.

let halt: i32 = 0;
let error: i32 = 0;
let gasLeft: i64 = 0;
let output: usize = 0;
let outputLength: i32 = 0;
let created: usize = 0;

/** Nothing has come of the message yet. */
export function clearMessage(): void {
  halt = 0;
  error = 0;
  gasLeft = 0;
  output = 0;
  outputLength = 0;
  created = 0;
}

/** The message has ended: how, why, and with which output. */
export function endMessage(how: i32, why: i32, returned: usize, length: i32): void {
  halt = how;
  error = why;
  output = returned;
  outputLength = length;
}

/** Gas comes back from the message. */
export function leaveGas(gas: i64): void {
  gasLeft += gas;
}

/** The message is the creation of an account. */
export function setCreated(account: usize): void {
  created = account;
}

/** How the message ended: 0 success, 1 revert, 2 error. */
export function messageHalt(): i32 {
  return halt;
}

/** Number of the failure, 0 without one. */
export function messageError(): i32 {
  return error;
}

/** Gas that comes back. */
export function messageGasLeft(): i64 {
  return gasLeft;
}

/** Output, good until the next message. */
export function messageOutput(): usize {
  return output;
}

/** Length of the output in bytes. */
export function messageOutputLength(): i32 {
  return outputLength;
}

/** The new account of a creation, also of a failed one; 0 for a call. */
export function messageCreated(): usize {
  return created;
}
