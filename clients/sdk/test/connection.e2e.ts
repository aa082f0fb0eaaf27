import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { after, test } from 'node:test';
import { createSigningKey, issueCertificate, toPem } from '@concordat/crypto';
import {
  Connection,
  type ConnectionOptions,
  createIdentity,
  createOrganisation,
  issueStaffIdentity,
  SdkError,
} from '@concordat/sdk';
import {
  FakeNetwork,
  type FakeServer,
  freeAddress,
  past,
  startNode,
  startPlain,
  valid,
} from './fake-network.ts';

const network = new FakeNetwork();
const open: { close(): unknown }[] = [];
after(() => Promise.all(open.map((one) => one.close())));

async function serving(start: Promise<FakeServer>): Promise<FakeServer> {
  const server = await start;
  open.push(server);
  return server;
}

const echo = () =>
  serving(
    startNode({
      network,
      handle: (request, response) => {
        const parts: Buffer[] = [];
        request.on('data', (part) => parts.push(part));
        request.on('end', () => response.end(Buffer.concat(parts)));
      },
    }),
  );

function connect(address: string, options: Partial<ConnectionOptions> = {}): Connection {
  const connection = new Connection({
    address,
    networkCertificate: network.certificate,
    identity: network.member,
    ...options,
  });
  open.push(connection);
  return connection;
}

const code = (expected: string) => (error: unknown) => {
  assert.ok(error instanceof SdkError, String(error));
  assert.equal(error.code, expected, error.message);
  return true;
};

test('requests go over kept connections', async () => {
  const server = await echo();
  const connection = connect(server.address);
  for (const body of ['one', 'two', 'three']) {
    const answer = await connection.request({ method: 'POST', path: '/', body });
    assert.equal(answer.body.toString(), body);
  }
  assert.equal(server.accepted(), 1);
});

test('a body of 8 MiB comes back whole', async () => {
  const server = await echo();
  const body = randomBytes(8 * 1024 * 1024);
  const answer = await connect(server.address).request({ method: 'POST', path: '/', body });
  assert.ok(answer.body.equals(body));
});

test('an answer larger than allowed is refused', async () => {
  const server = await echo();
  const connection = connect(server.address, { maxAnswerBytes: 1000 });
  const body = Buffer.alloc(2000);
  const asked = connection.request({ method: 'POST', path: '/', body });
  await assert.rejects(asked, code('UNEXPECTED_ANSWER'));
});

test('a node of another network is refused before anything is sent', async () => {
  const asked: string[] = [];
  const server = await serving(
    startNode({
      network: new FakeNetwork(),
      handle: (request, response) => {
        asked.push(request.url as string);
        response.end();
      },
    }),
  );
  await assert.rejects(connect(server.address).request({ path: '/' }), code('WRONG_NETWORK'));
  assert.deepEqual(asked, []);
});

test('a self-signed server, a namesake network and a client certificate as server are refused', async () => {
  const namesake = new FakeNetwork();
  const self = createOrganisation({ name: 'node' });
  const staff = issueStaffIdentity(network.member, { name: 'node' });
  const credentials = [
    { key: self.keyPem, cert: self.certificatePem },
    { key: staff.keyPem, cert: staff.certificatePem },
    namesake.nodeCredentials(),
  ];
  for (const tls of credentials) {
    const server = await serving(
      startNode({ network, tls, handle: (_, response) => response.end() }),
    );
    await assert.rejects(connect(server.address).request({ path: '/' }), code('WRONG_NETWORK'));
  }
});

test('a node whose certificate is only for clients is refused', async () => {
  const key = createSigningKey(randomBytes(32));
  const der = issueCertificate({
    subject: { commonName: 'node' },
    publicKeySpki: key.publicKeySpki,
    issuer: { certificateDer: network.der, key: network.key },
    serial: Uint8Array.of(9),
    ...valid,
    isCa: false,
    usages: ['clientAuth'],
  });
  const tls = { key: key.toPkcs8Pem(), cert: toPem(der) };
  const server = await serving(
    startNode({ network, tls, handle: (_, response) => response.end() }),
  );
  await assert.rejects(connect(server.address).request({ path: '/' }), code('WRONG_NETWORK'));
});

test('a node with an expired certificate is refused', async () => {
  const tls = network.nodeCredentials(past);
  const server = await serving(
    startNode({ network, tls, handle: (_, response) => response.end() }),
  );
  const asked = connect(server.address).request({ path: '/' });
  await assert.rejects(asked, code('SERVER_CERTIFICATE_INVALID'));
});

test('a node that only speaks TLS 1.2 is refused', async () => {
  const tls = { minVersion: 'TLSv1.2', maxVersion: 'TLSv1.2' } as const;
  const server = await serving(
    startNode({ network, tls, handle: (_, response) => response.end() }),
  );
  await assert.rejects(connect(server.address).request({ path: '/' }), code('NOT_TLS'));
});

test('a server that speaks plain HTTP or garbage is refused', async () => {
  for (const text of ['HTTP/1.1 200 OK\r\n\r\n', 'SSH-2.0-OpenSSH_9.0\r\n', '\0\0\0\0']) {
    const server = await serving(startPlain((socket) => void socket.end(text)));
    const asked = connect(server.address).request({ path: '/' });
    await assert.rejects(asked, (error: SdkError) => {
      assert.ok(['NOT_TLS', 'CONNECTION_LOST'].includes(error.code), error.code);
      return true;
    });
  }
});

test('our refused certificate is explained by the code the node answers', async () => {
  const server = await echo();
  const expired = (() => {
    const key = createSigningKey(randomBytes(32));
    const { certificateDer, signingKey } = network.member;
    assert.ok(signingKey);
    const der = issueCertificate({
      subject: { commonName: 'late' },
      publicKeySpki: key.publicKeySpki,
      issuer: { certificateDer, key: signingKey },
      serial: Uint8Array.of(1),
      ...past,
      isCa: false,
      usages: ['clientAuth'],
    });
    return createIdentity(toPem(der), key.toPkcs8Pem());
  })();
  const foreign = createOrganisation({ name: 'Mallory' });
  const bare = new Connection({
    address: server.address,
    networkCertificate: network.certificate,
  });
  open.push(bare);
  const refusals = [
    [bare, 'CLIENT_CERTIFICATE_REQUIRED'],
    [connect(server.address, { identity: foreign }), 'UNKNOWN_ACTOR'],
    [connect(server.address, { identity: expired }), 'CLIENT_CERTIFICATE_EXPIRED'],
  ] as const;
  for (const [connection, expected] of refusals) {
    for (let i = 0; i < 3; i++) {
      const answer = await connection.request({ path: '/' });
      assert.equal(answer.status, 401);
      assert.equal(JSON.parse(answer.body.toString()).error.code, expected);
    }
    await assert.rejects(connection.upgrade('/', 'x'), code(expected));
    await assert.rejects(connection.stream({ path: '/' }), code(expected));
  }
});

test('staff of a listed organisation is let in', async () => {
  const server = await echo();
  const identity = issueStaffIdentity(network.member, { name: 'Bo' });
  const answer = await connect(server.address, { identity }).request({ path: '/' });
  assert.equal(answer.status, 200);
});

test('a server that ends the handshake over our certificate is told apart', async () => {
  const tls = { rejectUnauthorized: true, ca: [network.certificate] };
  const server = await serving(
    startNode({ network, tls, handle: (_, response) => response.end() }),
  );
  await assert.rejects(connect(server.address).request({ path: '/' }), (error: SdkError) => {
    // The alert may arrive together with the end of the connection.
    assert.ok(['CERTIFICATE_REFUSED', 'CONNECTION_LOST'].includes(error.code), error.code);
    return true;
  });
});

test('an address where nothing listens is UNREACHABLE', async () => {
  const asked = connect(await freeAddress()).request({ path: '/' });
  await assert.rejects(asked, code('UNREACHABLE'));
});

test('a server that cuts before, within or after the head of its answer is CONNECTION_LOST', async () => {
  const heads = ['', 'HTTP/1.1 200', 'HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nhalf'];
  for (const head of heads) {
    const server = await serving(
      startNode({
        network,
        handle: (request) => {
          request.socket.write(head, () => request.socket.destroy());
        },
      }),
    );
    await assert.rejects(connect(server.address).request({ path: '/' }), code('CONNECTION_LOST'));
  }
});

test('a server that never answers, or never ends its handshake, is TIMEOUT', async () => {
  const mute = await serving(startPlain((socket) => void socket.resume()));
  const slow = await serving(startNode({ network, handle: () => {} }));
  const half = await serving(
    startNode({ network, handle: (_, response) => void response.write('half') }),
  );
  for (const { address } of [mute, slow, half]) {
    const asked = connect(address, { timeoutMs: 100 }).request({ path: '/' });
    await assert.rejects(asked, code('TIMEOUT'));
    const upgraded = connect(address, { timeoutMs: 100 }).upgrade('/', 'x');
    await assert.rejects(upgraded, code('TIMEOUT'));
  }
});

test('an answer that is not HTTP is refused', async () => {
  const server = await serving(
    startNode({ network, handle: (request) => void request.socket.end('garbage\r\n\r\n') }),
  );
  await assert.rejects(connect(server.address).request({ path: '/' }), SdkError);
});

test('a closed client refuses and fails what is on the way', async () => {
  const server = await serving(startNode({ network, handle: () => {} }));
  const connection = connect(server.address);
  const asked = connection.request({ path: '/' });
  setTimeout(() => connection.close(), 50);
  await assert.rejects(asked, code('CLOSED'));
  await assert.rejects(connection.request({ path: '/' }), code('CLOSED'));
});

test('an aborted request is CLOSED', async () => {
  const server = await serving(startNode({ network, handle: () => {} }));
  const asked = connect(server.address).request({ path: '/', signal: AbortSignal.timeout(30) });
  await assert.rejects(asked, code('CLOSED'));
});

test('addresses and certificates to pin are checked at once', () => {
  for (const address of ['', 'host', 'host:', 'host:0', 'host:65536', 'http://h:1', 'a:b:1']) {
    assert.throws(() => connect(address), code('INVALID_ADDRESS'));
  }
  const leaf = issueStaffIdentity(network.member, { name: 'x' });
  const wrong = ['', 'x', network.certificate + network.certificate, leaf.certificatePem];
  const [only] = leaf.certificatePem.split('-----END CERTIFICATE-----');
  for (const networkCertificate of [...wrong, `${only}-----END CERTIFICATE-----\n`]) {
    const connecting = () => connect('h:1', { networkCertificate });
    assert.throws(connecting, code('INVALID_NETWORK_CERTIFICATE'));
  }
});
