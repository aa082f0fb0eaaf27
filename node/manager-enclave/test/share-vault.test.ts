import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createHolderKey, drawScalar } from '@concordat/keys';
import { toHex } from '@concordat/std';
import { ManagerError } from '../errors.ts';
import { SealedRecords } from '../sealed-records.ts';
import { ShareVault } from '../share-vault.ts';
import { entropyOf } from './parties.ts';

const entropy = entropyOf('vault');
const network = 'ab'.repeat(32);

class Disk {
  readonly records = new Map<string, Uint8Array>();
  fails = false;

  async putRecord(name: string, bytes: Uint8Array): Promise<void> {
    if (this.fails) throw new ManagerError('HOST_FAULT', 'no space');
    this.records.set(name, bytes);
  }

  async getRecord(name: string): Promise<Uint8Array | undefined> {
    return this.records.get(name);
  }
}

const sealedBy = (disk: Disk, key = 1): SealedRecords =>
  new SealedRecords(disk, new Uint8Array(32).fill(key), entropy);

const opened = async (disk: Disk, key = 1, told: string[] = []): Promise<ShareVault> => {
  const vault = await ShareVault.open(sealedBy(disk, key), (why) => told.push(why));
  vault.belongTo(network);
  return vault;
};

const share = (index = 1) => ({ index, secret: drawScalar(entropy(64)) });

test('holder keys and shares are there again after a restart, and the host reads none of them', async () => {
  const disk = new Disk();
  const vault = await opened(disk);
  const holder = createHolderKey(entropy(64));
  const first = share();
  await vault.keepHolder(holder);
  await vault.keepShare({ key: 1, sharing: 2 }, first);
  const again = await opened(disk);
  assert.deepEqual(again.newestHolder?.decryptionKey, holder.decryptionKey);
  assert.deepEqual(again.holderSecret(toHex(holder.encryptionKey)), holder.decryptionKey);
  assert.deepEqual(again.shareOf(1, 2), { key: 1, sharing: 2, ...first });
  assert.equal(again.shareOf(1, 1), undefined);
  assert.equal(again.shareOf(2, 2), undefined);
  for (const stored of disk.records.values()) {
    const text = Buffer.from(stored).toString('latin1');
    for (const secret of [holder.decryptionKey, first.secret]) {
      assert.ok(!text.includes(Buffer.from(secret).toString('latin1')));
      assert.ok(!text.includes(toHex(secret)));
    }
  }
});

test('what was kept for another network is none of this one’s', async () => {
  const disk = new Disk();
  const vault = await opened(disk);
  await vault.keepHolder(createHolderKey(entropy(64)));
  await vault.keepShare({ key: 1, sharing: 1 }, share());
  const other = await ShareVault.open(sealedBy(disk), assert.fail);
  other.belongTo('cd'.repeat(32));
  assert.equal(other.newestHolder, undefined);
  assert.deepEqual(other.places, []);
});

test('a record of other code or another platform is as good as lost, and said so', async () => {
  const disk = new Disk();
  const vault = await opened(disk);
  await vault.keepHolder(createHolderKey(entropy(64)));
  const told: string[] = [];
  const other = await opened(disk, 2, told);
  assert.equal(other.newestHolder, undefined);
  assert.equal(told.length, 1);
  const [name, stored] = [...disk.records][0] ?? assert.fail();
  for (let at = 0; at < stored.length; at += 7) {
    const damaged = Uint8Array.from(stored);
    damaged[at] = (damaged[at] ?? 0) ^ 1;
    disk.records.set(name, damaged);
    assert.equal((await opened(disk)).newestHolder, undefined);
  }
  disk.records.set(name, stored.subarray(0, 10));
  assert.equal((await opened(disk)).newestHolder, undefined);
});

test('a write that failed is told, and tried again with the next one', async () => {
  const disk = new Disk();
  const vault = await opened(disk);
  disk.fails = true;
  const kept = share();
  const place = { key: 1, sharing: 1 };
  await assert.rejects(vault.keepShare(place, kept), { code: 'HOST_FAULT' });
  await assert.rejects(vault.keepShare(place, kept), { code: 'HOST_FAULT' });
  disk.fails = false;
  await vault.keepShare(place, kept);
  assert.deepEqual((await opened(disk)).shareOf(1, 1)?.secret, kept.secret);
});

test('an older sharing is erased from memory and disk, and a holder key that may yet be registered is not', async () => {
  const disk = new Disk();
  const vault = await opened(disk);
  const holders = [1, 2, 3].map(() => createHolderKey(entropy(64)));
  for (const holder of holders) await vault.keepHolder(holder);
  const [oldest, registered, drawn] = holders.map(({ encryptionKey }) => toHex(encryptionKey)) as [
    string,
    string,
    string,
  ];
  const old = share();
  await vault.keepShare({ key: 1, sharing: 1 }, old);
  await vault.keepShare({ key: 1, sharing: 2 }, share());
  await vault.retain({
    share: ({ sharing }) => sharing === 2,
    holder: (encryptionKey) => encryptionKey === registered,
    newerThan: registered,
  });
  assert.ok(old.secret.every((byte) => byte === 0));
  for (const one of [vault, await opened(disk)]) {
    assert.deepEqual(one.places, [{ key: 1, sharing: 2 }]);
    assert.equal(one.holderOf(oldest), undefined);
    assert.ok(one.holderOf(registered) && one.holderOf(drawn));
  }
});

test('no more than a few holder keys are kept, and at the end nothing is left in memory', async () => {
  const vault = await opened(new Disk());
  const holders = Array.from({ length: 9 }, () => createHolderKey(entropy(64)));
  for (const holder of holders) await vault.keepHolder(holder);
  const held = holders.filter(({ encryptionKey }) => vault.holderOf(toHex(encryptionKey)));
  assert.deepEqual(held, holders.slice(-4));
  const last = share();
  await vault.keepShare({ key: 1, sharing: 1 }, last);
  vault.erase();
  assert.ok(last.secret.every((byte) => byte === 0));
  assert.ok(held.every(({ decryptionKey }) => decryptionKey.every((byte) => byte === 0)));
  assert.equal(vault.newestHolder, undefined);
});
