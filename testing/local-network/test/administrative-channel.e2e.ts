import assert from 'node:assert/strict';
import { createHash, randomBytes } from 'node:crypto';
import { after, before, describe, it, test } from 'node:test';
import {
  type AdministrativeOperation,
  administrativeOpenApi,
  administrativeOperations,
  adminPaths,
  coseMediaType,
  deploymentMediaType,
} from '@concordat/api';
import { frontOffice } from '@concordat/cli';
import { type Answer, Connection, type Identity } from '@concordat/sdk';
import { Validator } from '@seriousme/openapi-schema-validator';
import { Ajv2020, type ValidateFunction } from 'ajv/dist/2020.js';
import { LocalNetwork, type LocalNode } from '../index.ts';

let network: LocalNetwork;
let vn1: LocalNode;
let participant: Identity;
/** The channel as a participant and as a member. */
let channel: Connection;
let members: Connection;
/** Of a committed transaction, and of a proposal that is open. */
let transactionId: string;
let proposalId: string;

before(async () => {
  network = await LocalNetwork.start();
  [vn1] = network.nodes as [LocalNode];
  participant = await network.identity(frontOffice);
  channel = open(participant);
  members = open(await network.identity(vn1.organisation));
  const admin = await network.admin(vn1);
  const action = { name: 'set_policy', args: { name: 'maxBatchDelayMs', value: 7 } } as const;
  ({ proposalId, transactionId } = await admin.propose([action]));
  admin.close();
  await network.level();
});

after(async () => {
  channel?.close();
  members?.close();
  await network?.end();
});

/** The administrative channel of the first node, as somebody or nobody. */
function open(identity: Identity | undefined): Connection {
  return new Connection({
    address: `127.0.0.1:${vn1.ports.admin}`,
    networkCertificate: network.certificate,
    ...(identity && { identity }),
  });
}

/** The path of an operation with parameters that fit. */
function asked({ path, parameters = [] }: AdministrativeOperation): string {
  const values: Record<string, string> = {
    transaction_id: transactionId,
    proposalId,
    digest: '0'.repeat(64),
    nonce: randomBytes(32).toString('hex'),
  };
  const query = parameters
    .filter((one) => one.in === 'query' && one.required)
    .map(({ name }) => `${name}=${values[name]}`);
  const filled = path.replace(/\{(\w+)\}/g, (_, name: string) => values[name] as string);
  return query.length > 0 ? `${filled}?${query.join('&')}` : filled;
}

const json = (answer: Answer): unknown => JSON.parse(answer.body.toString('utf8'));

const document = administrativeOpenApi() as {
  components: { schemas: object };
  paths: Record<string, Record<string, { responses: Record<string, { description: string }> }>>;
};
const ajv = new Ajv2020({ strict: false, allErrors: true });
ajv.addSchema(document, 'document');

/** Says what of a body does not fit the schema of that name. */
function misfits(schema: string, body: unknown): unknown[] {
  const validate = ajv.getSchema(`document#/components/schemas/${schema}`) as ValidateFunction;
  return validate(body) ? [] : (validate.errors ?? []);
}

/** An error answer has the documented form, and its code is documented for this operation. */
function requireDocumented(operation: AdministrativeOperation, answer: Answer): string {
  const body = json(answer) as { error: { code: string } };
  assert.deepEqual(misfits('Error', body), []);
  const responses = document.paths[operation.path]?.[operation.method]?.responses;
  const codes = responses?.[String(answer.status)]?.description.split(', ') ?? [];
  const where = `${operation.id} answers ${answer.status} ${body.error.code}`;
  assert.ok(codes.includes(body.error.code), `${where}, which is not documented`);
  return body.error.code;
}

test('the document is valid OpenAPI 3.1, and the node serves this very one', async () => {
  const served = json(await channel.request({ path: adminPaths.openApi })) as typeof document;
  assert.deepEqual(served, JSON.parse(JSON.stringify(document)));
  const verdict = await new Validator().validate(served);
  assert.deepEqual(verdict.errors ?? [], []);
  assert.ok(verdict.valid);
});

test('every path of the channel is in the document', () => {
  const documented = administrativeOperations.map(({ path }) => path.replace(/\/\{.*/, ''));
  assert.deepEqual(new Set(documented), new Set(Object.values(adminPaths)));
});

describe('what the node answers is what the document says', () => {
  const notHere = new Set(['getRecovery', 'getRecoveryOffer', 'getProgram', 'watch']);

  for (const operation of administrativeOperations) {
    const { id, method, gives } = operation;
    if (method === 'get' && !notHere.has(id)) {
      it(`${id}`, async () => {
        const answer = await channel.request({ path: asked(operation) });
        assert.equal(answer.status, 200, answer.body.toString());
        const mediaType = answer.headers['content-type']?.split(';')[0];
        if (typeof gives !== 'string') assert.ok(gives.includes(mediaType as string));
        else {
          assert.equal(mediaType, 'application/json');
          assert.deepEqual(misfits(gives, json(answer)), []);
        }
      });
    }
    if (notHere.has(id) && id !== 'watch') {
      it(`${id}, of which there is nothing`, async () => {
        const answer = await channel.request({ path: asked(operation) });
        requireDocumented(operation, answer);
      });
    }
    it(`${id}, by another method`, async () => {
      const answer = await channel.request({ path: asked(operation), method: 'DELETE' });
      assert.equal(answer.status, 405);
      assert.equal(requireDocumented(operation, answer), 'METHOD_NOT_ALLOWED');
    });
    it(`${id}, by nobody`, async () => {
      const nobody = open(undefined);
      const ask = nobody.request({ path: asked(operation), method: method.toUpperCase() });
      if (operation.from === 'anybody') assert.equal((await ask).status, 200);
      else {
        const answer = await ask;
        assert.equal(answer.status, 401);
        const { code } = (json(answer) as { error: { code: string } }).error;
        assert.equal(code, 'CLIENT_CERTIFICATE_REQUIRED');
      }
      nobody.close();
    });
  }

  it('a COSE receipt', async () => {
    const path = `${adminPaths.receipt}?transaction_id=${transactionId}&format=cose`;
    const answer = await channel.request({ path });
    assert.equal(answer.headers['content-type'], coseMediaType);
  });

  it('parameters that are none', async () => {
    for (const operation of administrativeOperations) {
      const { parameters = [], path, method, id } = operation;
      if (id === 'getRecoveryOffer') continue;
      const required = parameters.filter((one) => one.in === 'query' && one.required);
      for (const { name } of required) {
        for (const value of ['', '%00', '../..', '9'.repeat(40), '1.1.1', '-1', '%F0%28%8C']) {
          const answer = await channel.request({ path: `${path}?${name}=${value}`, method: 'GET' });
          assert.equal(answer.status, 400, `${method} ${path}?${name}=${value}`);
          assert.equal(requireDocumented(operation, answer), 'INVALID_PARAMETER');
        }
      }
    }
  });
});

/** Bodies that are wrong in all the ways that come to mind. */
function hostileBodies(): Map<string, Buffer> {
  const deep = (open: string, close: string, levels: number) =>
    Buffer.from(open.repeat(levels) + close.repeat(levels));
  const random = createHash('sha512').update('hostile').digest();
  return new Map([
    ['nothing', Buffer.alloc(0)],
    ['a byte', Buffer.of(0)],
    ['random bytes', Buffer.concat(Array.from({ length: 100 }, () => random))],
    ['JSON of another kind', Buffer.from('[null,true,1e400,""]')],
    ['a prototype', Buffer.from('{"__proto__":{"message":"AA==","sealed":"AA=="}}')],
    ['a constructor', Buffer.from('{"constructor":{"prototype":{"message":1}}}')],
    ['unknown fields', Buffer.from('{"message":"AA==","sealed":"AA==","more":1}')],
    ['fields of another type', Buffer.from('{"message":{"a":1},"sealed":[1,2]}')],
    ['huge numbers', Buffer.from(`{"message":${'9'.repeat(10_000)},"sealed":-1e-400}`)],
    [
      'invalid UTF-8',
      Buffer.from('7b226d657373616765223a22ff fe80c0af227d'.replace(' ', ''), 'hex'),
    ],
    ['lone surrogates', Buffer.from('{"message":"\\ud800","sealed":"\\udfff"}')],
    ['deep JSON lists', deep('[', ']', 100_000)],
    ['deep JSON objects', deep('{"a":', '}', 20_000)],
    ['deep CBOR lists', Buffer.concat([Buffer.alloc(200_000, 0x81), Buffer.of(0)])],
    ['deep CBOR tags', Buffer.concat([Buffer.alloc(200_000, 0xd2), Buffer.of(0xf6)])],
    ['CBOR of endless length', Buffer.from('9fff5f', 'hex')],
    ['a CBOR list of 2^32 items', Buffer.from('d29affffffff', 'hex')],
    ['a CBOR text of 2^63 bytes', Buffer.from('d2847b7fffffffffffffff', 'hex')],
    ['COSE without headers', Buffer.from('d28440a04040', 'hex')],
    ['COSE with a map for payload', Buffer.from('d28440a0a040', 'hex')],
    ['a deployment of no message', Buffer.from('0000000041', 'hex')],
    ['a deployment longer than itself', Buffer.from('ffffffff41', 'hex')],
  ]);
}

describe('hostile bodies are refused by code, and nothing is stored', () => {
  const posts = administrativeOperations.filter(({ method }) => method === 'post');

  for (const operation of posts) {
    it(operation.id, async () => {
      const before = await stored();
      const takes = operation.takes as string;
      for (const [what, body] of hostileBodies()) {
        const answer = await members.request({
          path: operation.path,
          method: 'POST',
          headers: { 'content-type': takes },
          body,
        });
        assert.ok(answer.status >= 400 && answer.status < 500, `${what}: ${answer.status}`);
        requireDocumented(operation, answer);
      }
      for (const mediaType of ['text/plain', 'application/json;x', '', 'x'.repeat(1_000)]) {
        if (takes === 'application/json') continue;
        const answer = await members.request({
          path: operation.path,
          method: 'POST',
          headers: { 'content-type': mediaType },
          body: Buffer.of(1),
        });
        assert.equal(requireDocumented(operation, answer), 'UNSUPPORTED_MEDIA_TYPE');
      }
      assert.deepEqual(await stored(), before, 'something was stored');
    });
  }

  it('bodies beyond the limit, said and unsaid', async () => {
    const limits = new Map([
      [coseMediaType, 300_000],
      [deploymentMediaType, 9 * 1024 * 1024],
      ['application/json', 49 * 1024 * 1024],
    ]);
    for (const operation of posts) {
      const body = Buffer.alloc(limits.get(operation.takes as string) as number, 0x20);
      const asking = open(participant);
      const answer = await asking
        .request({
          path: operation.path,
          method: 'POST',
          headers: { 'content-type': operation.takes as string },
          body,
          timeoutMs: 60_000,
        })
        .catch((error: unknown) => (error as { code: string }).code);
      asking.close();
      // The refusal may come while the body is still being sent: then its connection just ends.
      if (typeof answer === 'string') assert.equal(answer, 'CONNECTION_LOST', operation.id);
      else {
        const code = requireDocumented(operation, answer);
        const expected = /PAYLOAD_TOO_LARGE|NOT_A_MEMBER|NETWORK_NOT_RECOVERING/;
        assert.match(code, expected, operation.id);
      }
    }
  });

  it('and the node is as well as before', async () => {
    const { phase } = json(await channel.request({ path: adminPaths.state })) as { phase: string };
    assert.equal(phase, 'ready');
    assert.equal(vn1.log('enclaves.launched').length, 1);
  });
});

/** What messages of members could have changed; key ceremonies go on meanwhile. */
async function stored(): Promise<unknown[]> {
  const { constitution, proposals, keys } = adminPaths;
  const read = async (path: string) => json(await channel.request({ path }));
  const { keys: shared } = (await read(keys)) as {
    keys: { sharings: { holders: { copies: number }[] }[] }[];
  };
  const holders = shared.flatMap(({ sharings }) => sharings.flatMap((one) => one.holders));
  const copies = holders.reduce((sum, holder) => sum + holder.copies, 0);
  return [await read(constitution), await read(proposals), copies];
}
