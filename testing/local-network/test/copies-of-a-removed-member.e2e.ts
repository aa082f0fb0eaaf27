import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { after, before, test } from 'node:test';
import {
  combineOffline,
  decryptLedger,
  type HolderShares,
  makeShares,
  offlineRequesterOf,
  openCopy,
  readKeyRecord,
} from '@concordat/auditor';
import { createEncryptionKey } from '@concordat/crypto';
import { decodeRecoveryShare } from '@concordat/keys';
import type { AdminClient } from '@concordat/sdk';
import { toHex } from '@concordat/std';
import {
  LocalNetwork,
  type LocalNode,
  loseAllBut,
  type Remains,
  WriteLoad,
  waitUntil,
} from '../index.ts';

const key = createEncryptionKey(randomBytes(32));
let network: LocalNetwork;
let vn1: LocalNode;
let vn2: LocalNode;
let vn3: LocalNode;
let remains: Remains;
/** Acknowledged before the third member was removed, and after. */
const before3 = new Map<string, Buffer>();
const after3 = new Map<string, Buffer>();
/** Copies as they were given, first with three members, then with two. */
const ofThree = new Map<LocalNode, string[]>();
const ofTwo = new Map<LocalNode, string[]>();

before(async () => {
  network = await LocalNetwork.start();
  [vn1, vn2, vn3] = network.nodes as [LocalNode, LocalNode, LocalNode];
});

after(() => network?.end());

async function as<Result>(node: LocalNode, call: (admin: AdminClient) => Promise<Result>) {
  const admin = await network.admin(node);
  return call(admin).finally(() => admin.close());
}

/** Every key is held by so many members, and nothing is left to be dealt. */
async function sharedBy(members: number): Promise<void> {
  let seen: unknown;
  const isShared = async (): Promise<boolean> => {
    const { keys, ceremony, outOfReach } = await as(vn1, (admin) => admin.sharedKeys());
    seen = { keys: keys.map(({ sharings }) => sharings.at(-1)?.holders.length), ceremony };
    if (ceremony || outOfReach.length > 0) return false;
    return keys.every(({ sharings }) => sharings.at(-1)?.holders.length === members);
  };
  const what = `every key shared by ${members}`;
  await waitUntil(isShared, { what, seen: () => seen });
}

async function write(prefix: string, nodes: LocalNode[], into: Map<string, Buffer>): Promise<void> {
  const load = new WriteLoad(network, { nodes, prefix, inFlight: 4 });
  await load.progress(100);
  await load.stop();
  for (const [name, value] of load.acknowledged) into.set(name, value);
}

async function exportTo(into: Map<LocalNode, string[]>, nodes: LocalNode[]): Promise<void> {
  const request = { publicKey: toHex(key.publicKey), again: false };
  for (const node of nodes) {
    const { copies, missing } = await as(node, (admin) => admin.exportKeys(request));
    assert.deepEqual(missing, []);
    into.set(
      node,
      copies.map(({ file }) => file),
    );
  }
}

test('a network is stopped, goes on, loses a member to a vote and all its nodes to an accident', async () => {
  await sharedBy(3);
  await exportTo(ofThree, [vn1, vn2, vn3]);
  await write('early/', [vn1, vn2], before3);
  await network.kill();
  network.startAll();
  for (const node of network.nodes) {
    await node.waitFor(({ phase }) => phase === 'running', {
      what: 'it to run',
    });
  }
  await network.leader();
  await write('resumed/', [vn1, vn2], before3);
  const { actorId } = await network.identity(vn3.organisation);
  const { proposalId } = await as(vn1, (admin) =>
    admin.propose([{ name: 'remove_actor', args: { actorId } }]),
  );
  await as(vn1, (admin) => admin.vote(proposalId, true));
  assert.equal((await as(vn2, (admin) => admin.vote(proposalId, true))).state, 'accepted');
  await vn3.kill();
  await network.leader();
  await sharedBy(2);
  await exportTo(ofTwo, [vn1, vn2]);
  await write('later/', [vn1, vn2], after3);
  await network.level([vn1, vn2]);
  remains = await loseAllBut(network, vn1);
});

interface Found {
  readonly values: ReadonlyMap<string, string>;
  readonly opened: number;
  readonly epochs: number;
}

/** What copies bring back of the ledger: application values by key, in hex. */
async function readWith(copies: readonly string[]): Promise<Found> {
  const networkCertificate = readFileSync(remains.certificateFile, 'utf8');
  const ledger = { directory: remains.ledger, networkCertificate };
  const record = await readKeyRecord(ledger);
  const requester = offlineRequesterOf(record);
  const given: HolderShares[] = [];
  for (const text of copies) {
    const copy = openCopy(record, decodeRecoveryShare(text), { key });
    given.push(await makeShares(record, copy, { requester, entropy: randomBytes }));
  }
  const { keys: epochKeys } = await combineOffline(record, given, { requester });
  const values = new Map<string, string>();
  const take = (lines: string): undefined => {
    for (const line of lines.split('\n').slice(0, -1)) {
      for (const { table, key: name, value, valueBase64 } of JSON.parse(line).writes) {
        if (!table.startsWith('keyvalue/') || name === undefined) continue;
        const bytes = value === undefined ? Buffer.from(valueBase64, 'base64') : Buffer.from(value);
        values.set(name, bytes.toString('hex'));
      }
    }
  };
  await decryptLedger({ ...ledger, epochKeys, write: take });
  return { values, opened: epochKeys.keys.length, epochs: record.newestEpoch };
}

const isThere = ({ values }: Found, [name, value]: [string, Buffer]): boolean =>
  values.get(name) === value.toString('hex');

const copiesOf = (from: Map<LocalNode, string[]>, ...nodes: LocalNode[]): string[] =>
  nodes.flatMap((node) => from.get(node) ?? []);

test('with the removed member’s copy and one other’s, all of its time is read and nothing after', async () => {
  const found = await readWith(copiesOf(ofThree, vn1, vn3));
  assert.ok(found.opened > 0 && found.opened < found.epochs);
  for (const write of before3) assert.ok(isThere(found, write), write[0]);
  for (const write of after3) assert.ok(!found.values.has(write[0]), write[0]);
});

test('the copies of those who stayed read everything, before the removal and after', async () => {
  const found = await readWith(copiesOf(ofTwo, vn1, vn2));
  assert.equal(found.opened, found.epochs);
  for (const write of [...before3, ...after3]) assert.ok(isThere(found, write), write[0]);
});

test('the removed member’s copy and a newer one of another member do not add up', async () => {
  const found = await readWith([...copiesOf(ofThree, vn3), ...copiesOf(ofTwo, vn1)]);
  assert.equal(found.opened, 0);
  assert.equal(found.values.size, 0);
});
