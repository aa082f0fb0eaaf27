import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { buildReceipt, encodeCoseReceipt, type ReceiptJson } from '@concordat/ledger';
import type { Seqno } from '@concordat/std';
import { Ledger } from '../../../core/ledger/test/fixture.ts';
import { type Command, runCommand } from '../command.ts';
import { CliError } from '../errors.ts';
import { receiptCommands } from '../receipt-commands.ts';

const networkId = 'ab'.repeat(32);
const ledger = new Ledger().grow(6);
const verify = receiptCommands.find(({ name }) => name === 'receipt verify') as Command;
let directory = '';

const place = (name: string): string => join(directory, name);

function receipt(): ReceiptJson {
  const seqno = 9 as Seqno;
  return buildReceipt({
    block: ledger.blocks.findLast(({ header }) => header.firstSeqno <= seqno)!.bytes,
    seqno,
    sessionKey: () => ledger.sessionKey,
    history: ledger.history,
    nodeCertificatePem: ledger.nodeCertificatePem,
  });
}

const json = receipt();
const { networkKey } = ledger;
const cose = encodeCoseReceipt({
  receipt: json,
  networkKey,
  networkId,
  issuedAtMs: 1_700_000_000_000,
});

before(() => {
  directory = mkdtempSync(join(tmpdir(), 'receipts-'));
  writeFileSync(place('network.pem'), ledger.networkCertificatePem);
  writeFileSync(place('other.pem'), new Ledger(2).networkCertificatePem);
});

after(() => rmSync(directory, { recursive: true, force: true }));

/** Runs `receipt verify` on a file of these bytes; the text it wrote, or how it failed. */
async function run(bytes: Uint8Array | string, ...args: string[]) {
  writeFileSync(place('receipt'), bytes);
  let text = '';
  const write = (part: string): void => {
    text += part;
  };
  const pinned = args.includes('--network-certificate')
    ? []
    : ['--network-certificate', place('network.pem')];
  const terminal = { write, interactive: false };
  try {
    const status = await runCommand(verify, [place('receipt'), ...pinned, ...args], terminal);
    return { status, text };
  } catch (error) {
    assert.ok(error instanceof CliError, String(error));
    assert.equal(error.code, 'VERIFICATION_FAILED');
    return { status: 1, text: error.message };
  }
}

test('a receipt of either form is told by itself and shown as a table', async () => {
  for (const [bytes, signer] of [
    [JSON.stringify(json), `node ${json.node_id}`],
    [cose, "the network's key"],
  ] as const) {
    const { status, text } = await run(bytes);
    assert.equal(status, 0, text);
    assert.match(text, /Transaction 1\.9 is in the ledger\./);
    for (const part of ['transaction', 'write set', 'claims', 'signed root', 'endorsed by']) {
      assert.ok(text.includes(part), part);
    }
    assert.ok(text.includes(signer), text);
    assert.ok(text.includes('network (certificate '), text);
  }
});

test('--json says the same for programs, and ends with 1 for a defect', async () => {
  const { text } = await run(cose, '--json');
  assert.deepEqual(JSON.parse(text).transactionId, '1.9');
  const broken = await run(cose.subarray(1), '--json');
  assert.deepEqual([broken.status, JSON.parse(broken.text).code], [1, 'MALFORMED']);
});

test('a file with any byte changed fails, with a code', async () => {
  const codes = /^(MALFORMED|WRONG_KEY|WRONG_NODE_ID|BAD_SIGNATURE|UNTRUSTED_CERTIFICATE): /;
  const text = Buffer.from(JSON.stringify(json));
  // What reads as the same value, as white space after a certificate, is no change.
  for (const whole of [Buffer.from(cose), text]) {
    for (let at = 0; at < whole.length; at++) {
      const changed = Buffer.from(whole);
      changed[at] = (changed[at] as number) ^ 1;
      const outcome = await run(changed);
      if (outcome.status === 0)
        assert.deepEqual(JSON.parse(changed.toString()), json, `byte ${at}`);
      else assert.match(outcome.text, codes, `byte ${at}`);
    }
  }
});

test('the receipt of another network fails, and so does what is no receipt', async () => {
  const other = ['--network-certificate', place('other.pem')];
  assert.match((await run(cose, ...other)).text, /^WRONG_KEY: /);
  assert.match((await run(JSON.stringify(json), ...other)).text, /^UNTRUSTED_CERTIFICATE: /);
  for (const bytes of ['', 'receipt', '[]', '{}', new Uint8Array(2_000_000)]) {
    assert.match((await run(bytes)).text, /^MALFORMED: /);
  }
});
