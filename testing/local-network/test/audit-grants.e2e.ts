import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { cpSync, mkdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { type AuditReport, decodeEpochKeys } from '@concordat/auditor';
import { buildGiving, type ProposedAction } from '@concordat/governance';
import type { AdminClient } from '@concordat/sdk';
import { anotherSecond, LocalNetwork, type LocalNode, waitUntil } from '../index.ts';

let network: LocalNetwork;
let nodes: readonly LocalNode[] = [];
/** What the auditor has: files, and nothing that leads to the network. */
let office = '';

/** A network of three with three epochs, in each of which something was written. */
before(async () => {
  network = await LocalNetwork.start();
  nodes = network.nodes;
  office = join(network.directory, 'office');
  mkdirSync(office);
  const sharedByAll = async () => {
    const { keys, ceremony } = await as(first(), (admin) => admin.sharedKeys());
    return !ceremony && keys[0]?.sharings.at(-1)?.holders.length === 3;
  };
  await waitUntil(sharedByAll, { what: 'a key shared by all' });
  const client = await network.keyvalue(first());
  for (const value of ['before', 'of the audit', 'after']) {
    await client.promises.put(`written ${value}`, Buffer.from(`secret ${value}`));
    if (value !== 'after') await decide({ name: 'begin_epoch', args: {} });
  }
  client.close();
  newest = (await as(first(), (admin) => admin.state())).epoch;
});
after(() => network?.end());

let newest = 0;
const first = (): LocalNode => nodes[0] as LocalNode;
const at = (name: string): string => join(office, name);
const main = join(import.meta.dirname, '../../../clients/cli/main.ts');

async function as<Result>(node: LocalNode, call: (admin: AdminClient) => Promise<Result>) {
  const admin = await network.admin(node);
  return call(admin).finally(() => admin.close());
}

/** Two of three members accept. */
async function decide(...actions: ProposedAction[]): Promise<void> {
  await anotherSecond();
  const { proposalId } = await as(first(), (admin) => admin.propose(actions));
  for (const node of nodes) {
    const { state } = await as(node, (admin) => admin.vote(proposalId, true));
    if (state === 'accepted') break;
  }
  await network.level();
}

/** Runs a command; its status and everything it said. */
function concordat(...args: readonly string[]) {
  const { status, stdout, stderr } = spawnSync(process.execPath, [main, ...args], {
    encoding: 'utf8',
    cwd: office,
  });
  return { status, said: `${stdout}${stderr}`, stdout };
}

/** A member's command, run with its own identity against its own node. */
const member = (node: LocalNode, ...args: readonly string[]) =>
  concordat(
    ...args,
    '--directory',
    network.sandbox.layout.directory,
    '--node',
    node.name,
    '--as',
    node.organisation,
  );

/** The auditor's, on files alone. */
const collect = (out: string, ...shares: readonly string[]) =>
  concordat(
    ...['audit', 'collect', at('ledger'), '--network-certificate', at('network.pem')],
    ...['--key', at('key.pem'), '--out', at(out), '--json'],
    ...shares.flatMap((file) => ['--shares', at(file)]),
  );

const audited = (epochKeys: string): AuditReport => {
  const { stdout } = concordat(
    ...['audit', 'verify', at('ledger'), '--network-certificate', at('network.pem'), '--json'],
    ...['--epoch-keys', at(epochKeys)],
  );
  return JSON.parse(stdout) as AuditReport;
};

/** The epoch in the middle: the only one that is granted. */
const granted = (): number => newest - 1;

test('without a vote a member gives nothing, whatever it orders', async () => {
  const asked = concordat(
    ...['audit', 'request', '--name', 'Audit Ltd', '--epochs', `${granted()}`],
    ...['--key', at('key.pem'), '--out', at('proposal.json')],
  );
  assert.equal(asked.status, 0, asked.said);
  assert.equal(statSync(at('key.pem')).mode & 0o777, 0o600);
  const [{ args }] = JSON.parse(readFileSync(at('proposal.json'), 'utf8')) as [{ args: never }];
  await assert.rejects(
    as(first(), (admin) => admin.giveAuditShares(args)),
    { code: 'AUDIT_NOT_GRANTED' },
  );
  const early = member(first(), 'audit', 'grant', 'Audit Ltd', '--out', at('early.json'));
  assert.equal(early.status, 2, early.said);
});

test('after the vote each member has its own node give, and the ledger says so', async () => {
  const proposed = member(first(), 'proposal', 'create', at('proposal.json'), '--json');
  assert.equal(proposed.status, 0, proposed.said);
  const { proposalId } = JSON.parse(proposed.stdout) as { proposalId: string };
  for (const node of nodes.slice(0, 2)) {
    const voted = member(node, 'vote', 'accept', proposalId);
    assert.equal(voted.status, 0, voted.said);
  }
  await network.level();
  for (const [index, node] of nodes.entries()) {
    const gave = member(node, 'audit', 'grant', 'Audit Ltd', '--out', at(`shares-${index}.json`));
    assert.equal(gave.status, 0, gave.said);
  }
  await network.level();
  cpSync(first().ledgerDirectory, at('ledger'), { recursive: true });
  writeFileSync(at('network.pem'), network.certificate);
});

test('one member’s file does not suffice, nor the same member’s twice', () => {
  const alone = collect('alone.json', 'shares-0.json');
  assert.equal(alone.status, 1, alone.said);
  const { epochs } = JSON.parse(alone.stdout) as { epochs: { missing: { more: number } }[] };
  assert.equal(epochs[0]?.missing.more, 1);
  const twice = collect('twice.json', 'shares-1.json', 'shares-1.json');
  assert.equal(twice.status, 1);
  assert.match(twice.said, /DUPLICATE_SHARE/);
});

test('two members’ files open the granted epoch and no other, on a machine that has but files', () => {
  const collected = collect('epoch-keys.json', 'shares-1.json', 'shares-2.json');
  assert.equal(collected.status, 0, collected.said);
  assert.equal(statSync(at('epoch-keys.json')).mode & 0o777, 0o600);
  const { keys } = decodeEpochKeys(readFileSync(at('epoch-keys.json'), 'utf8'));
  assert.deepEqual(
    keys.map(({ epoch }) => epoch as number),
    [granted()],
  );
  const report = audited('epoch-keys.json');
  assert.deepEqual(
    report.classes.flatMap(({ first: defect }) => defect ?? []),
    [],
  );
  const opened = report.epochs.filter(({ contents }) => contents).map(({ epoch }) => epoch);
  assert.deepEqual(opened, [granted()]);
  assert.equal(report.contents[0]?.transactions, 1);
  assert.deepEqual(
    report.keys.auditors[0]?.given.map(({ epochs }) => epochs),
    [0, 1, 2].map(() => [granted(), granted()]),
  );
});

test('another auditor’s key opens nothing of it', () => {
  const asked = concordat(
    ...['audit', 'request', '--name', 'Audit Ltd', '--epochs', '1'],
    ...['--key', at('other-key.pem'), '--out', at('other-proposal.json')],
  );
  assert.equal(asked.status, 0);
  const stolen = concordat(
    ...['audit', 'collect', at('ledger'), '--network-certificate', at('network.pem')],
    ...['--key', at('other-key.pem'), '--out', at('stolen.json')],
    ...['--shares', at('shares-1.json'), '--shares', at('shares-2.json')],
  );
  assert.equal(stolen.status, 1);
  assert.match(stolen.said, /OTHER_REQUESTER/);
});

test('a key of another epoch opens nothing of this one, and is told', () => {
  const text = readFileSync(at('epoch-keys.json'), 'utf8');
  writeFileSync(at('wrong.json'), text.replace(`"epoch": ${granted()}`, `"epoch": ${newest}`));
  const { classes, ok } = audited('wrong.json');
  assert.equal(ok, false);
  assert.equal(classes[0]?.first?.code, 'AUTHENTICATION_FAILED');
});

test('orders that were heard, of others, or under a grant that is revoked give nothing', async () => {
  const [{ args }] = JSON.parse(readFileSync(at('proposal.json'), 'utf8')) as [{ args: never }];
  const { signingKey, certificateDer } = await network.identity(first().organisation);
  const networkId = await as(first(), (admin) => admin.networkId());
  const message = buildGiving({
    key: signingKey as NonNullable<typeof signingKey>,
    certificateDer,
    networkId,
    createdAtSeconds: Math.floor(Date.now() / 1000),
    giving: args,
  });
  const send = (node: LocalNode) =>
    as(node, async ({ connection }) => {
      const headers = { 'content-type': 'application/cose' };
      const path = '/gov/audit-shares';
      const answer = await connection.request({ method: 'POST', path, headers, body: message });
      return answer.status === 200 ? 'given' : (JSON.parse(`${answer.body}`).error.code as string);
    });
  assert.equal(await send(nodes[1] as LocalNode), 'NOT_OWN_NODE');
  assert.equal(await send(first()), 'given');
  assert.equal(await send(first()), 'REPLAY');
  await decide({ name: 'revoke_audit', args: { auditor: 'Audit Ltd' } });
  await assert.rejects(
    as(first(), (admin) => admin.giveAuditShares(args)),
    { code: 'AUDIT_NOT_GRANTED' },
  );
  const late = member(
    nodes[1] as LocalNode,
    'audit',
    'grant',
    'Audit Ltd',
    '--out',
    at('late.json'),
  );
  assert.equal(late.status, 2, late.said);
});
