import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { createdAddress } from '@concordat/ethereum';
import { AbiCoder, hexlify, id } from 'ethers';
import { type Sender, sign } from './signer.ts';

const require = createRequire(import.meta.url);
const coder = AbiCoder.defaultAbiCoder();

const bytesOf = (hex: string): Buffer => Buffer.from(hex.replace(/^0x/, ''), 'hex');

/** Call data of a function given by its signature, such as `transfer(address,uint256)`. */
export function callData(signature: string, values: readonly unknown[]): Uint8Array {
  const types = signature.slice(signature.indexOf('(') + 1, -1).split(',');
  return bytesOf(id(signature).slice(2, 10) + encoded(types, values));
}

const encoded = (types: readonly string[], values: readonly unknown[]): string =>
  coder
    .encode(
      types.filter((type) => type !== ''),
      values.map((value) => (value instanceof Uint8Array ? hexlify(value) : value)),
    )
    .slice(2);

/** Creation code of a contract compiled into `contracts/`. */
export function compiledHere(name: string): string {
  const file = new URL(`../contracts/${name}.json`, import.meta.url);
  return (JSON.parse(readFileSync(file, 'utf8')) as { bytecode: string }).bytecode;
}

/** Creation code of a contract that a package brings, such as `@uniswap/v2-core/build/X.json`. */
export const compiledThere = (path: string): string =>
  (require(path) as { bytecode: string }).bytecode;

/** A contract that a transaction makes. */
export interface Deployed {
  readonly address: Uint8Array;
  readonly raw: Uint8Array;
}

/** Signs a deployment with constructor arguments. */
export function deploy(
  deployer: Sender,
  bytecode: string,
  types: readonly string[] = [],
  values: readonly unknown[] = [],
): Deployed {
  const address = createdAddress(deployer.address, deployer.nonce);
  const data = bytesOf(bytecode + encoded(types, values));
  return { address, raw: sign(deployer, { gasLimit: 10_000_000n, data }) };
}
