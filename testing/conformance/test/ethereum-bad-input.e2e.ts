import assert from 'node:assert/strict';
import { after, before, suite, test } from 'node:test';
import {
  encodeRlp,
  keccak256,
  type RlpStructuredData,
  type TransactionLike,
  toBeHex,
  Wallet,
} from 'ethers';
import type { FakeNode } from '../index.ts';
import { chainId, rpc, startEthereum } from './ethereum-node.ts';

const stranger = '0x00000000000000000000000000000000000000aa';
const target = '0x00000000000000000000000000000000000000cc';

suite('Bad transactions over JSON-RPC', () => {
  let node: FakeNode;
  const wallet = Wallet.createRandom();
  const base: TransactionLike = {
    type: 2,
    chainId,
    to: stranger,
    nonce: 0,
    gasLimit: 21_000,
    maxFeePerGas: 0,
    maxPriorityFeePerGas: 0,
  };
  const signed = (change: TransactionLike) => wallet.signTransaction({ ...base, ...change });

  /** Fields of a type 2 transaction that no library would sign. */
  const unsigned = ({ nonce = 0, tip = 0, fee = 0 }): RlpStructuredData[] => {
    const numbers = [chainId, nonce, tip, fee, 21_000];
    return [...numbers.map((n) => (n === 0 ? '0x' : toBeHex(n))), stranger, '0x', '0x', []];
  };
  const typed = (fields: RlpStructuredData[]): string => `0x02${encodeRlp(fields).slice(2)}`;
  const signatureOf = (fields: RlpStructuredData[]) =>
    wallet.signingKey.sign(keccak256(typed(fields)));

  before(async () => {
    node = await startEthereum();
    const { result } = await rpc(node, 'eth_sendRawTransaction', [await signed({})]);
    assert.match(result, /^0x[0-9a-f]{64}$/, 'the sender has used nonce 0');
  });

  after(() => node.close());

  const refused = async (raw: string, message: RegExp) => {
    const { error, result } = await rpc(node, 'eth_sendRawTransaction', [raw]);
    assert.equal(result, undefined);
    assert.equal(error?.code, -32000, error?.message);
    assert.match(error.message, message);
    assert.equal(typeof (error.data as { code: string }).code, 'string');
    assert.ok((await rpc(node, 'eth_blockNumber', [])).result, 'the node lives');
  };

  test('bytes that are no transaction', async () => {
    const good = await signed({ nonce: 1 });
    const junk = ['0x', '0x00', '0x02', '0x7f', '0xc0', '0xf8', '0x02c0', '0xff', '0x05c0'];
    junk.push(good.slice(0, -2), `${good}00`, `0x03${good.slice(4)}`, `0x01${good.slice(4)}`);
    junk.push(encodeRlp(new Array(9).fill('0x')), encodeRlp(new Array(12).fill([])));
    junk.push(`0x${'c1'.repeat(5_000)}`, `0xbf${'ff'.repeat(8)}`, `0xfb7fffffff${'00'.repeat(64)}`);
    for (const raw of junk) await refused(raw, /./);
  });

  test('a signed transaction with one flipped bit is refused or of another sender', async () => {
    const good = await signed({ nonce: 1 });
    const bytes = Buffer.from(good.slice(2), 'hex');
    const sendFlipped = async (at: number) => {
      const flipped = Buffer.from(bytes);
      flipped[at]! ^= 0x40;
      const raw = `0x${flipped.toString('hex')}`;
      const { result, error } = await rpc(node, 'eth_sendRawTransaction', [raw]);
      if (result === undefined) return assert.equal(error?.code, -32000, error?.message);
      const { from } = (await rpc(node, 'eth_getTransactionByHash', [result])).result;
      assert.notEqual(from, wallet.address.toLowerCase());
    };
    // In parallel, because a nonce that comes too early waits for those before it.
    await Promise.all(Array.from(bytes, (_, at) => sendFlipped(at)));
  });

  test('wrong signatures', async () => {
    const order = 0xfffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141n;
    const encoded = unsigned({ nonce: 1 });
    const { r, s, yParity } = signatureOf(encoded);
    const highS = toBeHex(order - BigInt(s));
    const parity = yParity === 0 ? '0x' : '0x01';
    const other = yParity === 0 ? '0x01' : '0x';
    const wrong = [
      [other, r, highS],
      [parity, '0x', s],
      [parity, r, '0x'],
      [parity, toBeHex(order), s],
      ['0x02', r, s],
    ];
    for (const signature of wrong) {
      await refused(typed([...encoded, ...signature]), /./);
    }
  });

  test('the wrong chain, a used nonce, a replay, no funds, too little and too much gas', async () => {
    await refused(await signed({ nonce: 1, chainId: 999 }), /chain id/);
    await refused(await signed({ nonce: 0, to: target }), /nonce too low/);
    await refused(await signed({}), /already known|nonce too low/);
    await refused(
      await signed({ nonce: 1, value: 1 }),
      /insufficient funds for gas \* price \+ value/,
    );
    await refused(await signed({ nonce: 1, gasLimit: 20_999 }), /intrinsic gas too low/);
    await refused(await signed({ nonce: 1, gasLimit: 2 ** 40 }), /gas limit/);
    const greedy = unsigned({ nonce: 1, tip: 2, fee: 1 });
    const { r, s, yParity } = signatureOf(greedy);
    await refused(
      typed([...greedy, yParity === 0 ? '0x' : '0x01', r, s]),
      /max priority fee per gas higher than max fee per gas/,
    );
  });

  test('a transaction or init code of too many bytes', async () => {
    const gasLimit = 29_000_000;
    await refused(
      await signed({ nonce: 1, gasLimit, data: `0x${'00'.repeat(200_000)}` }),
      /oversized|size/,
    );
    const { to: _, ...creation } = base;
    const data = `0x${'00'.repeat(49_153)}`;
    await refused(
      await wallet.signTransaction({ ...creation, nonce: 1, gasLimit, data }),
      /initcode/,
    );
  });

  test('blob transactions', async () => {
    const blob = {
      type: 3,
      nonce: 1,
      maxFeePerBlobGas: 1,
      blobVersionedHashes: [`0x01${'00'.repeat(31)}`],
    };
    await refused(await signed(blob as TransactionLike), /not supported|blob/);
  });

  test('one bad transaction in a batch does not harm its neighbours', async () => {
    const entries = await Promise.all([
      signed({ nonce: 1 }),
      signed({ nonce: 1, chainId: 999 }),
      signed({ nonce: 2 }),
    ]);
    const response = await fetch(node.url, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(
        [...entries, '0x01ff'].map((raw, id) => ({
          jsonrpc: '2.0',
          id,
          method: 'eth_sendRawTransaction',
          params: [raw],
        })),
      ),
    });
    const answers = (await response.json()) as { result?: string }[];
    assert.deepEqual(
      answers.map(({ result }) => result !== undefined),
      [true, false, true, false],
    );
  });
});

suite('Hostile contracts over JSON-RPC', () => {
  let node: FakeNode;

  before(async () => {
    node = await startEthereum();
  });

  after(() => node.close());

  const codes: Readonly<Record<string, string>> = {
    'an endless loop': '0x5b600056',
    'endless recursion': '0x5b6000600060006000600030620fffff5a03f1600056',
    'all the memory': '0x63ffffffff600052600163ffffffff53',
    'memory beyond 64 bits': '0x600168ffffffffffffffffff53',
    'a stack without end': '0x5b6001600056',
    'an invalid opcode': '0xfe',
    'a jump to nowhere': '0x61ffff56',
    'an empty stack': '0x01',
    'a huge copy': '0x63ffffffff600060003960006000fd',
    'a huge hash': '0x63ffffffff600020',
    'precompiles with huge input': '0x63ffffffff600063ffffffff600060055afa5b600056',
  };
  for (const [name, code] of Object.entries(codes)) {
    test(`${name} ends with an error, and others are served`, async () => {
      const [hostile, quiet] = await Promise.all([
        rpc(node, 'eth_call', [{ to: target }, 'latest', { [target]: { code } }]),
        rpc(node, 'eth_chainId', []),
      ]);
      assert.equal(hostile.result, undefined);
      assert.ok([-32000, 3].includes(hostile.error?.code ?? 0), hostile.error?.message);
      assert.equal(quiet.result, toBeHex(chainId).replace('0x0', '0x'));
    });
  }
});
