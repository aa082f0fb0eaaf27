import { EvmError } from './errors.ts';

/**
 * Rules of the engine, one number for each change of what code sees. The assembly compares these
 * numbers, so they stay in order and never change.
 */
export const revisions = {
  frontier: 0,
  homestead: 1,
  tangerineWhistle: 2,
  spuriousDragon: 3,
  byzantium: 4,
  constantinople: 5,
  petersburg: 6,
  istanbul: 7,
  berlin: 8,
  london: 9,
  paris: 10,
  shanghai: 11,
  cancun: 12,
  prague: 13,
  osaka: 14,
  /** A draft. */
  amsterdam: 15,
} as const;

/** How many blobs blocks carry from a fork on (EIP-4844, 7691, 7892). */
export interface BlobSchedule {
  /** Blobs a block carries when demand is even. */
  readonly target: number;
  /** Blobs a block may carry. */
  readonly max: number;
  /** Blobs one transaction may carry (EIP-7594 since Osaka). */
  readonly maxPerTransaction: number;
  /** Divisor of the exponent in the blob base fee. */
  readonly updateFraction: number;
}

/** What a transaction costs before any code runs, in gas, and what it may ask for. */
export interface TransactionPrices {
  readonly transaction: number;
  readonly creation: number;
  readonly dataZero: number;
  readonly dataNonZero: number;
  readonly initCodeWord: number;
  /** EIP-3860; infinite before it. */
  readonly maxInitCodeBytes: number;
  readonly accessListAddress: number;
  readonly accessListSlot: number;
  readonly emptyAuthorization: number;
  /** Of the least a transaction pays (EIP-7623); 0 where it does not hold. */
  readonly floorToken: number;
  /** What a zero byte counts in that, where another counts 4 (EIP-7976). */
  readonly zeroTokens: number;
  /** What a byte of the access list counts in that, and in what is paid before (EIP-7981). */
  readonly accessListTokens: number;
  /** A recipient that is not the sender (EIP-2780). */
  readonly recipient: number;
  /** Value for such a recipient (EIP-2780). */
  readonly recipientValue: number;
  /** Of all gas (EIP-7825); infinite before it and since EIP-8037. */
  readonly maxTransactionGas: number;
  /** What a transaction has beyond is for state (EIP-8037); infinite before. */
  readonly maxRegularGas: number;
  /** Gas of one blob. */
  readonly blobGas: number;
}

/** One fork of mainnet: what the engine runs by. */
export interface Fork {
  readonly name: string;
  /** One of {@link revisions}. */
  readonly revision: number;
  /** Highest type of a transaction (EIP-2718). */
  readonly highestType: number;
  readonly prices: TransactionPrices;
  /** Absent before Cancun. */
  readonly blobs?: BlobSchedule;
}

/** Forks by name, oldest first, with the revision whose rules they run. */
const forkRevisions: readonly (readonly [name: string, revision: number])[] = [
  ['chainstart', revisions.frontier],
  ['homestead', revisions.homestead],
  ['dao', revisions.homestead],
  ['tangerineWhistle', revisions.tangerineWhistle],
  ['spuriousDragon', revisions.spuriousDragon],
  ['byzantium', revisions.byzantium],
  ['constantinople', revisions.constantinople],
  ['petersburg', revisions.petersburg],
  ['istanbul', revisions.istanbul],
  ['muirGlacier', revisions.istanbul],
  ['berlin', revisions.berlin],
  ['london', revisions.london],
  ['arrowGlacier', revisions.london],
  ['grayGlacier', revisions.london],
  ['paris', revisions.paris],
  ['mergeNetsplitBlock', revisions.paris],
  ['shanghai', revisions.shanghai],
  ['cancun', revisions.cancun],
  ['prague', revisions.prague],
  ['osaka', revisions.osaka],
  ['bpo1', revisions.osaka],
  ['bpo2', revisions.osaka],
  ['amsterdam', revisions.amsterdam],
];

/** Names of all forks, oldest first. */
export const forkNames: readonly string[] = forkRevisions.map(([name]) => name);

const blobSchedules: Readonly<Record<string, BlobSchedule>> = {
  cancun: { target: 3, max: 6, maxPerTransaction: 6, updateFraction: 3_338_477 },
  prague: { target: 6, max: 9, maxPerTransaction: 9, updateFraction: 5_007_716 },
  osaka: { target: 6, max: 9, maxPerTransaction: 6, updateFraction: 5_007_716 },
  bpo1: { target: 10, max: 15, maxPerTransaction: 6, updateFraction: 8_346_193 },
  bpo2: { target: 14, max: 21, maxPerTransaction: 6, updateFraction: 11_684_671 },
  amsterdam: { target: 14, max: 21, maxPerTransaction: 6, updateFraction: 11_684_671 },
};

/** Whether a name is a fork this engine runs, and not before `least`. */
export function isForkName(name: string, least = 'chainstart'): boolean {
  return forkNames.includes(name) && forkNames.indexOf(name) >= forkNames.indexOf(least);
}

const forks = new Map<string, Fork>();

/** The fork of a name. @throws EvmError INVALID_CONFIGURATION */
export function forkOf(name: string): Fork {
  const known = forks.get(name);
  if (known !== undefined) return known;
  const revision = forkRevisions.find(([other]) => other === name)?.[1];
  if (revision === undefined) {
    throw new EvmError('INVALID_CONFIGURATION', `no fork is called ${name}`);
  }
  const blobs = blobSchedules[name];
  const fork: Fork = {
    name,
    revision,
    highestType: highestType(revision),
    prices: pricesOf(revision),
    ...(blobs === undefined ? {} : { blobs }),
  };
  forks.set(name, fork);
  return fork;
}

/** EIP-2930, 1559, 4844, 7702. */
function highestType(revision: number): number {
  if (revision >= revisions.prague) return 4;
  if (revision >= revisions.cancun) return 3;
  if (revision >= revisions.london) return 2;
  return revision >= revisions.berlin ? 1 : 0;
}

function pricesOf(revision: number): TransactionPrices {
  const since = (first: number, price: number): number => (revision >= first ? price : 0);
  const limit = (first: number, most: number): number =>
    revision >= first ? most : Number.POSITIVE_INFINITY;
  const isLate = revision >= revisions.amsterdam;
  return {
    transaction: isLate ? 12_000 : 21_000,
    creation: isLate ? 12_000 : since(revisions.homestead, 32_000),
    dataZero: 4,
    dataNonZero: revision >= revisions.istanbul ? 16 : 68,
    initCodeWord: since(revisions.shanghai, 2),
    maxInitCodeBytes: isLate ? 131_072 : limit(revisions.shanghai, 49_152),
    accessListAddress: isLate ? 2_900 : since(revisions.berlin, 2_400),
    accessListSlot: isLate ? 2_000 : since(revisions.berlin, 1_900),
    emptyAuthorization: isLate ? 7_816 : since(revisions.prague, 25_000),
    floorToken: isLate ? 16 : since(revisions.prague, 10),
    zeroTokens: isLate ? 4 : 1,
    accessListTokens: since(revisions.amsterdam, 4),
    recipient: since(revisions.amsterdam, 3_000),
    recipientValue: since(revisions.amsterdam, 6_000),
    maxTransactionGas: isLate ? Number.POSITIVE_INFINITY : limit(revisions.osaka, 16_777_216),
    maxRegularGas: limit(revisions.amsterdam, 16_777_216),
    blobGas: since(revisions.cancun, 131_072),
  };
}
