import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import {
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { createEncryptionKey } from '@concordat/crypto';
import { encodeRecoveryShare } from '@concordat/keys';
import { CodedError } from '@concordat/std';
import { SharedKeyLedger } from '../../auditor/test/shared-key-ledger.ts';
import { type Command, runCommand } from '../command.ts';
import { recoverDecrypt } from '../decrypt-command.ts';
import { CliError } from '../errors.ts';
import { readPassphrase } from '../passphrase.ts';
import { writeNewPrivateFile, writeSomePrivateFile } from '../private-file.ts';
import { recoverKeys, recoverShares } from '../recover-commands.ts';

const ledger = new SharedKeyLedger();
const key = createEncryptionKey(randomBytes(32));
let directory = '';

const place = (name: string): string => join(directory, name);
const phraseOf = (member: string): string => `correct horse ${member} staple`;

before(async () => {
  directory = mkdtempSync(join(tmpdir(), 'recover-'));
  ledger.write(['a', '1']);
  ledger.beginEpoch();
  ledger.write(['b', '2']);
  await ledger.store(place('ledger'));
  writeFileSync(place('network.pem'), ledger.networkCertificate);
  writeFileSync(place('key.pem'), key.toPkcs8Pem());
  for (const member of ['ada', 'bob']) {
    const copy = ledger.copyOf(member, 1, { passphrase: phraseOf(member) });
    writeFileSync(place(`${member}.json`), encodeRecoveryShare(copy));
    writeFileSync(place(`${member}.phrase`), `${phraseOf(member)}\nanother line\n`);
  }
  const cyd = ledger.copyOf('cyd', 1, { publicKey: key.publicKey });
  writeFileSync(place('cyd.json'), encodeRecoveryShare(cyd));
});

after(() => rmSync(directory, { recursive: true, force: true }));

/** Runs a command as `main` does. */
async function run(command: Command, ...args: string[]) {
  let text = '';
  const write = (part: string): void => {
    text += part;
  };
  const source = [place('ledger'), '--network-certificate', place('network.pem')];
  const status = await runCommand(command, [...source, ...args], { write, interactive: false });
  return { status, text };
}

const shares = (...members: string[]) =>
  members.flatMap((member) => ['--share', place(`${member}.json`)]);
const phrases = (...members: string[]) =>
  members.flatMap((member) => ['--passphrase-file', place(`${member}.phrase`)]);
const byKey = (): string[] => ['--share-key', place('key.pem')];

test('copies sealed in either way give the epoch keys, in a file that only its owner reads', async () => {
  const out = place('keys.json');
  const given = [...shares('bob', 'cyd'), ...phrases('ada', 'bob'), ...byKey()];
  const { status, text } = await run(recoverKeys, ...given, '--out', out);
  assert.equal(status, 0, text);
  assert.match(
    text,
    /All 2 epochs open.*1 to 2 {2}key 1, sharing 1 {2}opened with shares of bob, cyd/s,
  );
  assert.equal(statSync(out).mode & 0o777, 0o600);
  const again = run(recoverKeys, ...given, '--out', out);
  await assert.rejects(again, { code: 'USAGE', message: /exists already/ });
});

test('one copy opens nothing: no file, exit status 1, and who is missing', async () => {
  const out = place('none.json');
  const { status, text } = await run(
    recoverKeys,
    ...shares('ada'),
    ...phrases('ada'),
    '--out',
    out,
    '--json',
  );
  assert.equal(status, 1);
  const report = JSON.parse(text) as { epochs: object[] };
  assert.deepEqual(report.epochs[0], {
    epoch: 1,
    key: 1,
    sharing: 1,
    missing: { more: 1, of: ['bob', 'cyd'] },
  });
  assert.ok(!existsSync(out) && !text.includes(ledger.sessionKeys[0]?.key.toString() ?? ''));
});

test('shares of two members, made apart, decrypt the ledger; lines are the same as with keys', async () => {
  for (const member of ['ada', 'bob']) {
    const { status } = await run(
      recoverShares,
      ...shares(member),
      ...phrases(member),
      '--out',
      place(`${member}.shares`),
    );
    assert.equal(status, 0);
    assert.equal(statSync(place(`${member}.shares`)).mode & 0o777, 0o600);
  }
  const given = ['ada', 'bob'].flatMap((member) => [
    '--decryption-shares',
    place(`${member}.shares`),
  ]);
  const { status, text } = await run(recoverDecrypt, ...given, '--out', place('all.jsonl'));
  assert.equal(status, 0, text);
  await run(recoverDecrypt, '--epoch-keys', place('keys.json'), '--out', place('again.jsonl'));
  const lines = readFileSync(place('all.jsonl'), 'utf8');
  assert.equal(lines, readFileSync(place('again.jsonl'), 'utf8'));
  assert.equal(statSync(place('all.jsonl')).mode & 0o777, 0o600);
  assert.match(lines, /"table":"keyvalue\/values","key":"b","value":"2"/);
  assert.ok(!existsSync(place('all.jsonl.partial')));
});

test('shares for a recovering node are no use offline, and a wrong requester is no requester', async () => {
  const node = `recovery:${'ab'.repeat(32)}`;
  const out = place('recovery.shares');
  const made = [...shares('ada'), ...phrases('ada'), '--out', out];
  assert.equal((await run(recoverShares, ...made, '--for', node)).status, 0);
  const used = run(recoverKeys, '--decryption-shares', out, '--out', place('no.json'));
  await assert.rejects(used, { code: 'OTHER_REQUESTER' });
  for (const asked of ['recovery:1', `node:${'ab'.repeat(32)}`, 'offline:x', '']) {
    const other = [...made.slice(0, -1), place('never')];
    await assert.rejects(run(recoverShares, ...other, '--for', asked), { code: 'USAGE' });
  }
});

test('known transactions that are missing cost the exit status, not the lines', async () => {
  const out = place('short.jsonl');
  const given = ['--epoch-keys', place('keys.json'), '--expected', '1.500', '--out', out];
  const { status, text } = await run(recoverDecrypt, ...given);
  assert.equal(status, 1);
  assert.match(text, /incomplete: the ledger ends at seqno \d+, before 500/);
  assert.ok(existsSync(out));
});

test('a damaged ledger is refused with height and file; what precedes it has the ending .partial', async () => {
  const [, chunk = ''] = readdirSync(place('ledger')).sort();
  const file = join(place('ledger'), chunk);
  const whole = readFileSync(file);
  const bytes = Uint8Array.from(whole);
  bytes[bytes.length - 40] = (bytes[bytes.length - 40] as number) ^ 1;
  writeFileSync(file, bytes);
  try {
    const out = place('damaged.jsonl');
    const given = ['--epoch-keys', place('keys.json'), '--out', out];
    await assert.rejects(run(recoverDecrypt, ...given), (error: CodedError) => {
      assert.equal(error.code, 'LEDGER_DAMAGED');
      assert.match(error.message, /at block \d+ \(ledger_.*chunk\).*damaged\.jsonl\.partial/s);
      return true;
    });
    assert.ok(!existsSync(out));
    assert.ok(readFileSync(`${out}.partial`, 'utf8').endsWith('}\n'));
    // The next attempt does not write over what was saved.
    await assert.rejects(run(recoverDecrypt, ...given), {
      code: 'USAGE',
      message: /partial exists already/,
    });
  } finally {
    writeFileSync(file, whole);
  }
});

test('what is left out, cannot be opened or is no copy is refused by name', async () => {
  const out = ['--out', place('never.json')];
  const refuses = async (code: string, ...args: string[]): Promise<void> => {
    await assert.rejects(run(recoverKeys, ...args), (error: unknown) => {
      assert.ok(error instanceof CodedError, String(error));
      assert.equal(error.code, code, error.message);
      return true;
    });
  };
  await refuses('USAGE', ...shares('ada'), ...phrases('ada'));
  await refuses('USAGE', ...out);
  await refuses('USAGE', ...shares('cyd'), ...out);
  await refuses('RECOVERY_NOT_OPENED', ...shares('ada'), ...phrases('bob'), ...out);
  await refuses('DUPLICATE_SHARE', ...shares('ada', 'ada'), ...phrases('ada'), ...out);
  writeFileSync(place('junk.json'), '{"format":"concordat recovery share"}');
  await refuses('MALFORMED', ...shares('junk'), ...phrases('ada'), ...out);
  await refuses('INVALID_DECRYPTION_SHARES', '--decryption-shares', place('junk.json'), ...out);
  writeFileSync(place('short.phrase'), 'too short\n');
  await refuses('USAGE', ...shares('ada'), ...phrases('short'), ...out);
  assert.ok(!existsSync(place('never.json')));
  await assert.rejects(readPassphrase(place('short.phrase')), CliError);
});

test('files are never written over: refused, or under another name', async () => {
  const file = place('kept.json');
  await writeNewPrivateFile(file, 'first');
  await assert.rejects(writeNewPrivateFile(file, 'second'), { code: 'USAGE' });
  assert.equal(await writeSomePrivateFile(file, 'second'), place('kept-2.json'));
  assert.equal(await writeSomePrivateFile(file, 'third'), place('kept-3.json'));
  assert.equal(readFileSync(file, 'utf8'), 'first');
  assert.equal(readFileSync(place('kept-3.json'), 'utf8'), 'third');
});
