import assert from 'node:assert/strict';
import { generateKeyPairSync } from 'node:crypto';
import { test } from 'node:test';
import { fromPem, toPem, verifyCertificateChain } from '@concordat/crypto';
import { actorForCertificate } from '@concordat/governance';
import { createIdentity, createOrganisation, issueStaffIdentity, SdkError } from '@concordat/sdk';

const organisation = createOrganisation({ name: 'Alpha' });

const refused = (error: unknown): boolean =>
  error instanceof SdkError &&
  error.code === 'INVALID_IDENTITY' &&
  !/BEGIN|MII/.test(error.message);

test('keys are read from PKCS#8 DER, SEC1 PEM and encrypted PEM', () => {
  const { certificatePem, signingKey } = organisation;
  assert.ok(signingKey);
  const { keyObject } = signingKey;
  const der = keyObject.export({ format: 'der', type: 'pkcs8' });
  const sec1 = keyObject.export({ format: 'pem', type: 'sec1' });
  const locked = keyObject.export({
    format: 'pem',
    type: 'pkcs8',
    cipher: 'aes-256-cbc',
    passphrase: 'secret',
  });
  assert.equal(createIdentity(certificatePem, der).keyPem, organisation.keyPem);
  assert.equal(createIdentity(certificatePem, sec1).keyPem, organisation.keyPem);
  assert.equal(createIdentity(certificatePem, locked, 'secret').keyPem, organisation.keyPem);
  assert.throws(() => createIdentity(certificatePem, locked, 'wrong'), refused);
  assert.throws(() => createIdentity(certificatePem, locked), refused);
});

test('a new organisation authenticates with the very certificate it is listed by', () => {
  const verdict = verifyCertificateChain({
    leaf: organisation.certificateDer,
    intermediates: [],
    roots: [organisation.certificateDer],
    atMs: Date.now(),
    usage: 'clientAuth',
  });
  assert.ok(verdict.ok);
  assert.ok(organisation.signingKey);
  assert.equal(organisation.name, 'Alpha');
});

test('a staff certificate authenticates as its organisation and presents the chain', () => {
  const staff = issueStaffIdentity(organisation, { name: 'Bo' });
  const [leaf, ...intermediates] = fromPem(staff.certificatePem) as [Uint8Array, ...Uint8Array[]];
  const verdict = actorForCertificate(
    {
      actors: [
        {
          actorId: organisation.actorId,
          kind: ['member'],
          name: 'Alpha',
          certificate: toPem(organisation.certificateDer),
          roles: [],
        },
      ],
    },
    { leafDer: leaf, intermediates, atMs: Date.now() },
  );
  assert.ok(verdict.ok && verdict.actor.actorId === organisation.actorId);
  assert.notEqual(staff.actorId, organisation.actorId);
});

test('staff cannot issue certificates in turn', () => {
  const staff = issueStaffIdentity(organisation, { name: 'Bo' });
  assert.throws(() => issueStaffIdentity(staff, { name: 'Cy' }), refused);
});

test('a certificate and a key that do not belong together are refused', () => {
  const other = createOrganisation({ name: 'Beta' });
  assert.throws(() => createIdentity(organisation.certificatePem, other.keyPem), refused);
  const rsa = generateKeyPairSync('rsa', { modulusLength: 2048 }).privateKey;
  const pem = rsa.export({ format: 'pem', type: 'pkcs8' }) as string;
  assert.throws(() => createIdentity(organisation.certificatePem, pem), refused);
});

test('texts that are empty, truncated or not PEM are refused without quoting them', () => {
  const { certificatePem, keyPem } = organisation;
  const broken = [
    ['', keyPem],
    [certificatePem, ''],
    [certificatePem.slice(0, 200), keyPem],
    [certificatePem, keyPem.slice(0, 80)],
    [keyPem, certificatePem],
  ] as const;
  for (const [certificate, key] of broken) {
    assert.throws(() => createIdentity(certificate, key), refused);
  }
});
