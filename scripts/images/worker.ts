/** The standard worker image: every adapter of this repository that runs in a worker enclave. */
import { createEthereumAdapter } from '@concordat/ethereum';
import { createKeyvalueAdapter } from '@concordat/keyvalue';
import { runWorker } from '@concordat/worker-enclave';

await runWorker([createKeyvalueAdapter(), createEthereumAdapter()]);
