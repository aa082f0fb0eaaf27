/**
 * Compiles `contracts/bench-token.sol` to the artifact beside it: `node testing/bench/compile-token.ts`.
 * The artifact is kept, so that a measurement needs no compiler.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';

const require = createRequire(import.meta.url);
const solc = require('solc') as {
  compile(input: string, options: { import(path: string): { contents: string } }): string;
  version(): string;
};

const source = 'bench-token.sol';
const folder = new URL('./contracts/', import.meta.url);
const input = {
  language: 'Solidity',
  sources: { [source]: { content: readFileSync(new URL(source, folder), 'utf8') } },
  settings: {
    evmVersion: 'cancun',
    optimizer: { enabled: true, runs: 200 },
    metadata: { bytecodeHash: 'none' },
    outputSelection: { [source]: { BenchToken: ['evm.bytecode.object'] } },
  },
};
const output = JSON.parse(
  solc.compile(JSON.stringify(input), {
    import: (path) => ({ contents: readFileSync(require.resolve(path), 'utf8') }),
  }),
);
const failed = (output.errors ?? []).find(
  (entry: { severity: string }) => entry.severity === 'error',
);
if (failed) throw new Error(failed.formattedMessage);
const { version } = require('@openzeppelin/contracts/package.json') as { version: string };
const artifact = {
  contract: 'BenchToken',
  source,
  compiler: solc.version(),
  openzeppelinContracts: version,
  bytecode: `0x${output.contracts[source].BenchToken.evm.bytecode.object}`,
};
writeFileSync(new URL('bench-token.json', folder), `${JSON.stringify(artifact, undefined, 2)}\n`);
