import { fileURLToPath } from 'node:url';
import { defineConfig } from 'hardhat/config';

const build = (path: string): string =>
  fileURLToPath(new URL(`../../../build/bench-hardhat/${path}`, import.meta.url));

/** Hardhat's node as it comes, on the chain id and without the fees of the measured chain. */
export default defineConfig({
  paths: { artifacts: build('artifacts'), cache: build('cache') },
  networks: {
    node: {
      type: 'edr-simulated',
      chainId: 1_337,
      initialBaseFeePerGas: 0,
      minGasPrice: 0,
      loggingEnabled: false,
    },
  },
});
