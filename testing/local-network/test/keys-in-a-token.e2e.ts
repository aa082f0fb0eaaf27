import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { isSignedByOwner } from '@concordat/governance';
import type { AdminClient } from '@concordat/sdk';
import {
  LocalNetwork,
  type LocalNode,
  loseAllBut,
  type Remains,
  WriteLoad,
  waitUntil,
} from '../index.ts';

const main = join(import.meta.dirname, '../../../clients/cli/main.ts');
const softModules = [
  '/usr/lib/softhsm/libsofthsm2.so',
  '/usr/lib64/softhsm/libsofthsm2.so',
  '/opt/homebrew/lib/softhsm/libsofthsm2.so',
];
const module = softModules.find((file) => existsSync(file)) ?? '';
const skip = module === '' ? 'SoftHSM is not installed (softhsm2)' : false;
const pin = '9035-token';
const passphrase = 'correct horse battery staple';

describe('a member whose keys are in a token', { skip }, () => {
  let network: LocalNetwork;
  let vn1: LocalNode;
  let vn2: LocalNode;
  let remains: Remains;
  let acknowledged: ReadonlyMap<string, Buffer>;
  const copies = new Map<string, string[]>();

  const place = (name: string): string => join(network.directory, name);

  const run = (...args: string[]): { status: number | null; stdout: string; stderr: string } => {
    const done = spawnSync(process.execPath, [main, ...args], {
      encoding: 'utf8',
      maxBuffer: 1 << 28,
      env: { ...process.env, SOFTHSM2_CONF: place('softhsm2.conf') },
    });
    assert.ok(!(done.stdout + done.stderr).includes(pin), 'a PIN is shown nowhere');
    return done;
  };

  const runs = (...args: string[]): string => {
    const { status, stdout, stderr } = run(...args);
    assert.equal(status, 0, stdout + stderr);
    return stdout;
  };

  const fails = (code: string, ...args: string[]): string => {
    const { status, stderr } = run(...args);
    assert.notEqual(status, 0);
    assert.match(stderr, new RegExp(`\\b${code}\\b`));
    return stderr;
  };

  const token = (): string[] => [
    ...['--pkcs11-module', module, '--pkcs11-token', 'aurora'],
    ...['--pkcs11-pin-file', place('pin')],
  ];

  const at = (node: LocalNode): string[] => [
    ...['--directory', network.sandbox.layout.directory],
    ...['--node', node.name, '--as', node.organisation],
  ];

  const ledger = (): string[] => [
    remains.ledger,
    ...['--network-certificate', remains.certificateFile],
  ];

  const sharesOf = (...nodes: LocalNode[]): string[] =>
    nodes.flatMap(({ name }) => (copies.get(name) ?? []).flatMap((file) => ['--share', file]));

  async function as<Result>(node: LocalNode, call: (admin: AdminClient) => Promise<Result>) {
    const admin = await network.admin(node);
    return call(admin).finally(() => admin.close());
  }

  before(async () => {
    network = await LocalNetwork.start();
    [vn1, vn2] = network.nodes as [LocalNode, LocalNode, LocalNode];
    writeFileSync(place('passphrase'), `${passphrase}\n`, { mode: 0o600 });
    writeFileSync(place('pin'), `${pin}\n`, { mode: 0o600 });
    mkdirSync(place('tokens'));
    writeFileSync(
      place('softhsm2.conf'),
      `directories.tokendir = ${place('tokens')}\nobjectstore.backend = file\n`,
    );
    const made = spawnSync(
      'softhsm2-util',
      ['--init-token', '--free', '--label', 'aurora', '--pin', pin, '--so-pin', '00000000'],
      { encoding: 'utf8', env: { ...process.env, SOFTHSM2_CONF: place('softhsm2.conf') } },
    );
    assert.equal(made.status, 0, made.stderr);
  });
  after(() => network?.end());

  it('makes the key in the token, and gets its copies sealed to it and opened once', async () => {
    assert.match(runs('token', 'list', '--pkcs11-module', module), /aurora/);
    for (const label of ['copies', 'other']) {
      const made = runs('token', 'generate', ...token(), '--pkcs11-key', label, '--for', 'copies');
      assert.match(made, /BEGIN PUBLIC KEY/);
    }
    await waitUntil(
      async () => {
        const { keys, ceremony } = await as(vn1, (admin) => admin.sharedKeys());
        return !ceremony && keys.every(({ sharings }) => sharings.at(-1)?.holders.length === 3);
      },
      { what: 'every key shared by three' },
    );
    const load = new WriteLoad(network, { inFlight: 4 });
    await load.progress(150);
    const ways: [LocalNode, string[]][] = [
      [vn1, ['--passphrase-file', place('passphrase')]],
      [vn2, ['--to-pkcs11', 'copies', ...token()]],
    ];
    // Whatever is wrong with the token is told before the ledger records that a copy was given.
    const out = ['--out', place('vn2')];
    fails('KEY_NOT_FOUND', 'key', 'export', ...at(vn2), '--to-pkcs11', 'none', ...token(), ...out);
    for (const [node, way] of ways) {
      const told = runs('key', 'export', ...at(node), ...way, '--out', place(node.name), '--json');
      const { written } = JSON.parse(told) as { written: { file: string; checked: boolean }[] };
      assert.ok(written.length > 0 && written.every(({ checked }) => checked));
      copies.set(
        node.name,
        written.map(({ file }) => file),
      );
    }
    await load.progress(150);
    await load.stop();
    acknowledged = load.acknowledged;
    await network.level();
  });

  it('is a member whose identity is in the token: it proposes and votes with it', async () => {
    runs('token', 'generate', ...token(), '--pkcs11-key', 'identity', '--for', 'signing');
    const certificate = place('nemesis.pem');
    const own = [...token(), '--pkcs11-key', 'identity'];
    runs('token', 'organisation', ...own, '--name', 'Nemesis', '--out', certificate);
    const args = {
      ...{ kind: ['member'], name: 'Nemesis', roles: [] },
      certificate: readFileSync(certificate, 'utf8'),
    };
    const { proposalId } = await as(vn1, (admin) => admin.propose([{ name: 'add_actor', args }]));
    await as(vn1, (admin) => admin.vote(proposalId, true));
    assert.equal((await as(vn2, (admin) => admin.vote(proposalId, true))).state, 'accepted');
    await network.level();
    const there = [
      ...['--address', `127.0.0.1:${vn1.ports.admin}`, '--certificate', certificate],
      ...['--network-certificate', network.sandbox.layout.networkCertificate],
    ];
    const policy = JSON.stringify({ kind: 'default', policy: { kind: 'unanimous' } });
    const told = runs(
      'proposal',
      'create',
      'set_voting_policy',
      policy,
      ...there,
      ...own,
      '--json',
    );
    const proposed = JSON.parse(told).proposalId as string;
    runs('vote', 'reject', proposed, ...there, ...own);
    await network.level();
    const proposals = await as(vn2, (admin) => admin.proposals());
    const found = proposals.find((one) => one.proposalId === proposed);
    const nemesis = (await as(vn2, (admin) => admin.constitution())).constitution.actors.find(
      ({ name }) => name === 'Nemesis',
    );
    assert.deepEqual(
      found?.votes.map(({ actorId, accept }) => [actorId, accept]),
      [[nemesis?.actorId, false]],
    );
    assert.equal(found?.proposer, nemesis?.actorId);
    const status = join(vn1.dataDirectory, 'status.json');
    const tuple = JSON.parse(runs('node', 'tuple', status, '--certificate', certificate, ...own));
    assert.ok(nemesis && isSignedByOwner(nemesis, tuple[0].args));
    const staff = ['--certificate', place('staff.pem'), '--key', place('staff-key.pem')];
    runs('key', 'staff', '--name', 'Bo', '--issuer-certificate', certificate, ...own, ...staff);
    assert.equal(readFileSync(place('staff.pem'), 'utf8').split('BEGIN').length, 3);
    const address = ['--address', `127.0.0.1:${vn1.ports.admin}`];
    const pinned = ['--network-certificate', network.sandbox.layout.networkCertificate];
    assert.match(runs('network', 'show', ...address, ...pinned, ...staff), /Nemesis/);
    const other = [...token(), '--pkcs11-key', 'copies'];
    fails('INVALID_IDENTITY', 'proposal', 'list', ...there, ...other);
    fails('USAGE', 'proposal', 'list', ...there, ...own, '--key', place('pin'));
  });

  it('reads the ledger with another member’s copy when every node is gone', async () => {
    remains = await loseAllBut(network, vn1);
    const two = [...sharesOf(vn1, vn2), '--passphrase-file', place('passphrase')];
    const keys = [...two, '--share-pkcs11', 'copies', ...token()];
    const out = place('all.jsonl');
    runs('recover', 'decrypt', ...ledger(), ...keys, '--out', out);
    const lines = readFileSync(out, 'utf8');
    assert.ok(acknowledged.size >= 300);
    for (const [key] of acknowledged) assert.ok(lines.includes(JSON.stringify(key)), key);
  });

  it('makes decryption shares with the token, and hands over nothing else', () => {
    const mine = place('shares-vn2.json');
    const own = ['--share-pkcs11', 'copies', ...token(), '--out', mine];
    runs('recover', 'shares', ...ledger(), ...sharesOf(vn2), ...own);
    const keys = place('keys.json');
    const theirs = [...sharesOf(vn1), '--passphrase-file', place('passphrase')];
    const both = [...theirs, '--decryption-shares', mine, '--out', keys];
    assert.match(runs('recover', 'keys', ...ledger(), ...both), /All \d+ epochs open/);
  });

  it('is told what is wrong: the key, the PIN, the module, or that a token is needed', () => {
    const out = ['--out', place('never.json')];
    const shares = ['recover', 'shares', ...ledger(), ...sharesOf(vn2), ...out];
    fails('RECOVERY_NOT_OPENED', ...shares, '--share-pkcs11', 'other', ...token());
    fails('KEY_NOT_FOUND', ...shares, '--share-pkcs11', 'id:00ff', ...token());
    fails('USAGE', ...shares, '--share-pkcs11', 'id:xyz', ...token());
    assert.match(fails('USAGE', ...shares), /--share-pkcs11/);
    writeFileSync(place('wrong-pin'), 'not-the-pin\n');
    const wrong = ['--pkcs11-module', module, '--pkcs11-pin-file', place('wrong-pin')];
    fails('PIN_WRONG', ...shares, '--share-pkcs11', 'copies', ...wrong);
    fails('USAGE', ...shares, '--share-pkcs11', 'copies', '--pkcs11-module', module);
    const nowhere = ['--pkcs11-module', '/nowhere/lib.so'];
    fails('MODULE_UNREADABLE', ...shares, '--share-pkcs11', 'copies', ...nowhere);
    assert.ok(!existsSync(place('never.json')));
  });
});
