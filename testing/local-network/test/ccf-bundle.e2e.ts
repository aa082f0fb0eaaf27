import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { createHash, generateKeyPairSync, sign } from 'node:crypto';
import { cpSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, suite, test } from 'node:test';
import { frontOffice } from '@concordat/cli';
import {
  type CborKey,
  type CborValue,
  coseHeaders,
  fromPem,
  type SigningKey,
  signCose,
} from '@concordat/crypto';
import { verifyCoseReceipt } from '@concordat/ledger';
import {
  type ApplicationClient,
  examineReceipt,
  type Identity,
  SdkError,
  verifyReceipt,
} from '@concordat/sdk';
import { utf8 } from '@concordat/std';
import { LocalNetwork, waitUntil } from '../index.ts';

const root = join(import.meta.dirname, '../../..');
const sample = join(import.meta.dirname, 'ccf-sample');
const issuer = 'https://issuer.example';
const rsa = generateKeyPairSync('rsa', { modulusLength: 2048 });

/**
 * The sample is built as applications for CCF are: modules with what they import of
 * `@microsoft/ccf-app`, then its own `ccf-build-bundle`, whose output is what is deployed.
 */
function buildBundle(directory: string): string {
  const sources = readdirSync(join(sample, 'src')).map((name) => join(sample, 'src', name));
  const modules = [...sources, '--bundle', '--format=esm', '--splitting', '--log-level=error'];
  const esbuild = join(root, 'node_modules/.bin/esbuild');
  execFileSync(esbuild, [...modules, `--outdir=${join(directory, 'src')}`]);
  cpSync(join(sample, 'app.json'), join(directory, 'app.json'));
  const script = join(root, 'node_modules/@microsoft/ccf-app/scripts/build_bundle.js');
  execFileSync(process.execPath, [script, directory]);
  return join(directory, 'bundle.json');
}

const part = (value: unknown): string => Buffer.from(JSON.stringify(value)).toString('base64url');

function token(seconds: number, header: object = { alg: 'RS256', kid: 'k1' }): string {
  const now = Math.floor(Date.now() / 1000);
  const text = `${part(header)}.${part({ iss: issuer, nbf: now - 60, exp: now + seconds, sub: 'eve' })}`;
  return `${text}.${sign('sha256', Buffer.from(text), rsa.privateKey).toString('base64url')}`;
}

const bearer = (seconds = 600) => ({ headers: { authorization: `Bearer ${token(seconds)}` } });

suite('an application for CCF runs unchanged', { concurrency: false }, () => {
  let directory: string;
  let network: LocalNetwork;
  let office: ApplicationClient;
  let member: ApplicationClient;
  let identity: Identity;
  let memberIdentity: Identity;

  before(async () => {
    directory = mkdtempSync(join(tmpdir(), 'concordat-ccf-'));
    network = await LocalNetwork.start({
      workerImage: 'application',
      genesisData: { javascript: buildBundle(directory) },
    });
    const [first, second] = network.nodes.map(({ name }) => name) as [string, string];
    office = await network.sandbox.application(second, frontOffice);
    member = await network.sandbox.application(first, network.sandbox.first.organisation);
    identity = await network.sandbox.identity(frontOffice);
    memberIdentity = await network.sandbox.identity(network.sandbox.first.organisation);
  });

  after(async () => {
    for (const one of [office, member]) one?.connection.close();
    await network?.end();
    rmSync(directory, { recursive: true, force: true });
  });

  async function pass(name: string, args: Record<string, unknown>): Promise<void> {
    const [first, ...others] = network.sandbox.nodes;
    if (first === undefined) throw new Error('a network without nodes');
    const proposer = await network.sandbox.admin(first.name, first.organisation);
    const proposed = await proposer
      .propose([{ name, args }] as never)
      .finally(() => proposer.close());
    for (const voter of [first, ...others]) {
      const admin = await network.sandbox.admin(voter.name, voter.organisation);
      const { state } = await admin.vote(proposed.proposalId, true).finally(() => admin.close());
      if (state === 'accepted') return;
    }
    throw new Error(`${name} was not accepted`);
  }

  async function refused(request: Promise<unknown>): Promise<SdkError> {
    const error = await request.then(
      () => undefined,
      (reason: unknown) => reason,
    );
    assert.ok(error instanceof SdkError, String(error));
    return error;
  }

  test('typed maps, sets and converters keep what they are given', async () => {
    const path = '/app/rooms/blue/notes';
    const first = await office.request(path, { json: { text: 'one' } });
    assert.deepEqual(first.json, { number: 1, writers: 1 });
    assert.equal(first.headers['x-room'], 'blue');
    await office.request(path, { json: { text: 'two' } });
    const { json } = await office.request(path, { consistency: 'linearizable' });
    const found = [
      { number: 1, text: 'one' },
      { number: 2, text: 'two' },
    ];
    assert.deepEqual(json, { found, policy: 'user_cert' });
    const empty = await refused(office.request(path, { json: { text: '' } }));
    assert.equal(empty.code, 'UNEXPECTED_ANSWER');
  });

  test('a token counts from when members trust its issuer', async () => {
    const path = '/app/rooms/blue/notes/1';
    const before = await refused(office.request(path, bearer()));
    assert.equal(before.code, 'POLICY_NOT_MET');
    assert.deepEqual(before.details.list, [
      {
        auth_policy: 'jwt',
        code: 'TOKEN_KEY_UNKNOWN',
        message: 'its kid is that of no key of a trusted issuer',
      },
    ]);
    const jwks = { keys: [{ ...rsa.publicKey.export({ format: 'jwk' }), kid: 'k1' }] };
    await pass('set_jwt_issuer', { issuer, jwks });
    await waitUntil(() => office.request(path, bearer()).then(Boolean, () => false), {
      what: 'the node to know the issuer',
    });
    const { json } = await office.request(path, bearer());
    assert.deepEqual(json, { author: identity.actorId, text: 'one' });
    const late = await refused(office.request(path, bearer(-31)));
    assert.match(JSON.stringify(late.details), /TOKEN_EXPIRED/);
  });

  test('all_of shows every identity, and a write is judged again by the leader', async () => {
    const { json } = await office.request('/app/caller', bearer());
    const caller = json as Record<string, Record<string, unknown>>;
    assert.deepEqual(caller.policy, ['any_cert', 'jwt']);
    const { actorId: id, certificateDer } = identity;
    assert.equal(caller.any_cert?.id, id);
    assert.deepEqual(fromPem(String(caller.any_cert?.cert))[0], Buffer.from(certificateDer));
    assert.match(JSON.stringify(caller.jwt), new RegExp(`"keyIssuer":"${issuer}"`));
    for (const node of network.nodes) {
      const client = await network.sandbox.application(node.name, frontOffice);
      const written = await client.request('/app/rooms/red/notes', { json: { text: node.name } });
      const { number } = written.json as { number: number };
      const removed = await client
        .request(`/app/rooms/red/notes/${number}`, { method: 'DELETE', ...bearer() })
        .finally(() => client.connection.close());
      assert.equal(removed.status, 204);
    }
  });

  test('a signed body names its signer, whoever sends it', async () => {
    const signed = (key: SigningKey | undefined, kid: string): Uint8Array => {
      assert.ok(key);
      const protectedHeaders = new Map<CborKey, CborValue>([[coseHeaders.kid, utf8(kid)]]);
      return signCose({ protectedHeaders, payload: utf8('I say so'), key });
    };
    const send = (body: Uint8Array) => office.request('/app/signed', { body });
    const user = await send(signed(identity.signingKey, identity.actorId));
    const content = 'I say so';
    assert.deepEqual(user.json, { policy: 'user_cose_sign1', id: identity.actorId, content });
    const { actorId } = memberIdentity;
    const other = await send(signed(memberIdentity.signingKey, actorId));
    assert.equal((other.json as { id: string }).id, actorId);
    const forged = await refused(send(signed(identity.signingKey, actorId)));
    assert.match(JSON.stringify(forged.details), /BODY_SIGNATURE_INVALID/);
  });

  test('the application port gives receipts in both forms, and says when there is none yet', async () => {
    const text = 'worth proving';
    const written = await office.request('/app/rooms/blue/notes', { json: { text } });
    const id = String(written.transactionId);
    await network.level();
    const path = `/app/receipt?transaction_id=${id}`;
    const { networkCertificate } = network.sandbox;
    const claims = createHash('sha256').update(text).digest('hex');
    for (const client of [office, member]) {
      const json = await client.request(path);
      const verdict = verifyReceipt(json.json, networkCertificate);
      assert.ok(verdict.ok, JSON.stringify(verdict));
      assert.deepEqual([verdict.transactionId, verdict.claimsDigest], [id, claims]);
      for (const request of [
        client.request(`${path}&format=cose`),
        client.request(path, { headers: { accept: 'application/cose' } }),
      ]) {
        const { body, headers } = await request;
        assert.equal(headers['content-type'], 'application/cose');
        const signed = verifyCoseReceipt(body, networkCertificate);
        assert.ok(signed.ok, JSON.stringify(signed));
        assert.deepEqual([signed.transactionId, signed.root], [id, verdict.root]);
      }
    }
    const { name: leader } = await network.leader();
    const admin = await network.sandbox.admin(leader, frontOffice);
    const proof = await admin.coseReceipt(id).finally(() => admin.close());
    assert.deepEqual(examineReceipt(proof, networkCertificate).form, 'cose');
    const many = Array.from({ length: 40 }, () => member.request(`${path}&format=cose`));
    for (const { body } of await Promise.all(many)) {
      assert.ok(verifyCoseReceipt(body, networkCertificate).ok);
    }
    const [view, seqno] = id.split('.').map(Number) as [number, number];
    const early = await office.connection.request({
      path: `/app/receipt?transaction_id=${view}.${seqno + 1_000_000}`,
    });
    assert.equal(early.status, 202);
    assert.equal(early.headers['retry-after'], '1');
    const ask = (what: string) => refused(office.request(`/app/receipt?${what}`));
    assert.equal((await ask(`transaction_id=${view + 7}.${seqno}`)).code, 'TRANSACTION_NOT_FOUND');
    for (const bad of ['', 'transaction_id=2', `transaction_id=${id}&format=xml`]) {
      assert.equal((await ask(bad)).code, 'INVALID_PARAMETER', bad);
    }
  });

  test('the document of the interface and the history of views are served', async () => {
    const { json } = await office.request('/app/api');
    const { openapi, paths } = json as { openapi: string; paths: Record<string, object> };
    assert.match(openapi, /^3\.0\./);
    const shown = ['/rooms/{room}/notes', '/rooms/{room}/notes/{number}', '/caller'];
    assert.deepEqual(Object.keys(paths), [...shown, '/commit', '/tx', '/receipt', '/api']);
    const commit = async (query: string) =>
      (await office.request(`/app/commit${query}`)).json as { view_history?: number[] };
    const whole = (await commit('?view_history=true')).view_history ?? [];
    assert.equal(whole[0], 1);
    const last = await commit(`?view_history_since=${whole.length}`);
    assert.deepEqual(last.view_history, whole.slice(-1));
    assert.equal((await commit('')).view_history, undefined);
    const beyond = await refused(office.request('/app/commit?view_history_since=999999'));
    assert.equal(beyond.code, 'NOT_FOUND');
    for (const bad of ['view_history=yes', 'view_history_since=0', 'view_history_since=x']) {
      const error = await refused(office.request(`/app/commit?${bad}`));
      assert.equal(error.code, 'INVALID_PARAMETER', bad);
    }
  });

  test('an issuer that is trusted no more ends its tokens on every node', async () => {
    await pass('remove_jwt_issuer', { issuer });
    for (const { name } of network.nodes) {
      const client = await network.sandbox.application(name, frontOffice);
      const request = () => client.request('/app/rooms/blue/notes/1', bearer());
      await waitUntil(
        () =>
          request().then(
            () => false,
            (error: unknown) => error instanceof SdkError && error.code === 'POLICY_NOT_MET',
          ),
        { what: `${name} to refuse the token` },
      ).finally(() => client.connection.close());
    }
  });

  test('receipts and the history of views outlive the leader that made them', async () => {
    const written = await office.request('/app/rooms/green/notes', { json: { text: 'kept' } });
    const { name: leader } = await network.leader();
    const [survivor] = network.nodes.map(({ name }) => name).filter((name) => name !== leader);
    await network.node(leader).kill();
    const client = await network.sandbox.application(survivor as string, frontOffice);
    const note = () => client.request('/app/rooms/green/notes', { json: { text: 'after' } });
    await waitUntil(() => note().then(Boolean, () => false), { what: 'another leader' });
    const later = await note();
    const { networkCertificate } = network.sandbox;
    for (const { transactionId } of [written, later]) {
      const path = `/app/receipt?transaction_id=${transactionId}&format=cose`;
      const verdict = verifyCoseReceipt((await client.request(path)).body, networkCertificate);
      assert.equal(verdict.ok && verdict.transactionId, transactionId);
    }
    const { json } = await client.request('/app/commit?view_history=true');
    const views = (json as { view_history: number[] }).view_history;
    const [view, seqno] = String(later.transactionId).split('.').map(Number) as [number, number];
    // Another one may have come since.
    assert.ok(views.length >= view);
    const began = views[view - 1] as number;
    assert.ok(began <= seqno && began > 1);
    client.connection.close();
  });
});
