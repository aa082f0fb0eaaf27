/**
 * Compiles adapters/ethereum/test/data/token.sol to token.json beside it. Run after changing the
 * source: `node scripts/compile-token.ts`. The artifact is kept, so that tests need no compiler.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';

const solc = createRequire(import.meta.url)('solc') as {
  compile(input: string): string;
  version(): string;
};

const folder = new URL('../adapters/ethereum/test/data/', import.meta.url);
const input = {
  language: 'Solidity',
  sources: { 'token.sol': { content: readFileSync(new URL('token.sol', folder), 'utf8') } },
  settings: {
    evmVersion: 'cancun',
    optimizer: { enabled: true, runs: 200 },
    metadata: { bytecodeHash: 'none' },
    outputSelection: { '*': { Token: ['abi', 'evm.bytecode.object', 'evm.methodIdentifiers'] } },
  },
};
const output = JSON.parse(solc.compile(JSON.stringify(input)));
const errors = (output.errors ?? []).filter((entry: { severity: string }) => {
  return entry.severity === 'error';
});
if (errors.length > 0) throw new Error(errors[0].formattedMessage);
const { abi, evm } = output.contracts['token.sol'].Token;
const artifact = {
  contract: 'Token',
  source: 'token.sol',
  compiler: solc.version(),
  abi,
  bytecode: `0x${evm.bytecode.object}`,
  selectors: evm.methodIdentifiers,
};
writeFileSync(new URL('token.json', folder), `${JSON.stringify(artifact, undefined, 2)}\n`);
