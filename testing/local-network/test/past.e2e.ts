import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, suite, test } from 'node:test';
import { setTimeout as pause } from 'node:timers/promises';
import { frontOffice, nodeTuple } from '@concordat/cli';
import { ApplicationClient, type ReceiptJson, SdkError, verifyReceipt } from '@concordat/sdk';
import { guestNode, LocalNetwork, type LocalNode, onlyNewestKey, waitUntil } from '../index.ts';

const source = `
const buf = ccf.strToBuf;
const text = (value) => value === undefined ? null : ccf.bufToStr(value);
const options = (request) => Object.fromEntries(request.query.split('&').map((one) => one.split('=')));
export function put(request) {
  const { key, value } = request.body.json();
  const before = ccf.kv.records.getVersionOfPreviousWrite(buf(key)) ?? null;
  ccf.kv.records.set(buf(key), buf(value));
  return { body: { before } };
}
export function version(request) {
  return { body: { version: ccf.kv.records.getVersionOfPreviousWrite(buf(options(request).key)) ?? null } };
}
const shown = ({ transactionId, receipt, kv }) => {
  const records = {};
  kv.records.forEach((value, key) => { records[text(key)] = text(value); });
  return { transactionId, receipt, records };
};
export const past = () => ({ body: shown(ccf.historicalState) });
export function written(request) {
  const { upTo, seqnosOf } = concordat.index('byKey');
  return { body: { upTo, seqnos: seqnosOf(buf(options(request).key)) } };
}
export function range(request) {
  const { from, to } = options(request);
  const states = ccf.historical.getStateRange(Number(from) % 4294967296, Number(from), Number(to), 60);
  if (states === null) return { statusCode: 202, headers: { 'retry-after': '1' } };
  return { body: states.map(shown) };
}
`;

const endpoint = (js_function: string, mode: string) => ({
  js_module: 'main.js',
  js_function,
  mode,
  authn_policies: ['user_cert'],
});

const bundle = {
  metadata: {
    endpoints: {
      '/records': { post: endpoint('put', 'readwrite') },
      '/version': { get: endpoint('version', 'readonly') },
      '/written': { get: endpoint('written', 'readonly') },
      '/past': { get: endpoint('past', 'historical') },
      '/range': { get: endpoint('range', 'readonly') },
    },
    concordat: { indexes: { byKey: { map: 'records' } } },
  },
  modules: [{ name: 'main.js', module: source }],
};

interface State {
  readonly transactionId: string;
  readonly receipt: ReceiptJson;
  readonly records: Readonly<Record<string, string>>;
}

const seqnoOf = (id: string): number => Number(id.split('.')[1]);

/** What three organisations, and a node that came later, know of what was. */
suite('the past of an application', { concurrency: false }, () => {
  let network: LocalNetwork;
  let guest: LocalNode | undefined;
  let directory: string;
  const clients = new Map<string, ApplicationClient>();
  /** What was written first, before any snapshot. */
  const first: { id: string; key: string; value: string }[] = [];
  /** Transactions that wrote `early1`. */
  const written: string[] = [];

  const client = async (node: LocalNode): Promise<ApplicationClient> => {
    let found = clients.get(node.name);
    if (!found) {
      found = new ApplicationClient({
        address: `127.0.0.1:${node.ports.application}`,
        networkCertificate: network.certificate,
        identity: await network.identity(frontOffice),
      });
      clients.set(node.name, found);
    }
    return found;
  };

  const put = async (node: LocalNode, key: string, value: string) => {
    const answer = await (await client(node)).request('/records', { json: { key, value } });
    const { before: version } = answer.json as { before: number | null };
    return { id: answer.transactionId as string, key, value, before: version };
  };

  /** The answer, once it is more than a 202. */
  const get = async (node: LocalNode, path: string): Promise<unknown> => {
    const one = await client(node);
    return waitUntil(
      async () => {
        const { status, json } = await one.request(path, { safe: false, method: 'GET' });
        return status === 202 ? undefined : { json };
      },
      { what: `${path} of ${node.name}` },
    ).then(({ json }) => json);
  };

  const refusal = async (node: LocalNode, path: string): Promise<string> => {
    const one = await client(node);
    const asked = one.request(path, { safe: false, method: 'GET' });
    const error = await asked.then(
      () => assert.fail(`${path} was answered`),
      (thrown: unknown) => thrown,
    );
    assert.ok(error instanceof SdkError, String(error));
    return error.code;
  };

  /** Every node that is up, the one that came later included. */
  const everyNode = (): LocalNode[] => [...network.nodes, ...(guest ? [guest] : [])];

  const proves = (state: State): void => {
    const verdict = verifyReceipt(state.receipt, network.certificate);
    assert.ok(verdict.ok, JSON.stringify(verdict));
    assert.equal(verdict.transactionId, state.transactionId);
  };

  const knowsTheFirst = async (node: LocalNode): Promise<void> => {
    for (const { id, key, value } of first) {
      const state = (await get(node, `/past?transaction_id=${id}`)) as State;
      assert.equal(state.transactionId, id);
      assert.deepEqual(state.records, { [key]: value }, node.name);
      proves(state);
    }
  };

  before(async () => {
    directory = mkdtempSync(join(tmpdir(), 'concordat-past-'));
    const file = join(directory, 'bundle.json');
    writeFileSync(file, JSON.stringify(bundle));
    network = await LocalNetwork.start({
      workerImage: 'application',
      adapters: { javascript: {} },
      genesisData: { javascript: file },
      policies: { snapshotBlocks: 30, sessionKeyTtl: 0 },
    });
    const [vn1] = network.nodes as [LocalNode];
    for (let at = 0; at < 3; at++) first.push(await put(vn1, `early${at}`, `value ${at}`));
    written.push(first[1]?.id as string);
  });

  after(async () => {
    for (const one of clients.values()) one.connection.close();
    await network?.end();
    rmSync(directory, { recursive: true, force: true });
  });

  test('every node shows the state of an early transaction, with a receipt that verifies', async () => {
    await network.level();
    for (const node of network.nodes) await knowsTheFirst(node);
  });

  test('a range is whole on every node, what others wrote in between included', async () => {
    const [vn1] = network.nodes as [LocalNode];
    const ids: string[] = [];
    for (let at = 0; at < 20; at++) ids.push((await put(vn1, 'ranged', `${at}`)).id);
    await network.level();
    const [from, to] = [seqnoOf(first[0]?.id as string), seqnoOf(ids.at(-1) as string)];
    const answers: State[][] = [];
    for (const node of network.nodes) {
      const states = (await get(node, `/range?from=${from}&to=${to}`)) as State[];
      assert.equal(states.length, to - from + 1);
      states.forEach((state, at) => {
        assert.equal(seqnoOf(state.transactionId), from + at);
        proves(state);
      });
      const ranged = states.filter(({ records }) => 'ranged' in records);
      assert.deepEqual(
        ranged.map(({ transactionId }) => transactionId),
        ids,
      );
      answers.push(states);
    }
    assert.deepEqual(answers[1], answers[0]);
    assert.deepEqual(answers[2], answers[0]);
  });

  /** On every node the index leads to all that was written to a key, from the first block on. */
  async function indexesAreWhole(): Promise<void> {
    const [vn1] = network.nodes as [LocalNode];
    written.push((await put(vn1, 'early1', 'again')).id);
    const expected = written.map(seqnoOf);
    for (const node of everyNode()) {
      const ask = async (): Promise<boolean> => {
        const found = (await get(node, '/written?key=early1')) as {
          upTo: number;
          seqnos: number[];
        };
        if (found.upTo < (expected.at(-1) as number)) return false;
        assert.deepEqual(found.seqnos, expected, node.name);
        return true;
      };
      await waitUntil(ask, { what: `the index of ${node.name}` });
    }
  }

  test('an index knows on every node who wrote a key', async () => {
    await indexesAreWhole();
  });

  test('ids that are none, of the future and of lost views, and ranges too long', async () => {
    const { id } = first[0] as { id: string };
    const [view, seqno] = id.split('.').map(Number) as [number, number];
    for (const node of network.nodes) {
      for (const none of ['', 'x', '1', '1.2.3', '-1.2', '2.0', '2.99999999999999999999999']) {
        assert.equal(await refusal(node, `/past?transaction_id=${none}`), 'INVALID_PARAMETER');
      }
      const far = `/past?transaction_id=${view + 7}.${2 ** 50}`;
      assert.equal(await refusal(node, far), 'TRANSACTION_NOT_COMMITTED');
      for (const lost of [
        `${view + 7}.${seqno}`,
        `${view - 1}.${seqno}`,
        `${view - 1}.${2 ** 50}`,
      ]) {
        const code = await refusal(node, `/past?transaction_id=${lost}`);
        // No application's transaction has view 0, which is no id at all.
        const expected = lost.startsWith('0.') ? 'INVALID_PARAMETER' : 'TRANSACTION_NOT_FOUND';
        assert.equal(code, expected, lost);
      }
      assert.equal(await refusal(node, '/range?from=1&to=1001'), 'APPLICATION_FAILED');
      assert.equal(await refusal(node, '/range?from=5&to=4'), 'APPLICATION_FAILED');
      const future = await (await client(node)).request(`/range?from=${2 ** 40}&to=${2 ** 40 + 1}`);
      assert.equal(future.status, 202);
    }
  });

  test('the past of an epoch whose key is gone is opened by shares', async () => {
    const [vn1, vn2] = network.nodes as [LocalNode, LocalNode];
    const admin = await network.admin(vn1);
    const isShared = async (): Promise<boolean> => {
      const sharing = (await admin.sharedKeys()).keys[0]?.sharings.at(-1);
      return sharing?.threshold === 2 && sharing.holders.length === 3;
    };
    await waitUntil(isShared, { what: 'a shared key of two of three' });
    const { proposalId } = await admin.propose([{ name: 'begin_epoch', args: {} }]);
    await admin.vote(proposalId, true).finally(() => admin.close());
    const voter = await network.admin(vn1, vn2.organisation);
    const { state } = await voter.vote(proposalId, true).finally(() => voter.close());
    assert.equal(state, 'accepted');
    await network.level();
    for (const node of network.nodes) await onlyNewestKey(network, node);
    // Another range than before: those asked for lately are kept in plaintext.
    const [from, to] = [first[0], first[1]].map((one) => seqnoOf(one?.id as string));
    for (const node of network.nodes) {
      const afterMs = Date.now();
      const states = (await get(node, `/range?from=${from}&to=${to}`)) as State[];
      assert.deepEqual(states[0]?.records, { early0: 'value 0' });
      for (const one of states) proves(one);
      await node.logged('keys.collected', { afterMs });
    }
  });

  test('a node that joined from a snapshot knows the same past, and the same versions', async () => {
    const [vn1] = network.nodes as [LocalNode];
    for (let at = 0; at < 60; at++) await put(vn1, `filler${at}`, 'x');
    await vn1.logged('snapshot.usable');
    const joiner = await guestNode(network, { name: 'vn4', organisation: vn1.organisation });
    joiner.start();
    const status = await joiner.waitFor(
      ({ phase, reason = '' }) => phase === 'joining' && reason.startsWith('NODE_NOT_ADMITTED'),
      { what: 'vn4 to ask for admission' },
    );
    const admin = await network.admin(vn1);
    const args = nodeTuple(await network.identity(vn1.organisation), status);
    const action = { name: 'add_node', args };
    const { proposalId } = await admin.propose([action as never]).finally(() => admin.close());
    for (const node of network.nodes) {
      const voter = await network.admin(vn1, node.organisation);
      const { state } = await voter.vote(proposalId, true).finally(() => voter.close());
      if (state === 'accepted') break;
    }
    await joiner.running();
    await joiner.logged('snapshot.installed');
    guest = joiner;
    await knowsTheFirst(joiner);
    await sameVersions();
    await indexesAreWhole();
  });

  /** Versions of keys written before and after snapshots are the same everywhere, and right. */
  async function sameVersions(): Promise<void> {
    const [vn1] = network.nodes as [LocalNode];
    const last = await put(vn1, 'newest', 'x');
    const expected = [...first.filter(({ key }) => key !== 'early1'), last];
    for (const node of everyNode()) {
      for (const { key, id } of expected) {
        const ask = async (): Promise<boolean> => {
          const { version } = (await get(node, `/version?key=${key}`)) as {
            version: number | null;
          };
          return version === seqnoOf(id);
        };
        await waitUntil(ask, { what: `${node.name} to know the version of ${key}` });
      }
      const { version } = (await get(node, '/version?key=never')) as { version: null };
      assert.equal(version, null);
    }
  }

  test('writers of one key on all nodes make a chain of versions, while the leader is killed', async () => {
    const leader = await network.leader();
    const others = everyNode().filter((node) => node !== leader);
    const done: { seqno: number; before: number | null }[] = [];
    let isOver = false;
    const write = async (node: LocalNode): Promise<void> => {
      while (!isOver) {
        const answer = await put(node, 'chain', node.name).catch((error: unknown) => {
          if (!(error instanceof SdkError)) throw error;
        });
        if (answer) done.push({ seqno: seqnoOf(answer.id), before: answer.before });
        else await pause(50);
      }
    };
    const writers = others.flatMap((node) => [write(node), write(node), write(node)]);
    await waitUntil(() => done.length > 20, { what: 'writes before the fall' });
    const former = leader.status?.nodeId as string;
    leader.signal('manager', 'SIGKILL');
    await leader.rejoined(former);
    const count = done.length;
    await waitUntil(async () => done.length > count + 20, { what: 'writes after the fall' });
    isOver = true;
    await Promise.all(writers);
    const bySeqno = done.toSorted((a, b) => a.seqno - b.seqno);
    const seqnos = new Set(bySeqno.map(({ seqno }) => seqno));
    assert.equal(seqnos.size, bySeqno.length);
    let gaps = 0;
    for (const [at, { before: version }] of bySeqno.entries()) {
      const previous = bySeqno[at - 1]?.seqno ?? 0;
      // A write whose outcome nobody was told may stand in between.
      assert.ok((version ?? 0) >= previous, `${version} before ${previous}`);
      if ((version ?? 0) !== previous) gaps += 1;
    }
    assert.ok(gaps <= writers.length, `${gaps} gaps in ${bySeqno.length} writes`);
    await sameVersions();
    await knowsTheFirst(leader);
    await indexesAreWhole();
  });
});
