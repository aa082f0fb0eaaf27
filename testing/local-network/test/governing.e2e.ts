import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { after, before, test } from 'node:test';
import { createOrganisation } from '@concordat/sdk';
import { LocalNetwork } from '../index.ts';

const cliMain = resolve(import.meta.dirname, '../../../clients/cli/main.ts');
let network: LocalNetwork;
let directory: string;
let members: readonly string[];

before(async () => {
  network = await LocalNetwork.start();
  members = network.nodes.map(({ organisation }) => organisation);
  directory = join(network.directory, 'governing');
  mkdirSync(directory);
});

after(() => network?.end());

const place = (name: string): string => join(directory, name);

interface Run {
  readonly status: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs a command as somebody at another directory would; nothing of it may need a terminal. */
function concordat(...args: string[]): Run {
  const env = { ...process.env, NO_COLOR: '1' };
  return spawnSync(process.execPath, [cliMain, ...args], { encoding: 'utf8', cwd: directory, env });
}

/** As a member of the sandbox. */
const as = (member: string): string[] => [
  '--directory',
  network.sandbox.layout.directory,
  '--as',
  member,
];

function done(...args: string[]): string {
  const { status, stdout, stderr } = concordat(...args);
  assert.equal(status, 0, `${args.join(' ')}: ${stdout}${stderr}`);
  return stdout;
}

const json = <Value>(...args: string[]): Value => JSON.parse(done(...args, '--json')) as Value;

/** What is told of a refusal: exit status and code. */
function refused(...args: string[]): readonly [number | null, string] {
  const { status, stdout, stderr } = concordat(...args);
  assert.equal(stdout, '', args.join(' '));
  assert.match(stderr, /^error [A-Z_]+: /, args.join(' '));
  return [status, stderr.split(/[ :]/, 2)[1] as string];
}

/** Files of the certificate and key of a member, as it keeps them itself. */
function ownFiles(member: string): { readonly certificate: string; readonly key: string } {
  const { certificateFile, keyFile } = network.sandbox.layout.identity(member);
  return { certificate: certificateFile, key: keyFile };
}

interface Outcome {
  readonly proposalId: string;
  readonly state: string;
  readonly voted?: boolean;
  readonly transactionId: string;
}

test('members add and remove an organisation with plain options, and see what it would change first', async () => {
  const [one = '', two = ''] = members;
  writeFileSync(place('shop.pem'), createOrganisation({ name: 'corner-shop' }).certificatePem);
  const proposed = json<Outcome>(
    ...['member', 'add', 'shop.pem', '--kind', 'participant', '--role', 'teller', '--vote'],
    ...as(one),
  );
  assert.deepEqual([proposed.state, proposed.voted], ['open', true]);

  const told = done('proposal', 'show', proposed.proposalId.slice(0, 8), ...as(two));
  assert.match(told, /It would change\n\+ actors › corner-shop\n/);
  assert.match(told, /roles +teller/);
  assert.match(told, new RegExp(`${one} accepts`));
  assert.ok(!told.includes('\u001b'), 'no colours without a terminal');
  const listed = done('proposal', 'list', '--state', 'open', ...as(two));
  assert.match(listed, /add_actor/);

  const decided = json<Outcome>('vote', 'accept', proposed.proposalId.slice(0, 8), ...as(two));
  assert.equal(decided.state, 'accepted');
  assert.match(done('member', 'list', ...as(one)), /corner-shop +participant +teller/);
  assert.match(done('network', 'show', ...as(one)), /corner-shop/);

  const removal = json<Outcome>('member', 'remove', 'corner-shop', '--vote', ...as(one));
  assert.equal(json<Outcome>('vote', 'accept', removal.proposalId, ...as(two)).state, 'accepted');
  assert.ok(!done('member', 'list', ...as(one)).includes('corner-shop'));
});

test('a proposal that can no longer take effect says so before anybody votes, and is withdrawn by its proposer', () => {
  const [one = '', two = ''] = members;
  const late = json<Outcome>('constitution', 'set', 'electionTimeoutMs', '300', ...as(one));
  assert.match(
    done('proposal', 'show', late.proposalId, ...as(two)),
    /electionTimeoutMs: 600 → 300/,
  );
  const first = json<Outcome>('constitution', 'set', 'heartbeatMs', '150', '--vote', ...as(two));
  assert.equal(json<Outcome>('vote', 'accept', first.proposalId, ...as(one)).state, 'accepted');
  const told = done('proposal', 'show', late.proposalId, ...as(two));
  assert.match(told, /As things are it would fail: INVALID_POLICY/);
  const others = refused('proposal', 'withdraw', late.proposalId, ...as(two));
  assert.deepEqual(others, [3, 'NOT_THE_PROPOSER']);
  const withdrawn = json<Outcome>('proposal', 'withdraw', late.proposalId, ...as(one));
  assert.equal(withdrawn.state, 'withdrawn');
});

test('exit statuses tell a wrong command line, a refusal and an unreachable node apart', () => {
  const [one = ''] = members;
  assert.deepEqual(refused('vote', 'accept', ...as(one)), [2, 'USAGE']);
  assert.deepEqual(refused('proposal', 'create', 'no_such_action', ...as(one)), [2, 'USAGE']);
  assert.deepEqual(refused('node', 'remove', 'vn99', ...as(one)), [2, 'USAGE']);
  assert.deepEqual(refused('proposal', 'create', 'set_policy', '{"name":1}', ...as(one)), [
    3,
    'INVALID_ACTION',
  ]);
  const { certificate, key } = ownFiles(one);
  const nobody = ['--address', '127.0.0.1:1', '--certificate', certificate, '--key', key];
  const pinned = ['--network-certificate', network.sandbox.layout.networkCertificate];
  assert.deepEqual(refused('network', 'show', ...nobody, ...pinned), [4, 'UNREACHABLE']);
  const machine = concordat('vote', 'accept', 'ff', '--json', ...as(one));
  assert.equal(JSON.parse(machine.stderr).error.code, 'USAGE');
});

test('a proposal is made without a connection, signed by openssl, and submitted by somebody else', () => {
  const [one = '', two = ''] = members;
  const { certificate, key } = ownFiles(one);
  const { networkId } = json<{ networkId: string }>('network', 'show', ...as(two));
  // No sandbox, no address: nothing is asked of anybody.
  const printed = done(
    ...['constitution', 'set', 'epochBlocks', '500', '--print', 'message.tbs'],
    ...['--network-id', networkId, '--certificate', certificate],
  );
  assert.match(printed, /set_policy: name epochBlocks, value 500/);
  assert.match(printed, /openssl dgst -sha256 -sign/);
  assert.match(done('proposal', 'show', 'message.tbs'), /set_policy: name epochBlocks, value 500/);

  const openssl = spawnSync(
    'openssl',
    ['dgst', '-sha256', '-sign', key, '-out', 'message.sig', 'message.tbs'],
    { cwd: directory, encoding: 'utf8' },
  );
  assert.equal(openssl.status, 0, openssl.stderr);
  const submitted = json<Outcome>(
    ...['proposal', 'submit', 'message.tbs', '--signature', 'message.sig'],
    ...as(two),
  );
  assert.equal(submitted.state, 'open');
  assert.deepEqual(
    refused('proposal', 'submit', 'message.tbs', '--signature', 'message.sig', ...as(two)),
    [3, 'REPLAY'],
  );

  // A vote on it: printed, signed with this program, its signature passed on as text.
  const about = [submitted.proposalId, '--network-id', networkId];
  done('vote', 'accept', ...about, '--certificate', certificate, '--print', 'vote.tbs');
  const signing = ['--certificate', certificate, '--key', key, '--out', 'vote.sig'];
  assert.match(done('proposal', 'sign', 'vote.tbs', ...signing), /vote to accept/);
  assert.match(readFileSync(place('vote.sig'), 'utf8'), /^[0-9a-f]{128}\n$/);
  done('proposal', 'submit', 'vote.tbs', '--signature', 'vote.sig', ...as(two));
  const accepted = json<Outcome>('vote', 'accept', submitted.proposalId, ...as(two));
  assert.equal(accepted.state, 'accepted');
  assert.match(done('constitution', 'policies', ...as(one)), /epochBlocks +500 +0/);
});

test('a signature over other bytes, or of another key, is refused before it is sent', () => {
  const [one = '', two = ''] = members;
  const [mine, theirs] = [ownFiles(one), ownFiles(two)];
  done('constitution', 'set', 'epochBlocks', '600', '--print', 'other.tbs', ...as(one));
  const other = ['--certificate', theirs.certificate, '--key', theirs.key];
  assert.deepEqual(refused('proposal', 'sign', 'other.tbs', ...other, '--out', 'no.sig'), [
    2,
    'USAGE',
  ]);
  for (const [name, key, bytes] of [
    ['another-key.sig', theirs.key, 'other.tbs'],
    ['other-bytes.sig', mine.key, 'vote.tbs'],
  ] as const) {
    const made = spawnSync('openssl', ['dgst', '-sha256', '-sign', key, '-out', name, bytes], {
      cwd: directory,
    });
    assert.equal(made.status, 0);
    const sent = refused('proposal', 'submit', 'other.tbs', '--signature', name, ...as(one));
    assert.deepEqual(sent, [2, 'USAGE'], name);
  }
  for (const junk of ['', 'zz', '00'.repeat(64), 'a'.repeat(5_000)]) {
    writeFileSync(place('junk.sig'), junk);
    const sent = refused('proposal', 'submit', 'other.tbs', '--signature', 'junk.sig', ...as(one));
    assert.deepEqual(sent, [2, 'USAGE'], junk.slice(0, 10));
  }
});

test('what differs between a kept constitution and the one in force is shown', () => {
  const [one = ''] = members;
  writeFileSync(place('kept.json'), done('constitution', 'show', '--json', ...as(one)));
  assert.equal(done('constitution', 'diff', 'kept.json', ...as(one)), '  no change\n');
  const kept = JSON.parse(readFileSync(place('kept.json'), 'utf8'));
  kept.policies.epochBlocks = 77;
  writeFileSync(place('changed.json'), JSON.stringify(kept));
  const told = done('constitution', 'diff', 'kept.json', 'changed.json');
  assert.equal(told, '~ policies › epochBlocks: 500 → 77\n');
  assert.match(done('constitution', 'show', 'kept.json'), /Voting policies\n {2}default +majority/);
  const { codeManifest } = json<{ codeManifest: unknown[] }>('code', 'list', ...as(one));
  assert.ok(codeManifest.length >= 2);
  assert.match(done('node', 'list', ...as(one)), /vn1 .*trusted, leads|trusted, leads/);
});
