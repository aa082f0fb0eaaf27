/** The preparing thread of an image with the Ethereum adapter, for tests. */
import { createEthereumAdapter } from '@concordat/ethereum';
import { servePreparations } from '@concordat/worker-enclave';

servePreparations([createEthereumAdapter()]);
