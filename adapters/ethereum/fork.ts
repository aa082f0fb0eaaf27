import { EvmError, type Fork as EvmFork, forkOf as evmForkOf, revisions } from '@concordat/evm';
import { EthereumError } from './errors.ts';

/** Which rules are in force; each is the first fork that brought them. */
export interface ForkRules {
  readonly homestead: boolean;
  readonly byzantium: boolean;
  readonly berlin: boolean;
  readonly london: boolean;
  readonly shanghai: boolean;
  readonly cancun: boolean;
  readonly prague: boolean;
  readonly amsterdam: boolean;
}

/** One fork with one chain id. */
export interface Fork extends EvmFork {
  readonly chainId: bigint;
  readonly rules: ForkRules;
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
  try {
    const fork = evmForkOf(name);
    const made = { ...fork, chainId, rules: rulesOf(fork) };
    forks.set(key, made);
    return made;
  } catch (error) {
    if (!(error instanceof EvmError)) throw error;
    throw new EthereumError('INVALID_CONFIGURATION', error.message);
  }
}

function rulesOf({ revision }: EvmFork): ForkRules {
  return {
    homestead: revision >= revisions.homestead,
    byzantium: revision >= revisions.byzantium,
    berlin: revision >= revisions.berlin,
    london: revision >= revisions.london,
    shanghai: revision >= revisions.shanghai,
    cancun: revision >= revisions.cancun,
    prague: revision >= revisions.prague,
    amsterdam: revision >= revisions.amsterdam,
  };
}
