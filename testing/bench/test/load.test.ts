import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { runLoad, sendRequests } from '../json-rpc-load.ts';
import { putMessage, varint } from '../peers/etcd.ts';
import { runWrites } from '../workloads/key-value-load.ts';
import { transferSet } from '../workloads/token-set.ts';
import { transferLanes } from '../workloads/transfer-lanes.ts';

const raws = Array.from({ length: 7 }, (_, at) => Uint8Array.of(at));

/** Answers a batch as a node does that accepts everything. */
const accepting = (body: Buffer): Buffer => {
  const calls = JSON.parse(body.toString()) as { id: number; params: string[] }[];
  return Buffer.from(JSON.stringify(calls.map(({ id }) => ({ id, result: '0xab' }))));
};

describe('loads', () => {
  it('keeps the order of transactions when it cuts them into requests', () => {
    const requests = sendRequests('/eth/x', raws, 3);
    assert.deepEqual(
      requests.map(({ transactions }) => transactions),
      [3, 3, 1],
    );
    const sent = requests.flatMap(({ body }) =>
      (JSON.parse(body.toString()) as { params: string[] }[]).map(({ params }) => params[0]),
    );
    assert.deepEqual(sent, ['0x00', '0x01', '0x02', '0x03', '0x04', '0x05', '0x06']);
  });

  it('sends the requests of a lane one after another and several lanes at a time', async () => {
    const lanes = [0, 1, 2].map((lane) => sendRequests(`/${lane}`, raws, 2));
    const open = new Map<string, number>();
    let most = 0;
    const figures = await runLoad(lanes, {
      lanesInFlight: 2,
      post: async (path, body) => {
        open.set(path, (open.get(path) ?? 0) + 1);
        assert.equal(open.get(path), 1, 'two requests of one lane at a time');
        most = Math.max(most, [...open.values()].filter((count) => count > 0).length);
        await new Promise((resolve) => setTimeout(resolve, 1));
        open.set(path, 0);
        return accepting(body);
      },
    });
    assert.equal(figures.transactions, 21);
    assert.equal(figures.requestMs.length, 12);
    assert.equal(most, 2);
  });

  it('is no result when anything was refused', async () => {
    const post = async () => Buffer.from('[{"id":0,"error":{"code":-32000,"message":"nonce"}}]');
    await assert.rejects(
      runLoad([sendRequests('/', raws, 7)], { post, lanesInFlight: 1 }),
      /7 of 7 refused: .*nonce/,
    );
  });

  it('keeps so many writes in flight and counts every commit', async () => {
    let open = 0;
    let most = 0;
    const figures = await runWrites(
      (_key, _value, done) => {
        most = Math.max(most, ++open);
        setImmediate(() => {
          open--;
          done();
        });
      },
      { writes: 50, inFlight: 8 },
    );
    assert.equal(figures.writes, 50);
    assert.equal(most, 8);
    await assert.rejects(
      runWrites((_key, _value, done) => done(new Error('no')), { writes: 1, inFlight: 1 }),
    );
  });

  it('signs the same transfers each time and keeps a sender in one lane', () => {
    const { transfers } = transferSet('plain', 130);
    assert.deepEqual(transferSet('plain', 130).transfers[129], transfers[129]);
    const lanes = transferLanes(transfers, 4, '/');
    assert.equal(
      lanes.flat().reduce((sum, { transactions }) => sum + transactions, 0),
      130,
    );
    // Transfers 0, 64 and 128 are of one sender; the second stretch begins at position 64.
    const again = transferLanes(transfers.slice(64), 4, '/', 64);
    const first = (lane: number): string | undefined =>
      (JSON.parse(again[lane]?.[0]?.body.toString() ?? '[]') as { params: string[] }[])[0]
        ?.params[0];
    assert.equal(first(0), `0x${Buffer.from(transfers[64] as Uint8Array).toString('hex')}`);
  });
});

describe('gRPC messages for etcd', () => {
  it('encodes numbers in base 128', () => {
    assert.deepEqual(varint(1), [1]);
    assert.deepEqual(varint(300), [0xac, 0x02]);
  });

  it('frames a put', () => {
    assert.equal(putMessage('k', Uint8Array.of(7)).toString('hex'), '00000000060a016b120107');
  });
});
