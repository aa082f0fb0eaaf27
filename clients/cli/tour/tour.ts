import { readFile } from 'node:fs/promises';
import { verifyReceipt } from '@concordat/sdk';
import { ContractFactory, JsonRpcProvider, Wallet } from 'ethers';
import { CliError } from '../errors.ts';
import { short } from '../sandbox/node-tuple.ts';
import { frontOffice, type Sandbox, type SandboxProgress } from '../sandbox/sandbox.ts';

/** What the tour found out, for the summary. */
export interface TourReport {
  readonly contract: string;
  readonly transactionHash: string;
  /** `view.seqno` of the handover in the ledger. */
  readonly transactionId: string;
  readonly commitMs: number;
}

interface Artifact {
  readonly abi: readonly Record<string, unknown>[];
  readonly bytecode: string;
}

/** First account of the test mnemonic every Ethereum tool knows: for sandboxes only. */
const testKey = '0xac0974bec39a17e36ba4a6b4d238ff944bacb478cbed5efcae784d7bf4f2ff80';
const receiver = '0x70997970C51812dc3A010C7d01b50e0d17dc79C8';

/**
 * Shows the network at work with a client nobody adapted: deploys a contract through the gateway,
 * calls it, reads it back, and proves the call by its receipt, verified offline.
 * The signal ends it early.
 * @throws CliError MISMATCH when anything is not as it must be
 */
export async function runTour(
  sandbox: Sandbox,
  gatewayUrl: string,
  progress: SandboxProgress,
  signal?: AbortSignal,
): Promise<TourReport> {
  const artifact = JSON.parse(
    await readFile(new URL('consignment.json', import.meta.url), 'utf8'),
  ) as Artifact;
  // Answers come after the commit, within the 250 ms for which ethers would reuse an old nonce.
  const provider = new JsonRpcProvider(gatewayUrl, undefined, {
    pollingInterval: 100,
    cacheTimeout: -1,
  });
  signal?.addEventListener('abort', () => provider.destroy(), { once: true });
  try {
    const wallet = new Wallet(testKey, provider);
    progress.begin('ethers deploys a contract through the gateway');
    const factory = new ContractFactory([...artifact.abi], artifact.bytecode, wallet);
    const contract = await factory.deploy('120 crates of saffron');
    await contract.waitForDeployment();
    const address = await contract.getAddress();
    progress.done(`ethers deployed a contract at ${address}`, { contract: address });

    progress.begin('ethers calls the contract');
    const startedMs = performance.now();
    const sent = await contract.getFunction('handOver')(receiver);
    const commitMs = performance.now() - startedMs;
    const receipt = await sent.wait();
    const holder = await contract.getFunction('holder')();
    if (receipt?.status !== 1 || holder !== receiver) {
      throw new CliError('MISMATCH', 'the contract does not hold what the call wrote');
    }
    progress.done(`the consignment changed hands in Ethereum block ${receipt.blockNumber}`, {
      transaction: sent.hash,
    });

    const transactionId = await proveOffline(sandbox, sent.hash, progress);
    return { contract: address, transactionHash: sent.hash, transactionId, commitMs };
  } finally {
    provider.destroy();
  }
}

/** Fetches the ledger's receipt from the last node and verifies it with the network's certificate. */
async function proveOffline(
  sandbox: Sandbox,
  hash: string,
  progress: SandboxProgress,
): Promise<string> {
  progress.begin('the receipt is verified offline');
  const last = sandbox.serving.at(-1) as (typeof sandbox.nodes)[number];
  const application = await sandbox.application(last.name, frontOffice);
  const admin = await sandbox.admin(last.name, frontOffice);
  try {
    const transactionId = await application.jsonRpc('concordat_getTransactionId', [hash]);
    if (typeof transactionId !== 'string') {
      throw new CliError('MISMATCH', `${last.name} knows no ledger transaction of the call`);
    }
    const verdict = verifyReceipt(await admin.receipt(transactionId), sandbox.networkCertificate);
    if (!verdict.ok || verdict.transactionId !== transactionId) {
      throw new CliError('VERIFICATION_FAILED', 'the receipt does not prove the transaction');
    }
    progress.done(
      `receipt of transaction ${transactionId} from ${last.name} verified offline: signed by node ${short(verdict.nodeId)}, endorsed by the network`,
      { transactionId },
    );
    return transactionId;
  } finally {
    application.close();
    admin.close();
  }
}
