// Calls of the protocol's own.
import { runMessage } from './calls';
import { codeLength, codeOf } from './code';
import { blockArea, coinbaseWord, gasPriceWord, originWord, setBlobHashes } from './environment';
import {
  clearResult,
  input,
  result,
  resultGasUsed,
  resultStatus,
  systemData,
  systemDataLength,
} from './exchange';
import { messageGasLeft } from './message';
import { join } from './open-transaction';
import { clearAccounts, resultOfMessage } from './settlement';
import { accountOf } from './state';
import { openReservoir, slotStateGas } from './state-gas';
import { systemAddress } from './system-address';
import { loadAddress, setU64 } from './word';

const systemGas: u64 = 30_000_000;
/** For new slots, beside that (EIP-8037). */
const systemReservoir: i64 = 16 * slotStateGas;
const zero: usize = memory.data(32, 16);

/**
 * Calls the system contract in the input area, free of charge. What it does joins the transaction
 * that is open, if one is. Nothing happens where there is no code.
 */
export function systemCall(): void {
  join();
  clearResult();
  const target = accountOf(input);
  if (codeLength(codeOf(target)) == 0) {
    store<u32>(result, 1, resultStatus);
    return;
  }
  const caller = accountOf(systemAddress);
  loadAddress(originWord, systemAddress);
  loadAddress(coinbaseWord, blockArea + 32);
  setU64(gasPriceWord, 0);
  setBlobHashes(0, 0);
  const length = load<i32>(input, systemDataLength);
  openReservoir(systemReservoir);
  runMessage(caller, target, zero, input + systemData, length, systemGas);
  store<u64>(result, systemGas - <u64>messageGasLeft(), resultGasUsed);
  resultOfMessage();
  clearAccounts();
}
