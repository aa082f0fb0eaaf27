import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { cpSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { type AuditReport, auditLedger, type EpochKeys, encodeEpochKeys } from '@concordat/auditor';
import { readSandbox } from '@concordat/cli';
import type { ProposedAction } from '@concordat/governance';
import { createOrganisation } from '@concordat/sdk';
import { LocalNetwork, type LocalNode, WriteLoad, waitUntil } from '../index.ts';

let network: LocalNetwork;
let epochKeys: EpochKeys;

before(async () => {
  network = await LocalNetwork.start({ policies: { snapshotBlocks: 20 } });
});
after(() => network?.end());

/** Has a proposal accepted by as many members as it takes. */
async function decide(...actions: ProposedAction[]): Promise<void> {
  const leader = await network.leader();
  const as = async <Result>(
    node: LocalNode,
    call: (admin: Awaited<ReturnType<typeof network.admin>>) => Promise<Result>,
  ): Promise<Result> => {
    const admin = await network.admin(leader, node.organisation);
    return call(admin).finally(() => admin.close());
  };
  const { proposalId } = await as(leader, (admin) => admin.propose(actions));
  for (const node of network.nodes) {
    const { state } = await as(node, (admin) => admin.vote(proposalId, true));
    if (state === 'accepted') return;
    assert.equal(state, 'open');
  }
  assert.fail('every member has accepted, and the proposal is still open');
}

const audit = (directory: string, epochKeys?: EpochKeys): Promise<AuditReport> =>
  auditLedger({
    directory,
    networkCertificate: network.certificate,
    ...(epochKeys && { epochKeys }),
  });

const defectsOf = ({ classes }: AuditReport) => classes.flatMap(({ first }) => first ?? []);

test('the ledger of a network that lived and changed is clean on every node', async () => {
  const [vn1, vn2, vn3] = network.nodes as [LocalNode, LocalNode, LocalNode];
  const load = new WriteLoad(network, { nodes: [vn1, vn2], inFlight: 8 });
  await load.progress(200);
  const newcomer = createOrganisation({ name: 'newcomer' });
  await decide({
    name: 'add_actor',
    args: { kind: ['member'], name: 'newcomer', certificate: newcomer.certificatePem, roles: [] },
  });
  await decide({ name: 'set_policy', args: { name: 'maxBatchTransactions', value: 50 } });
  // A follower that is killed comes back under a new identity, in the place of the old one.
  const nodeIdBefore = vn2.status?.nodeId;
  await vn2.kill();
  vn2.start();
  await vn2.waitFor(({ phase, nodeId }) => phase === 'running' && nodeId !== nodeIdBefore, {
    what: 'vn2 to run again as a new node',
  });
  await decide({ name: 'remove_node', args: { nodeId: vn3.status?.nodeId as string } });
  await load.progress(100);
  await load.stop();
  await waitUntil(() => vn1.isUp && vn2.isUp, { what: 'two nodes that run' });
  await network.level([vn1, vn2]);
  // It came back by a snapshot: what lies before, it fetches at its leisure.
  const whole = async () =>
    !defectsOf(await audit(vn2.ledgerDirectory)).some(({ code }) => code === 'MISSING_BLOCKS');
  await waitUntil(whole, { what: 'vn2 to have fetched every block' });
  // As an auditor: by a vote, and the shares of two of the three that hold them.
  epochKeys = await readSandbox(network.sandbox, ['vn1', 'vn2']);
  await network.level([vn1, vn2]);
  for (const { ledgerDirectory } of [vn1, vn2]) {
    const closed = await audit(ledgerDirectory);
    assert.deepEqual(defectsOf(closed), []);
    assert.ok(closed.epochs.every(({ contents }) => !contents));
    const report = await audit(ledgerDirectory, epochKeys);
    assert.ok(report.epochs.every(({ contents }) => contents));
    assert.ok((report.contents[0]?.transactions ?? 0) >= 300);
    assert.equal(report.contents[0]?.unreadable, 0);
    assert.deepEqual(defectsOf(report), []);
    assert.ok(report.ok);
    assert.equal(report.nodes.filter(({ retired }) => retired === 'removed').length, 1);
    assert.equal(report.nodes.filter(({ retired }) => retired === 'replaced').length, 1);
    assert.ok(report.proposals.every(({ state }) => state === 'accepted'));
    const evidence = report.classes.find((of) => of.class === 'evidence')?.examined.records;
    assert.equal(evidence, report.nodes.length);
    const kinds = report.observations.map(({ kind }) => kind);
    assert.ok(kinds.includes('snapshot-recorded'));
  }
});

test('the command gives the same verdict, and a copy that was changed is refused by it', () => {
  const [vn1] = network.nodes as [LocalNode];
  const copy = join(network.directory, 'copy');
  cpSync(vn1.ledgerDirectory, copy, { recursive: true });
  const certificate = join(network.directory, 'network.pem');
  writeFileSync(certificate, network.certificate);
  const verify = (...more: string[]) =>
    spawnSync(
      process.execPath,
      [main, 'audit', 'verify', copy, '--network-certificate', certificate, ...more],
      { encoding: 'utf8' },
    );
  const keysFile = join(network.directory, 'epoch-keys.json');
  writeFileSync(keysFile, encodeEpochKeys(epochKeys));
  const clean = verify('--epoch-keys', keysFile);
  assert.equal(clean.status, 0, clean.stdout + clean.stderr);
  assert.match(clean.stdout, /No defect was found/);
  assert.match(clean.stdout, /contents opened and verified/);
  const [chunk = ''] = readdirSync(copy).filter((name) => name.endsWith('.chunk'));
  const bytes = readFileSync(join(copy, chunk));
  const at = Math.floor(bytes.length / 2);
  bytes[at] = (bytes[at] as number) ^ 1;
  writeFileSync(join(copy, chunk), bytes);
  const changed = verify('--json', '--epoch-keys', keysFile);
  assert.equal(changed.status, 1, changed.stderr);
  const [defect] = defectsOf(JSON.parse(changed.stdout) as AuditReport);
  assert.equal(defect?.file, chunk);
  assert.ok((defect?.height ?? 0) >= 1);
});

const main = join(import.meta.dirname, '../../../clients/cli/main.ts');
