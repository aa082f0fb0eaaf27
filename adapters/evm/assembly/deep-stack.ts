// DUPN, SWAPN and EXCHANGE (EIP-8024): the byte behind the operation says which words.
import { invalidOperation, stackOverflow, stackUnderflow } from './failures';
import { stackBytes } from './gas';
import { duplicate, exchange } from './stack';

/** Runs one of them; 0, or the number of a failure. DUPN leaves the new word below `sp`. */
export function moveDeep(operation: i32, byte: u32, sp: usize, high: usize): i32 {
  if (operation == 0xe8) return exchangeDeep(byte, sp, high);
  if (byte > 0x5a && byte < 0x80) return invalidOperation;
  const depth = (<usize>((byte + 145) & 0xff)) << 5;
  if (operation == 0xe7) {
    if (sp + depth >= high) return stackUnderflow;
    exchange(sp, sp + depth);
    return 0;
  }
  if (sp + depth > high) return stackUnderflow;
  if (high - sp == <usize>stackBytes) return stackOverflow;
  duplicate(sp - 32, sp + depth - 32);
  return 0;
}

/** EXCHANGE: two words below the top. */
function exchangeDeep(byte: u32, sp: usize, high: usize): i32 {
  if (byte > 0x51 && byte < 0x80) return invalidOperation;
  const pair = byte ^ 0x8f;
  const quotient = pair >> 4;
  const rest = pair & 15;
  const near = quotient < rest ? quotient + 1 : rest + 1;
  const far = quotient < rest ? rest + 1 : 29 - quotient;
  const deepest = sp + ((<usize>max<u32>(near, far)) << 5);
  if (deepest >= high) return stackUnderflow;
  exchange(sp + ((<usize>near) << 5), sp + ((<usize>far) << 5));
  return 0;
}
