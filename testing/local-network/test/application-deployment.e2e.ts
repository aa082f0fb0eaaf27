import assert from 'node:assert/strict';
import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, suite, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { auditLedger } from '@concordat/auditor';
import { type BundleJson, deployApplication, programOfBundle } from '@concordat/cli';
import { type AdminClient, type ApplicationClient, SdkError } from '@concordat/sdk';
import { ApplicationLoad } from '../application-load.ts';
import { LocalNetwork, waitUntil } from '../index.ts';

const source = (version: string) => `
const text = (value) => ccf.bufToStr(value);
const entries = ccf.kv.entries;
export function add(request) {
  const { id } = request.body.json();
  const key = ccf.strToBuf(id);
  if (entries.has(key)) return { statusCode: 409, body: { version: text(entries.get(key)) } };
  entries.set(key, ccf.strToBuf('${version}'));
  return { body: { version: '${version}' } };
}
export function get(request) {
  const found = entries.get(ccf.strToBuf(request.params.id));
  if (found === undefined) return { statusCode: 404, body: { error: 'none' } };
  return { body: { version: text(found) } };
}
export const version = () => ({ body: { version: '${version}', entries: entries.size } });
`;

const endpoint = (js_function: string, mode: string) => ({
  js_module: 'entries.js',
  js_function,
  mode,
  authn_policies: ['user_cert'],
});

const bundleOf = (version: string): BundleJson => ({
  metadata: {
    endpoints: {
      '/entries': { post: endpoint('add', 'readwrite') },
      '/entries/{id}': { get: endpoint('get', 'readonly') },
      '/version': { get: endpoint('version', 'readonly') },
      ...(version === 'v1' && { '/only-first': { get: endpoint('version', 'readonly') } }),
    },
  },
  modules: [{ name: 'entries.js', module: source(version) }],
});

const cliMain = fileURLToPath(new URL('../../../clients/cli/main.ts', import.meta.url));
const run = (...words: string[]): string =>
  execFileSync(process.execPath, [cliMain, ...words], { encoding: 'utf8' });

/** How a command ended that runs while this process does other things. */
async function ended(...words: string[]): Promise<{ status: number | null; text: string }> {
  const child = spawn(process.execPath, [cliMain, ...words], { stdio: ['ignore', 'pipe', 'pipe'] });
  let text = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream.on('data', (part) => {
      text += part;
    });
  }
  const [status] = (await once(child, 'close')) as [number | null];
  return { status, text };
}

const toldGaps = ({ longestGapMs: { write, read } }: ApplicationLoad): string =>
  `writes ${write.toFixed(0)} ms, reads ${read.toFixed(0)} ms`;

/** An application is voted in, changed and ended in a network that was founded without one. */
suite('an application deployed by vote', { concurrency: false }, () => {
  let network: LocalNetwork;
  const clients: ApplicationClient[] = [];
  const admins: AdminClient[] = [];

  before(async () => {
    network = await LocalNetwork.start({
      workerImage: 'application',
      elections: 'patient',
      policies: { snapshotBlocks: 20 },
      adapters: { javascript: { maxRequestMs: 4_000, maxMemoryMebibytes: 300 } },
    });
    for (const node of network.nodes) {
      clients.push(await network.application(node));
      admins.push(await network.admin(node));
    }
  });

  after(async () => {
    for (const one of clients) one.connection.close();
    for (const one of admins) one.close();
    await network?.end();
  });

  const vote = async (proposalId: string): Promise<void> => {
    for (const admin of admins) {
      if ((await admin.vote(proposalId, true)).state !== 'open') return;
    }
  };
  const inForce = async (): Promise<string | undefined> =>
    (await (admins[0] as AdminClient).constitution()).constitution.applications?.[0]?.digest;
  const running = async (admin: AdminClient) =>
    (await admin.state()).workers.flatMap(({ applications }) => applications)[0];
  const runningOn = async (node: (typeof network.nodes)[number]) => {
    const admin = await network.admin(node);
    return running(admin).finally(() => admin.close());
  };
  const deploy = async (version: string): Promise<string> => {
    const { proposalId, digest } = await deployApplication(admins[1] as AdminClient, {
      bundle: bundleOf(version),
    });
    await vote(proposalId);
    await waitUntil(async () => (await inForce()) === digest, { what: `${version} in force` });
    return digest;
  };

  test('a network without an application answers that there is none', async () => {
    for (const client of clients) {
      await assert.rejects(client.request('/version'), { code: 'NOT_FOUND' });
    }
    assert.equal((await running(admins[0] as AdminClient))?.state, 'none');
  });

  test('the first one is proposed with its digest, voted in, and answers on every node', async () => {
    const digest = await deploy('v1');
    const program = await (admins[2] as AdminClient).program(digest);
    assert.deepEqual(program, Buffer.from(programOfBundle(bundleOf('v1'))));
    for (const client of clients) {
      await waitUntil(
        () =>
          client.request('/version').then(
            ({ json }) => (json as { version: string }).version === 'v1',
            () => false,
          ),
        { what: 'v1 on every node' },
      );
    }
    for (const admin of admins) {
      const state = await waitUntil(
        async () => {
          const found = await running(admin);
          return found?.state === 'running' && found;
        },
        { what: 'a process of v1' },
      );
      assert.equal(state.digest, digest);
    }
  });

  test('a member sees at the command line what it votes on', async () => {
    const file = join(network.directory, 'proposal.json');
    const bundle = bundleOf('by-hand');
    writeFileSync(file, JSON.stringify({ actions: [{ name: 'set_js_app', args: { bundle } }] }));
    const { directory } = network.sandbox.layout;
    const cli = (...words: string[]) =>
      JSON.parse(run(...words, '--directory', directory, '--json')) as Record<string, unknown>;
    const { proposalId, digest, state } = cli('app', 'deploy', file);
    assert.equal(state, 'open');
    const { applications, node } = cli('app', 'show') as {
      applications: { digest: string; standing: string }[];
      node: { running: { state: string }[] };
    };
    assert.deepEqual(
      applications.map(({ standing }) => standing.split(' ')[0]),
      ['in', 'proposed'],
    );
    assert.equal(applications[1]?.digest, digest);
    assert.equal(node.running[0]?.state, 'running');
    const shown = run(
      'app',
      'show',
      String(digest).slice(0, 8),
      '--source',
      '--directory',
      directory,
    );
    for (const text of [
      '/entries/{id}',
      'readonly',
      'user_cert',
      'entries.js',
      "version: 'by-hand'",
    ]) {
      assert.ok(shown.includes(text), text);
    }
    cli('proposal', 'withdraw', String(proposalId));
    assert.equal((cli('app', 'show').applications as unknown[]).length, 1);
  });

  test('at the command line one may wait for the vote, and is told when it takes too long', async () => {
    const file = join(network.directory, 'waited.json');
    const bundle = bundleOf('waited');
    writeFileSync(file, JSON.stringify(bundle));
    const { directory } = network.sandbox.layout;
    const deployed = (seconds: string) =>
      ended('app', 'deploy', file, '--wait', seconds, '--directory', directory, '--json');
    const late = await deployed('1');
    assert.notEqual(late.status, 0);
    const admin = admins[1] as AdminClient;
    const open = async () => (await admin.proposals()).find(({ state }) => state === 'open');
    const { proposalId = '' } = (await open()) ?? {};
    assert.ok(late.text.includes(proposalId) && /TIMEOUT/.test(late.text), late.text);
    await (admins[0] as AdminClient).withdraw(proposalId);
    const waiting = deployed('120');
    const proposed = await waitUntil(open, { what: 'the proposal' });
    await vote(proposed.proposalId);
    const { status, text } = await waiting;
    assert.equal(status, 0, text);
    const told = JSON.parse(text) as { proposalId: string; state: string; digest: string };
    assert.deepEqual([told.proposalId, told.state], [proposed.proposalId, 'accepted']);
    assert.equal(await inForce(), told.digest);
  });

  test('another one takes its place under load: nothing fails, is lost or runs under both', async (t) => {
    const load = new ApplicationLoad(clients, 8);
    await waitUntil(() => load.written.length > 100, { what: 'writes under v1' });
    load.forgetGaps();
    await waitUntil(() => load.written.length > 400, { what: 'more of them' });
    t.diagnostic(`longest gap before: ${toldGaps(load)}`);
    load.forgetGaps();
    const begun = load.written.length;
    await deploy('v2');
    await waitUntil(() => load.readVersions.slice(-200).every((version) => version === 'v2'), {
      what: 'reads under v2 alone',
    });
    await waitUntil(() => load.written.length > begun + 300, { what: 'writes under v2' });
    await load.end();
    t.diagnostic(`longest gap with the change: ${toldGaps(load)}`);
    t.diagnostic(`${load.written.length} writes, ${load.readVersions.length} reads`);
    assert.deepEqual(load.failures, []);
    // One order, one change in it.
    const seqno = (id: string): number => Number(id.split('.')[1]);
    const ordered = [...load.written].sort(
      (a, b) => seqno(a.transactionId) - seqno(b.transactionId),
    );
    const firstOfSecond = ordered.findIndex(({ version }) => version === 'v2');
    assert.ok(firstOfSecond > 0);
    assert.deepEqual(
      ordered.slice(firstOfSecond).filter(({ version }) => version !== 'v2'),
      [],
    );
    const { json } = await (clients[0] as ApplicationClient).request('/version', {
      consistency: 'linearizable',
    });
    assert.equal((json as { entries: number }).entries, load.written.length);
    for (const { id, version } of [...ordered.slice(0, 20), ...ordered.slice(-20)]) {
      const found = await (clients[2] as ApplicationClient).request(`/entries/${id}`, {
        consistency: 'linearizable',
      });
      assert.deepEqual(found.json, { version });
    }
    for (const client of clients) {
      await assert.rejects(client.request('/only-first'), { code: 'NOT_FOUND' });
    }
  });

  test('a bundle that cannot be run is refused before anything is recorded, with file and line', async () => {
    const before = (await (admins[0] as AdminClient).proposals()).length;
    const good = bundleOf('v3');
    const module = `${source('v3')}\nexport const wrong = ;\n`;
    const bad: readonly [string, BundleJson][] = [
      ['SYNTAX_ERROR', { ...good, modules: [{ name: 'entries.js', module }] }],
      ['MODULE_MISSING', { ...good, modules: [] }],
      ['FUNCTION_MISSING', { ...good, modules: [{ name: 'entries.js', module: '' }] }],
    ];
    for (const admin of admins) {
      for (const [reason, bundle] of bad) {
        await assert.rejects(deployApplication(admin, { bundle }), (error) => {
          assert.ok(error instanceof SdkError, String(error));
          assert.equal(error.code, 'PROGRAM_REFUSED');
          assert.equal(error.details.reason, reason, error.message);
          if (reason === 'SYNTAX_ERROR') {
            assert.equal(error.details.file, 'entries.js');
            assert.equal(error.details.line, module.split('\n').length - 1);
            assert.match(error.message, /entries\.js:\d+: /);
          }
          return true;
        });
      }
      await assert.rejects(deployApplication(admin, { bundle: good, adapter: 'elsewhere' }), {
        code: 'PROGRAM_REFUSED',
      });
    }
    assert.equal((await (admins[0] as AdminClient).proposals()).length, before);
  });

  test('a node that begins anew has the application with the state', async () => {
    // From here on nodes are killed.
    const args = { name: 'electionTimeoutMs', value: 600 };
    const quick = await (admins[1] as AdminClient).propose([{ name: 'set_policy', args }]);
    await vote(quick.proposalId);
    await network.level();
    const [first, client] = [network.nodes[0], clients[0]];
    const { nodeId = '' } = (await first?.running()) ?? {};
    await first?.kill();
    await network.leader();
    first?.start();
    await first?.rejoined(nodeId);
    const fromSnapshot = ['snapshot.installed', 'snapshot.restoring'];
    await waitUntil(() => fromSnapshot.some((event) => first?.log(event).length), {
      what: 'a beginning from a snapshot',
    });
    await waitUntil(
      () =>
        (client as ApplicationClient).request('/version').then(
          ({ json }) => (json as { version: string }).version === 'v2',
          () => false,
        ),
      { what: 'v2 on the node that began anew' },
    );
  });

  test('an application that is ended by vote answers no more; its records stay', async () => {
    const admin = admins[1] as AdminClient;
    const args = { adapter: 'javascript' };
    const { proposalId } = await admin.propose([{ name: 'remove_application', args }]);
    await vote(proposalId);
    for (const client of clients) {
      await waitUntil(
        () =>
          client.request('/version').then(
            () => false,
            (error: SdkError) => error.code === 'NOT_FOUND',
          ),
        { what: 'the end of v2' },
      );
    }
    assert.equal(await inForce(), undefined);
    await sleep(100);
    await deploy('v3');
    const counted = await waitUntil(
      () =>
        (clients[1] as ApplicationClient).request('/version').then(
          ({ json }) => json as { version: string; entries: number },
          () => undefined,
        ),
      { what: 'v3' },
    );
    assert.equal(counted.version, 'v3');
    assert.ok(counted.entries > 600);
  });

  test('leaders that are killed while the change is on its way leave every node with the same one', async () => {
    const load = new ApplicationLoad(clients, 2, 20);
    let digest = '';
    for (const delayMs of [0, 30, 200]) {
      const leader = await network.leader();
      const { nodeId = '' } = leader.status ?? {};
      const others = network.nodes.filter(({ name }) => name !== leader.name);
      const admin = await network.admin(others[0] as (typeof others)[number]);
      const bundle = bundleOf(`killed-${delayMs}`);
      const deployed = await deployApplication(admin, { bundle });
      const { proposalId } = deployed;
      // One vote is missing; whether it comes to count is open.
      await admin.vote(proposalId, true);
      const own = admins[network.nodes.indexOf(leader)] as AdminClient;
      const deciding = own.vote(proposalId, true).catch(() => undefined);
      await sleep(delayMs);
      await leader.kill();
      await deciding;
      leader.start();
      await leader.rejoined(nodeId);
      await network.level();
      // Only now is all final that the former leader had begun.
      const state = await waitUntil(
        () =>
          admin.proposal(proposalId).then(
            ({ state }) => state,
            () => undefined,
          ),
        { what: 'what became of the vote' },
      );
      if (state === 'accepted') digest = deployed.digest;
      admin.close();
      const versions = async () => {
        const states = await Promise.all(network.nodes.map((node) => runningOn(node)));
        return states.map((found) => `${found?.state} ${found?.digest}`);
      };
      await waitUntil(async () => new Set(await versions()).size === 1, {
        what: 'the same application on every node',
      });
      const [one] = await versions();
      if (digest !== '') assert.equal(one, `running ${digest}`);
    }
    await load.end();
    const { json } = await (clients[0] as ApplicationClient).request('/version', {
      consistency: 'linearizable',
    });
    assert.ok((json as { entries: number }).entries >= load.written.length);
  });

  test('a program of nearly 8 MiB goes the same way, from a node that does not lead', async () => {
    const follower = (await network.followers())[0];
    const admin = await network.admin(follower as (typeof network.nodes)[number]);
    const module = `${source('large')}\n// ${'x'.repeat(7.9 * 1024 * 1024)}\n`;
    const bundle = { ...bundleOf('large'), modules: [{ name: 'entries.js', module }] };
    try {
      const { proposalId, digest } = await deployApplication(admin, { bundle });
      await vote(proposalId);
      await waitUntil(async () => (await inForce()) === digest, { what: 'the large one in force' });
      for (const client of clients) {
        await waitUntil(
          () =>
            client.request('/version').then(
              ({ json }) => (json as { version: string }).version === 'large',
              () => false,
            ),
          { what: 'the large one on every node' },
        );
      }
    } finally {
      admin.close();
    }
  });

  test('the ledger of it all is executed anew by an auditor without a defect', async () => {
    const [node] = network.nodes;
    await network.stop();
    const report = await auditLedger({
      directory: node?.ledgerDirectory ?? '',
      networkCertificate: network.certificate,
    });
    assert.deepEqual(
      report.classes.filter(({ first }) => first),
      [],
    );
  });
});
