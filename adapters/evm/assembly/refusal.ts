// Why an operation does not run.
import { amsterdam, revision } from './environment';
import {
  initCodeTooLarge,
  invalidOperation,
  outOfGas,
  stackOverflow,
  stackUnderflow,
} from './failures';
import { absent, maxInitCodeBytes, operationTable } from './gas';
import { fitsU64, lowU64 } from './word';

/** Why an operation is refused before it runs; its price is off the gas already. */
export function refusal(operation: i32, gas: i64, sp: usize, high: usize): i32 {
  const entry = operationTable + ((<usize>operation) << 3);
  const taken = <i32>load<u16>(entry, 2);
  const lacks = sp + <usize>taken > high;
  if (gas < 0) {
    const hadGas = gas + <i64>load<u16>(entry) >= 0;
    return revision >= amsterdam && hadGas ? poorRefusal(operation, sp, lacks) : outOfGas;
  }
  if (taken == absent) return invalidOperation;
  return lacks ? stackUnderflow : stackOverflow;
}

/** Since Amsterdam it can matter for the reservoir what else was wrong where gas did not suffice. */
function poorRefusal(operation: i32, sp: usize, lacks: bool): i32 {
  if (lacks && isPricedByOperands(operation)) return stackUnderflow;
  const creates = operation == 0xf0 || operation == 0xf5;
  return creates && isInitCodeTooLong(sp + 64) ? initCodeTooLarge : outOfGas;
}

/** Whether the reference looks at the operands before it takes the price. */
function isPricedByOperands(operation: i32): bool {
  switch (operation) {
    case 0x0a:
    case 0x20:
    case 0x37:
    case 0x39:
    case 0x3b:
    case 0x3c:
    case 0x3e:
    case 0x51:
    case 0x52:
    case 0x53:
    case 0x5e:
      return true;
  }
  return operation >= 0xa0 && operation != 0xe6 && operation != 0xe7 && operation != 0xe8;
}

/** Whether a length, a word, is beyond what init code may have. */
export function isInitCodeTooLong(length: usize): bool {
  return !fitsU64(length) || lowU64(length) > <u64>maxInitCodeBytes;
}
