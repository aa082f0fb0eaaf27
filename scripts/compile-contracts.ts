/**
 * Compiles the Solidity sources kept in this repository to artifacts beside them. Run after
 * changing a source: `node scripts/compile-contracts.ts`. The artifacts are kept, so that neither
 * tests nor the tour need a compiler.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';

const solc = createRequire(import.meta.url)('solc') as {
  compile(input: string): string;
  version(): string;
};

interface Contract {
  readonly folder: string;
  readonly file: string;
  readonly name: string;
}

const contracts: readonly Contract[] = [
  { folder: '../adapters/ethereum/test/data/', file: 'token', name: 'Token' },
  { folder: '../clients/cli/tour/', file: 'consignment', name: 'Consignment' },
];

for (const { folder, file, name } of contracts) {
  const base = new URL(folder, import.meta.url);
  const source = `${file}.sol`;
  const input = {
    language: 'Solidity',
    sources: { [source]: { content: readFileSync(new URL(source, base), 'utf8') } },
    settings: {
      evmVersion: 'cancun',
      optimizer: { enabled: true, runs: 200 },
      metadata: { bytecodeHash: 'none' },
      outputSelection: { '*': { [name]: ['abi', 'evm.bytecode.object', 'evm.methodIdentifiers'] } },
    },
  };
  const output = JSON.parse(solc.compile(JSON.stringify(input)));
  const failed = (output.errors ?? []).find((entry: { severity: string }) => {
    return entry.severity === 'error';
  });
  if (failed) throw new Error(failed.formattedMessage);
  const { abi, evm } = output.contracts[source][name];
  const artifact = {
    contract: name,
    source,
    compiler: solc.version(),
    abi,
    bytecode: `0x${evm.bytecode.object}`,
    selectors: evm.methodIdentifiers,
  };
  writeFileSync(new URL(`${file}.json`, base), `${JSON.stringify(artifact, undefined, 2)}\n`);
}
