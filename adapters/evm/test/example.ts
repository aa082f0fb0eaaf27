import { accountOf, createEvm, MemoryHost, recordIn } from '@concordat/evm';

const sender = Buffer.alloc(20, 0x11);
const state = new MemoryHost();
state.putAccount(sender.toString('latin1'), accountOf({ balance: 10n ** 18n }));

const evm = createEvm({ fork: 'prague', chainId: 1n, host: state });
const block = {
  number: 1,
  timestamp: 1_700_000_000,
  coinbase: Buffer.alloc(20, 0xcc),
  gasLimit: 30_000_000,
  difficulty: 0n,
  prevRandao: 0n,
  baseFee: 7n,
  blobBaseFee: 1n,
  blockHash: () => 0n,
};
const transaction = {
  from: sender,
  type: 2,
  nonce: 0n,
  maxFeePerGas: 20n,
  maxPriorityFeePerGas: 1n,
  gasLimit: 200_000n,
  value: 0n,
  // Init code of a contract that counts its calls in slot 0 and returns the count.
  data: Buffer.from('6012600c60003960126000f36000546001018060005560005260206000f3', 'hex'),
  accessList: [],
  authorizationList: [],
  blobVersionedHashes: [],
  maxFeePerBlobGas: 0n,
} as const;

const created = evm.execute(transaction, block);
evm.finish(state); // or evm.abandon()

const counter = created.contractAddress as Uint8Array;
const called = evm.execute(
  { ...transaction, nonce: 1n, to: counter, data: new Uint8Array(0) },
  block,
);
evm.finish(state);

const next = evm.call({ to: counter }, block); // nothing stays of a call
console.log(created.status, called.status, Buffer.from(called.output).readUInt32BE(28)); // 1 1 1
console.log(next.status, Buffer.from(next.output).readUInt32BE(28)); // success 2
console.log(recordIn(state, sender.toString('latin1'))?.nonce); // 2n
