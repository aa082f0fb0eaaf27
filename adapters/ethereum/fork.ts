import { type Fork as EvmFork, forkOf as evmForkOf, isForkName } from '@concordat/evm';
import { type Common, createCustomCommon, Mainnet } from '@ethereumjs/common';
import {
  EVM,
  EVMMockBlockchain,
  getActivePrecompiles,
  getOpcodesForHF,
  NobleBN254,
  type PrecompileFunc,
} from '@ethereumjs/evm';
import { SimpleStateManager } from '@ethereumjs/statemanager';
import { paramsTx } from '@ethereumjs/tx';
import { evmCrypto } from './crypto.ts';
import { EthereumError } from './errors.ts';

/** Which rules are in force; each is the first fork or EIP that brought it. */
export interface ForkRules {
  readonly homestead: boolean;
  readonly tangerineWhistle: boolean;
  readonly spuriousDragon: boolean;
  readonly byzantium: boolean;
  /** EIP-1283, in force in Constantinople only. */
  readonly netGasMetering1283: boolean;
  /** EIP-2200. */
  readonly istanbul: boolean;
  /** EIP-2929 and 2930. */
  readonly berlin: boolean;
  /** EIP-1559, 3529 and 3541. */
  readonly london: boolean;
  /** EIP-4399. */
  readonly paris: boolean;
  /** EIP-3651, 3855 and 3860. */
  readonly shanghai: boolean;
  /** EIP-1153, 4844, 5656, 6780 and 7516. */
  readonly cancun: boolean;
  /** EIP-7623 and 7702. */
  readonly prague: boolean;
  /** EIP-7825. */
  readonly osaka: boolean;
}

/** Gas of everything whose price is not the operation's base fee. */
export interface GasSchedule {
  readonly memory: number;
  readonly quadratic: number;
  readonly copyWord: number;
  readonly keccakWord: number;
  readonly expByte: number;
  readonly logTopic: number;
  readonly logByte: number;
  readonly callValue: number;
  readonly callNewAccount: number;
  readonly callStipend: number;
  readonly codeByte: number;
  readonly initCodeWord: number;
  readonly maxCodeBytes: number;
  readonly maxInitCodeBytes: number;
  readonly selfdestructRefund: number;
  readonly coldAccount: number;
  readonly coldSlot: number;
  readonly warm: number;
  readonly sstoreSet: number;
  readonly sstoreReset: number;
  readonly sstoreClearRefund: number;
  readonly sstoreSentry: number;
  readonly sstoreNoop: number;
  readonly sstoreInit: number;
  readonly sstoreClean: number;
  readonly sstoreDirty: number;
  readonly sstoreNetClearRefund: number;
  readonly sstoreInitRefund: number;
  readonly sstoreCleanRefund: number;
  readonly transaction: number;
  readonly creation: number;
  readonly dataZero: number;
  readonly dataNonZero: number;
  readonly accessListAddress: number;
  readonly accessListSlot: number;
  readonly floorToken: number;
  readonly authorization: number;
  readonly emptyAuthorization: number;
  readonly refundQuotient: number;
  readonly maxTransactionGas: number;
  readonly blobGas: number;
}

/** One fork with one chain id, ready to run: rules, prices, operations, precompiles. */
export interface Fork extends EvmFork {
  readonly chainId: bigint;
  readonly common: Common;
  readonly rules: ForkRules;
  readonly gas: GasSchedule;
  /** Base fee of each operation; -1 where the operation does not exist. */
  readonly fees: Int32Array;
  /** By address as a number. */
  readonly precompiles: ReadonlyMap<bigint, PrecompileFunc>;
  /** The library's EVM, as the precompiles want it and as the reference engine. */
  readonly library: EVM;
}

const forks = new Map<string, Fork>();

/**
 * The fork of a name and chain id; made once and kept.
 * @throws EthereumError INVALID_CONFIGURATION
 */
export function forkOf(name: string, chainId: bigint): Fork {
  const key = `${name} ${chainId}`;
  const known = forks.get(key);
  if (known !== undefined) return known;
  if (!isForkName(name)) {
    throw new EthereumError('INVALID_CONFIGURATION', `no fork is called ${name}`);
  }
  const fork = makeFork(name, chainId);
  forks.set(key, fork);
  return fork;
}

function makeFork(name: string, chainId: bigint): Fork {
  const common = commonOf(name, chainId);
  // The constructor brings the library's gas prices into `common`.
  const library = new EVM({
    common,
    blockchain: new EVMMockBlockchain(),
    stateManager: new SimpleStateManager(),
    bn254: new NobleBN254(),
  });
  common.updateParams(paramsTx);
  const fees = new Int32Array(256).fill(-1);
  for (const [code, operation] of getOpcodesForHF(common).opcodes) {
    if (operation.name !== 'INVALID') fees[code] = operation.fee;
  }
  const precompiles = new Map<bigint, PrecompileFunc>();
  for (const [address, run] of getActivePrecompiles(common)) {
    precompiles.set(BigInt(`0x${address}`), run);
  }
  const rules = rulesOf(common);
  return {
    ...evmForkOf(name),
    chainId,
    common,
    rules,
    gas: scheduleOf(common, rules),
    fees,
    precompiles,
    library,
  };
}

/** The library's chain parameters for a fork of our own chain id. */
export function commonOf(name: string, chainId: bigint): Common {
  return createCustomCommon({ chainId: Number(chainId), name: 'concordat' }, Mainnet, {
    hardfork: name,
    customCrypto: evmCrypto,
  });
}

function rulesOf(common: Common): ForkRules {
  const since = (name: string): boolean => common.gteHardfork(name);
  return {
    homestead: since('homestead'),
    tangerineWhistle: since('tangerineWhistle'),
    spuriousDragon: since('spuriousDragon'),
    byzantium: since('byzantium'),
    netGasMetering1283: common.hardfork() === 'constantinople',
    istanbul: since('istanbul'),
    berlin: since('berlin'),
    london: since('london'),
    paris: since('paris'),
    shanghai: since('shanghai'),
    cancun: since('cancun'),
    prague: since('prague'),
    osaka: since('osaka'),
  };
}

function scheduleOf(common: Common, rules: ForkRules): GasSchedule {
  const price = (name: string): number => Number(common.param(name));
  const since = (active: boolean, name: string): number => (active ? price(name) : 0);
  const warm = since(rules.berlin, 'warmstoragereadGas');
  const coldSlot = since(rules.berlin, 'coldsloadGas');
  const net1283 = rules.netGasMetering1283;
  const net2200 = rules.istanbul;
  const net = (name1283: string, name2200: string): number =>
    net1283 ? price(name1283) : since(net2200, name2200);
  const { berlin } = rules;
  const init = net('netSstoreInitGas', 'sstoreInitEIP2200Gas');
  return {
    memory: price('memoryGas'),
    quadratic: price('quadCoefficientDivGas'),
    copyWord: price('copyGas'),
    keccakWord: price('keccak256WordGas'),
    expByte: price('expByteGas'),
    logTopic: price('logTopicGas'),
    logByte: price('logDataGas'),
    callValue: price('callValueTransferGas'),
    callNewAccount: price('callNewAccountGas'),
    callStipend: price('callStipendGas'),
    codeByte: price('createDataGas'),
    initCodeWord: since(rules.shanghai, 'initCodeWordGas'),
    maxCodeBytes: rules.spuriousDragon ? price('maxCodeSize') : Number.MAX_SAFE_INTEGER,
    maxInitCodeBytes: rules.shanghai ? price('maxInitCodeSize') : Number.MAX_SAFE_INTEGER,
    selfdestructRefund: price('selfdestructRefundGas'),
    coldAccount: since(berlin, 'coldaccountaccessGas'),
    coldSlot,
    warm,
    sstoreSet: price('sstoreSetGas'),
    sstoreReset: price('sstoreResetGas'),
    sstoreClearRefund: price('sstoreRefundGas'),
    sstoreSentry: since(net2200, 'sstoreSentryEIP2200Gas'),
    sstoreNoop: berlin ? warm : net('netSstoreNoopGas', 'sstoreNoopEIP2200Gas'),
    sstoreInit: init,
    sstoreClean: net('netSstoreCleanGas', 'sstoreCleanEIP2200Gas'),
    sstoreDirty: net('netSstoreDirtyGas', 'sstoreDirtyEIP2200Gas'),
    sstoreNetClearRefund: net('netSstoreClearRefundGas', 'sstoreClearRefundEIP2200Gas'),
    sstoreInitRefund: berlin
      ? init - warm
      : net('netSstoreResetClearRefundGas', 'sstoreInitRefundEIP2200Gas'),
    sstoreCleanRefund: berlin
      ? price('sstoreResetGas') - coldSlot - warm
      : net('netSstoreResetRefundGas', 'sstoreCleanRefundEIP2200Gas'),
    transaction: price('txGas'),
    creation: since(rules.homestead, 'txCreationGas'),
    dataZero: price('txDataZeroGas'),
    dataNonZero: price('txDataNonZeroGas'),
    accessListAddress: since(berlin, 'accessListAddressGas'),
    accessListSlot: since(berlin, 'accessListStorageKeyGas'),
    floorToken: since(rules.prague, 'totalCostFloorPerToken'),
    authorization: since(rules.prague, 'perAuthBaseGas'),
    emptyAuthorization: since(rules.prague, 'perEmptyAccountCost'),
    refundQuotient: price('maxRefundQuotient'),
    maxTransactionGas: rules.osaka ? price('maxTransactionGasLimit') : Number.MAX_SAFE_INTEGER,
    blobGas: since(rules.cancun, 'blobGasPerBlob'),
  };
}
