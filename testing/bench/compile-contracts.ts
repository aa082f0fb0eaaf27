/**
 * Compiles `contracts/*.sol` to the artifacts beside them:
 * `node testing/bench/compile-contracts.ts`. They are kept, so that a measurement needs no compiler.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';

const require = createRequire(import.meta.url);
const solc = require('solc') as {
  compile(input: string, options: { import(path: string): { contents: string } }): string;
  version(): string;
};
const { version } = require('@openzeppelin/contracts/package.json') as { version: string };
const folder = new URL('./contracts/', import.meta.url);

function compile(source: string, contract: string): void {
  const input = {
    language: 'Solidity',
    sources: { [source]: { content: readFileSync(new URL(source, folder), 'utf8') } },
    settings: {
      evmVersion: 'cancun',
      optimizer: { enabled: true, runs: 200 },
      metadata: { bytecodeHash: 'none' },
      outputSelection: { [source]: { [contract]: ['evm.bytecode.object'] } },
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
  const artifact = {
    contract,
    source,
    compiler: solc.version(),
    openzeppelinContracts: version,
    bytecode: `0x${output.contracts[source][contract].evm.bytecode.object}`,
  };
  const target = new URL(source.replace('.sol', '.json'), folder);
  writeFileSync(target, `${JSON.stringify(artifact, undefined, 2)}\n`);
}

compile('bench-token.sol', 'BenchToken');
compile('bench-storage.sol', 'BenchStorage');
