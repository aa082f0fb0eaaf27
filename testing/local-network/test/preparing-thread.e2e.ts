import assert from 'node:assert/strict';
import { availableParallelism } from 'node:os';
import { after, before, test } from 'node:test';
import { addressOfKey, keccak256, signDigest, signedTransaction } from '@concordat/ethereum';
import { ApplicationClient } from '@concordat/sdk';
import { toHex } from '@concordat/std';
import { LocalNetwork } from '../index.ts';

const chainId = 4_243n;
const keys = Array.from({ length: 4 }, (_, at) => new Uint8Array(32).fill(at + 1));

let network: LocalNetwork;
let client: ApplicationClient;

before(async () => {
  const chain = { name: 'main', chainId: Number(chainId), hardfork: 'prague', zeroFee: true };
  network = await LocalNetwork.start({
    nodes: 1,
    adapters: { ethereum: { chains: [chain] }, keyvalue: {} },
  });
  const [vn1] = network.nodes;
  assert.ok(vn1);
  client = new ApplicationClient({
    address: `127.0.0.1:${vn1.ports.application}`,
    networkCertificate: network.certificate,
    identity: await network.identity(vn1.organisation),
  });
});
after(async () => {
  client?.close();
  await network?.end();
});

function transfer(key: Uint8Array, nonce: number): Uint8Array {
  const to = new Uint8Array(20).fill(7);
  const fields = { chainId, nonce: BigInt(nonce), gasLimit: 21_000n, to };
  return signedTransaction(fields, (digest) => signDigest(digest, key));
}

interface Call {
  readonly method: string;
  readonly params: readonly unknown[];
}

/** One JSON-RPC body; the answers in the order of the calls. */
async function post<Result>(calls: readonly Call[]): Promise<{ result?: Result }[]> {
  const body = calls.map((call, id) => ({ jsonrpc: '2.0', id, ...call }));
  const { json } = await client.request('/eth', { method: 'POST', json: body });
  return json as { result?: Result }[];
}

const preparedSoFar = async (): Promise<number> => {
  const { json } = await client.request('/app/stats');
  return (json as { pipeline: { transactions: { prepared: number } } }).pipeline.transactions
    .prepared;
};

test('an enclave under load recovers senders in a thread, and every transaction has its own', async () => {
  const sent: { readonly hash: string; readonly from: string }[] = [];
  for (let nonce = 0; nonce < 400; nonce += 25) {
    const raws = keys.flatMap((key) =>
      Array.from({ length: 25 }, (_, at) => ({ key, raw: transfer(key, nonce + at) })),
    );
    const calls = raws.map(({ raw }) => ({
      method: 'eth_sendRawTransaction',
      params: [`0x${toHex(raw)}`],
    }));
    const answers = await post<string>(calls);
    for (const [at, { key, raw }] of raws.entries()) {
      const hash = `0x${toHex(keccak256(raw))}`;
      assert.equal(answers[at]?.result, hash, JSON.stringify(answers[at]));
      sent.push({ hash, from: `0x${toHex(addressOfKey(key))}` });
    }
  }
  const receipts = await post<{ from: string; status: string }>(
    sent.slice(-100).map(({ hash }) => ({ method: 'eth_getTransactionReceipt', params: [hash] })),
  );
  for (const [at, { from }] of sent.slice(-100).entries()) {
    assert.deepEqual([receipts[at]?.result?.from, receipts[at]?.result?.status], [from, '0x1']);
  }
  const prepared = await preparedSoFar();
  // Before the thread is there, and where there is one processor, they are recovered in line.
  if (availableParallelism() > 1) assert.ok(prepared >= 100, `${prepared} prepared`);
  else assert.equal(prepared, 0);
});
