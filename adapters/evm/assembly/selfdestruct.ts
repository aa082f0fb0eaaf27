// SELFDESTRUCT.
import {
  amsterdam,
  berlin,
  cancun,
  revision,
  spuriousDragon,
  tangerineWhistle,
} from './environment';
import { staticChange } from './failures';
import { atAccount, atIsStatic } from './frame';
import { coldAccountGas, heirGas, selfdestructRefund } from './gas';
import {
  accountExists,
  accountOfWord,
  addRefund,
  balanceOf,
  isAlive,
  isCreated,
  isDestroyed,
  markDestroyed,
  setBalance,
  touch,
  warmAccount,
} from './state';
import { accountStateGas, payStateGas } from './state-gas';
import { logTransfer } from './transfer-log';
import { add, isZero } from './word';

const scratch: usize = memory.data(32, 16);
const zero: usize = memory.data(32, 16);

/** SELFDESTRUCT: the heir's address (EIP-150, 161, 2929, 6780, 8246); gas left, or a failure. */
export function selfDestruct(frame: usize, sp: usize, before: i64): i64 {
  if (load<i32>(frame, atIsStatic) != 0) return -staticChange;
  const account = load<usize>(frame, atAccount);
  const heir = accountOfWord(sp);
  const balance = balanceOf(account);
  let gas = before;
  if (revision >= berlin && warmAccount(heir)) gas -= coldAccountGas;
  const makes =
    revision >= spuriousDragon ? !isZero(balance) && !isAlive(heir) : !accountExists(heir);
  if (makes && revision >= tangerineWhistle) gas -= heirGas;
  if (gas < 0) return -1;
  if (revision >= amsterdam && !isZero(balance)) {
    if (makes) gas = payStateGas(frame, accountStateGas, gas);
    if (gas < 0) return -1;
    logTransfer(account, heir, balance);
  }
  if (!isDestroyed(account)) addRefund(selfdestructRefund);
  const toSelf = heir == account;
  if (!toSelf) {
    touch(heir);
    add(scratch, balanceOf(heir), balance);
    setBalance(heir, scratch);
  }
  const burns = revision < cancun || (revision < amsterdam && isCreated(account));
  if (burns || !toSelf) setBalance(account, zero);
  markDestroyed(account);
  return gas;
}
