import assert from 'node:assert/strict';
import { test } from 'node:test';
import { SimulatedDisk } from '../disk/simulated-disk.ts';
import { type CrashKind, SimulatedFile } from '../disk/simulated-file.ts';
import { Random } from '../random.ts';

const random = new Random(1);
const text = (file: SimulatedFile | undefined): string | undefined => file?.bytes.toString();

test('what was written is read at once, and only what was synced is certain to outlive a crash', () => {
  const file = new SimulatedFile();
  file.write(0, Buffer.from('durable'));
  file.beginSync()();
  file.write(7, Buffer.from(' and not'));
  assert.equal(text(file), 'durable and not');
  assert.equal(file.durableBytes.toString(), 'durable');
  file.crash(random, 'lost');
  assert.equal(text(file), 'durable');
});

test('a sync covers what was written before it began, not what came while it ran', () => {
  const file = new SimulatedFile();
  file.write(0, Buffer.from('a'));
  const complete = file.beginSync();
  file.write(1, Buffer.from('b'));
  complete();
  assert.equal(file.durableBytes.toString(), 'a');
  assert.equal(file.unsynced, 1);
});

test('a crash may tear what was not synced, or leave zeros, and never touches what was', () => {
  for (const kind of ['torn', 'zeros', 'kept'] as CrashKind[]) {
    const lengths = new Set<number>();
    for (let count = 0; count < 40; count += 1) {
      const file = new SimulatedFile();
      file.write(0, Buffer.from('safe'));
      file.beginSync()();
      file.write(4, Buffer.from('12345678'));
      file.crash(random, kind);
      const rest = file.bytes.subarray(4).toString();
      assert.equal(file.bytes.subarray(0, 4).toString(), 'safe');
      const expected =
        kind === 'zeros' ? '\0'.repeat(rest.length) : '12345678'.slice(0, rest.length);
      assert.equal(rest, expected);
      lengths.add(rest.length);
    }
    assert.equal(lengths.size > 1, kind !== 'kept');
  }
});

test('a crash may leave one page of a write out, also where the write does not fill it', () => {
  for (const length of [1, 305, 512, 1_300]) {
    const kinds = new Set<number>();
    for (let count = 0; count < 60; count += 1) {
      const file = new SimulatedFile();
      file.write(0, Buffer.alloc(length, 1));
      file.crash(random, 'holes');
      assert.ok(file.bytes.length === 0 || file.bytes.length === length);
      kinds.add(file.bytes.filter((byte) => byte === 0).length);
    }
    assert.ok(Math.max(...kinds) > 0 && Math.max(...kinds) <= 512, `${length}: ${[...kinds]}`);
  }
});

test('a failed sync loses what it should have covered', () => {
  const file = new SimulatedFile();
  file.write(0, Buffer.from('gone'));
  file.loseUnsynced();
  assert.equal(text(file), '');
});

test('names are durable once their directory is synced; a rename is one change', () => {
  const disk = new SimulatedDisk();
  disk.makeDirectory('/d');
  disk.create('/d/old')?.write(0, Buffer.from('1'));
  disk.file('/d/old')?.beginSync()();
  assert.deepEqual([...disk.durableFiles('/d').keys()], []);
  disk.beginSync('/d')();
  assert.ok(disk.rename('/d/old', '/d/new'));
  const seen = new Set<string>();
  for (let count = 0; count < 20; count += 1) {
    const copy = new SimulatedDisk();
    copy.restore('/d', disk.image('/d'));
    assert.ok(copy.rename('/d/old', '/d/new'));
    copy.crash(random, () => 'lost');
    seen.add((copy.names('/d') ?? []).join());
  }
  assert.deepEqual([...seen].sort(), ['new', 'old']);
});

test('an image puts a disk back as it was', () => {
  const disk = new SimulatedDisk();
  disk.makeDirectory('/d/e');
  const file = disk.create('/d/e/f');
  file?.write(0, Buffer.from('before'));
  file?.beginSync()();
  disk.beginSync('/d/e')();
  const image = disk.image('/d');
  file?.tamper(Buffer.from('after'));
  disk.restore('/d', image);
  assert.equal(text(disk.file('/d/e/f')), 'before');
  disk.restore('/d', new Map());
  assert.equal(disk.file('/d/e/f'), undefined);
});
