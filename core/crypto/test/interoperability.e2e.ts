import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { connect, createServer, type PeerCertificate, type TLSSocket } from 'node:tls';
import {
  fromPem,
  parseCertificate,
  parseRevocationList,
  revocationListFault,
  serialText,
  subjectOf,
  toPem,
  verifyCertificateChain,
} from '@concordat/crypto';
import { equalBytes } from '@concordat/std';
import { authority, endEntity, type Party } from './authorities.ts';

const directory = mkdtempSync(join(tmpdir(), 'concordat-crypto-'));
after(() => rmSync(directory, { recursive: true }));

const openssl = (...args: string[]): { status: number | null; output: string } => {
  const run = spawnSync('openssl', args, { cwd: directory, encoding: 'utf8' });
  return { status: run.status, output: `${run.stdout}${run.stderr}` };
};
const skip = openssl('version').status === 0 ? false : 'openssl is not installed';

function file(name: string, content: string): string {
  writeFileSync(join(directory, name), content);
  return name;
}

// The tools below read the clock of the machine, so these certificates span it.
const year = 365 * 24 * 3600 * 1000;
const valid = { notBeforeMs: Date.now() - year, notAfterMs: Date.now() + year };
const root = authority('Root', 1, undefined, { ...valid, organization: 'Bank A', pathLength: 1 });
const middle = authority('Middle', 2, root, { ...valid, pathLength: 0 });
const node = endEntity('node0', 3, middle, {
  ...valid,
  subjectAltNames: { dns: ['localhost'], ip: ['127.0.0.1', '::1'] },
});
const client = endEntity('client', 4, middle, { ...valid, usages: ['clientAuth'] });

test('openssl accepts issued chains under its strictest checks', { skip }, () => {
  const roots = file('root.pem', toPem(root.der));
  const between = file('middle.pem', toPem(middle.der));
  const leaf = file('leaf.pem', toPem(node.der));
  const clientOnly = file('client.pem', toPem(client.der));
  const verify = (purpose: string, name: string): string =>
    openssl(
      ...['verify', '-x509_strict', '-check_ss_sig', '-purpose', purpose],
      ...['-CAfile', roots, '-untrusted', between, name],
    ).output;
  assert.match(verify('sslserver', leaf), /leaf\.pem: OK/);
  assert.match(verify('sslclient', leaf), /leaf\.pem: OK/);
  assert.match(verify('sslclient', clientOnly), /client\.pem: OK/);
  assert.match(verify('sslserver', clientOnly), /unsuitable certificate purpose/);
  const { output } = openssl('x509', '-in', leaf, '-noout', '-text');
  assert.match(output, /DNS:localhost, IP Address:127\.0\.0\.1, IP Address:0:0:0:0:0:0:0:1/);
});

const foreign = [
  { name: 'RSA 2048', key: ['rsa', 'rsa_keygen_bits:2048'], hash: 'sha256', verdict: 'ok' },
  { name: 'RSA 3072', key: ['rsa', 'rsa_keygen_bits:3072'], hash: 'sha512', verdict: 'ok' },
  { name: 'P-384', key: ['ec', 'ec_paramgen_curve:P-384'], hash: 'sha384', verdict: 'ok' },
  { name: 'P-256', key: ['ec', 'ec_paramgen_curve:P-256'], hash: 'sha256', verdict: 'ok' },
  { name: 'Ed25519', key: ['ed25519'], hash: undefined, verdict: 'ok' },
  {
    name: 'RSA 1024',
    key: ['rsa', 'rsa_keygen_bits:1024'],
    hash: 'sha256',
    verdict: 'UNSUPPORTED_ALGORITHM',
  },
  {
    name: 'SHA-1',
    key: ['rsa', 'rsa_keygen_bits:2048'],
    hash: 'sha1',
    verdict: 'UNSUPPORTED_ALGORITHM',
  },
  {
    name: 'secp256k1',
    key: ['ec', 'ec_paramgen_curve:secp256k1'],
    hash: 'sha256',
    verdict: 'UNSUPPORTED_ALGORITHM',
  },
];

for (const { name, key, hash, verdict } of foreign) {
  test(`a staff certificate of an organisation's ${name} authority is judged ${verdict}`, {
    skip,
  }, () => {
    const [algorithm, option] = key as [string, string?];
    const options = option === undefined ? [] : ['-pkeyopt', option];
    const digest = hash === undefined ? [] : [`-${hash}`];
    const extensions = file(
      'staff.ext',
      'extendedKeyUsage=clientAuth\nkeyUsage=digitalSignature\n',
    );
    for (const args of [
      ['genpkey', '-algorithm', algorithm, ...options, '-out', 'ca.key'],
      [
        'req',
        '-x509',
        '-key',
        'ca.key',
        ...digest,
        '-subj',
        '/O=Bank B/CN=Bank B CA',
        '-out',
        'ca.pem',
      ],
      ['ecparam', '-name', 'prime256v1', '-genkey', '-noout', '-out', 'staff.key'],
      ['req', '-new', '-key', 'staff.key', '-subj', '/O=Bank B/CN=Ann', '-out', 'staff.csr'],
      ['x509', '-req', '-in', 'staff.csr', '-CA', 'ca.pem', '-CAkey', 'ca.key', ...digest].concat([
        '-set_serial',
        '0x7f01',
        '-extfile',
        extensions,
        '-out',
        'staff.pem',
      ]),
    ]) {
      const { status, output } = openssl(...args);
      assert.equal(status, 0, output);
    }
    const read = (path: string): Uint8Array =>
      fromPem(readFileSync(join(directory, path), 'utf8'))[0] as Uint8Array;
    const judged = verifyCertificateChain({
      leaf: read('staff.pem'),
      intermediates: [],
      roots: [read('ca.pem')],
      atMs: Date.now(),
      usage: 'clientAuth',
    });
    assert.equal(judged.ok ? 'ok' : judged.code, verdict);
    assert.deepEqual(subjectOf(read('staff.pem')), { commonName: 'Ann', organization: 'Bank B' });
  });
}

for (const key of [
  ['rsa', 'rsa_keygen_bits:2048'],
  ['ec', 'ec_paramgen_curve:P-256'],
] as const) {
  test(`a list and name constraints of openssl, ${key[0]}: whom it revokes is refused`, {
    skip,
  }, () => {
    const name = `crl-${key[0]}`;
    const config = file(
      `${name}.cnf`,
      [
        '[ca]\ndefault_ca=one\n[one]',
        `database=${file(`${name}.txt`, '')}\ncrlnumber=${file(`${name}.number`, '0100\n')}`,
        'default_md=sha256\ndefault_crl_days=30\ncrl_extensions=list',
        '[list]\nauthorityKeyIdentifier=keyid:always',
        '[top]\nbasicConstraints=critical,CA:TRUE,pathlen:0\nkeyUsage=critical,keyCertSign,cRLSign',
        'subjectKeyIdentifier=hash\nnameConstraints=critical,permitted;email:bank.example',
        '[req]\ndistinguished_name=dn\n[dn]',
        '[in]\nsubjectAltName=email:ann@bank.example\n[out]\nsubjectAltName=email:ann@evil.example',
      ].join('\n'),
    );
    const run = (...args: string[]): void => {
      const { status, output } = openssl(...args);
      assert.equal(status, 0, output);
    };
    const [algorithm, parameter] = key;
    run('genpkey', '-algorithm', algorithm, '-pkeyopt', parameter, '-out', `${name}.key`);
    const dated = ['-days', '30', '-config', config, '-extensions', 'top'];
    run(
      ...['req', '-x509', '-new', '-key', `${name}.key`, '-subj', '/O=Bank C/CN=CA', ...dated],
      ...['-out', `${name}.pem`],
    );
    run('ecparam', '-name', 'prime256v1', '-genkey', '-noout', '-out', `${name}-ann.key`);
    run('req', '-new', '-key', `${name}-ann.key`, '-subj', '/CN=Ann', '-out', `${name}.csr`);
    const sign = ['x509', '-req', '-in', `${name}.csr`, '-CA', `${name}.pem`];
    for (const [which, serial] of ['in', 'out'].entries()) {
      run(
        ...[...sign, '-CAkey', `${name}.key`, '-set_serial', `0x00ab0${which}`],
        ...['-extfile', config, '-extensions', serial, '-out', `${name}-${serial}.pem`],
      );
    }
    const authorized = ['-config', config, '-cert', `${name}.pem`, '-keyfile', `${name}.key`];
    run('ca', ...authorized, '-revoke', `${name}-in.pem`);
    run('ca', ...authorized, '-gencrl', '-out', `${name}.crl.pem`);
    run('crl', '-in', `${name}.crl.pem`, '-outform', 'DER', '-out', `${name}.crl`);
    const read = (path: string): Uint8Array =>
      fromPem(readFileSync(join(directory, path), 'utf8'))[0] as Uint8Array;
    const list = parseRevocationList(readFileSync(join(directory, `${name}.crl`)));
    const [leaf, top] = [read(`${name}-in.pem`), read(`${name}.pem`)];
    assert.equal(list.number, 0x100n);
    assert.equal(revocationListFault(list, parseCertificate(top)), undefined);
    assert.ok(list.revoked.has(serialText(parseCertificate(leaf).serial)));
    const judge = (which: Uint8Array): string => {
      const verdict = verifyCertificateChain({
        leaf: which,
        intermediates: [],
        roots: [top],
        atMs: Date.now(),
        usage: 'clientAuth',
      });
      return verdict.ok ? 'ok' : verdict.code;
    };
    assert.equal(judge(leaf), 'ok');
    assert.equal(judge(read(`${name}-out.pem`)), 'NAME_CONSTRAINTS');
  });
}

/** One mutual TLS 1.3 handshake; what each side saw of the other, or the error. */
async function handshake(
  serverParty: Party,
  clientParty: Party,
): Promise<{ seenByServer: PeerCertificate; seenByClient: PeerCertificate }> {
  const credentials = ({ key, der }: Party) => ({
    key: key.toPkcs8Pem(),
    cert: toPem(der) + toPem(middle.der),
    ca: toPem(root.der),
    minVersion: 'TLSv1.3' as const,
  });
  const server = createServer({ ...credentials(serverParty), requestCert: true });
  server.on('tlsClientError', () => {});
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  try {
    const port = (server.address() as AddressInfo).port;
    const accepted = once(server, 'secureConnection') as Promise<[TLSSocket]>;
    const socket = connect({ ...credentials(clientParty), port, host: '127.0.0.1' });
    try {
      await once(socket, 'secureConnect');
      const [peer] = await accepted;
      const seenByServer = peer.getPeerCertificate(true);
      peer.destroy();
      return { seenByServer, seenByClient: socket.getPeerCertificate(true) };
    } finally {
      socket.destroy();
    }
  } finally {
    server.close();
  }
}

test('both ends of a mutual TLS 1.3 connection accept issued chains', async () => {
  const { seenByServer, seenByClient } = await handshake(node, client);
  assert.ok(equalBytes(seenByServer.raw, client.der));
  assert.ok(equalBytes(seenByClient.raw, node.der));
});

test('TLS refuses a server whose certificate is for clients', async () => {
  await assert.rejects(handshake(client, node), /purpose/);
});
