import { createRequire } from 'node:module';
import { fileURLToPath } from 'node:url';
import { configVariable, defineConfig } from 'hardhat/config';

const here = (path: string): string => fileURLToPath(new URL(path, import.meta.url));

/**
 * An ordinary Hardhat 3 project. The one network is the Concordat network at CONCORDAT_URL, used
 * with the key in CONCORDAT_KEY. The compiler is the one npm installed, so nothing is downloaded.
 */
export default defineConfig({
  paths: {
    sources: here('./contracts'),
    artifacts: here('../../build/hardhat-token/artifacts'),
    cache: here('../../build/hardhat-token/cache'),
    tests: here('./test'),
  },
  solidity: {
    version: '0.8.37',
    path: createRequire(import.meta.url).resolve('solc/soljson.js'),
    settings: { evmVersion: 'cancun', optimizer: { enabled: true, runs: 200 } },
  },
  networks: {
    concordat: {
      type: 'http',
      url: configVariable('CONCORDAT_URL'),
      // Gas is free on a zero-fee network; left to itself, Hardhat bids at least 1 wei, which only a
      // funded account can pay.
      gasPrice: 0n,
      accounts: [configVariable('CONCORDAT_KEY')],
    },
  },
});
