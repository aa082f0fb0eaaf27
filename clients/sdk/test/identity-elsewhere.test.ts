import assert from 'node:assert/strict';
import { randomBytes, sign, X509Certificate } from 'node:crypto';
import { test } from 'node:test';
import { actorIdOf, createSigningKey, fromPem, toPem, verifyCose } from '@concordat/crypto';
import { actorForCertificate, buildVote, decodeMessage } from '@concordat/governance';
import {
  certifyOrganisation,
  createIdentityElsewhere,
  createOrganisation,
  issueStaffIdentity,
  type KeyElsewhere,
  SdkError,
} from '@concordat/sdk';

/** A key that is asked, never read. */
function keyElsewhere(): KeyElsewhere & { asked: number; readonly spki: Uint8Array } {
  const key = createSigningKey(randomBytes(32));
  return {
    asked: 0,
    spki: key.publicKeySpki,
    publicKey: key.publicKeySpki.subarray(26),
    sign(bytes) {
      this.asked += 1;
      return sign('sha256', bytes, { key: key.keyObject, dsaEncoding: 'ieee-p1363' });
    },
  };
}

const refused = { name: 'SdkError', code: 'INVALID_IDENTITY' };

test('an organisation whose key is elsewhere authenticates as itself by a certificate of one day', () => {
  // Signatures of some keys begin with a zero byte or a high bit: DER writes these otherwise.
  for (let round = 0; round < 50; round += 1) {
    const key = keyElsewhere();
    const certificate = certifyOrganisation(key, { name: 'Aurora' });
    const identity = createIdentityElsewhere(certificate, key);
    assert.equal(key.asked, 2);
    const [leaf, ...intermediates] = fromPem(identity.certificatePem) as [Uint8Array];
    const [own] = fromPem(certificate) as [Uint8Array];
    assert.deepEqual(intermediates, [own]);
    const { validFromDate, validToDate } = new X509Certificate(leaf);
    const hours = (validToDate.getTime() - validFromDate.getTime()) / 3_600_000;
    assert.equal(Math.round(hours), 25);
    const actor = {
      ...{ actorId: identity.actorId, kind: ['member' as const], name: 'Aurora', roles: [] },
      certificate: toPem(own),
    };
    const asked = { leafDer: leaf, intermediates, atMs: Date.now() };
    const verdict = actorForCertificate({ actors: [actor] }, asked);
    assert.ok(verdict.ok && verdict.actor.actorId === identity.actorId);
    const late = { ...asked, atMs: Date.now() + 25 * 3_600_000 };
    assert.equal(actorForCertificate({ actors: [actor] }, late).ok, false);
  }
});

test('its votes are signed by the key elsewhere, not by that of the connection', () => {
  const key = keyElsewhere();
  const identity = createIdentityElsewhere(certifyOrganisation(key, { name: 'Aurora' }), key);
  const { messageSigner, certificateDer } = identity;
  assert.ok(messageSigner && !identity.signingKey);
  const message = buildVote({
    ...messageSigner,
    ...{ certificateDer, networkId: 'ab'.repeat(32), createdAtSeconds: 1_800_000_000 },
    ...{ proposalId: 'cd'.repeat(32), accept: true },
  });
  const { kid: signer, cose } = decodeMessage(message);
  assert.equal(signer, actorIdOf(certificateDer));
  assert.ok(verifyCose(cose, key.spki));
});

test('another key’s certificate is refused, and so is one that may sign none', () => {
  const key = keyElsewhere();
  const other = certifyOrganisation(keyElsewhere(), { name: 'Borealis' });
  assert.throws(() => createIdentityElsewhere(other, key), refused);
  assert.throws(() => createIdentityElsewhere('', key), SdkError);
  const staff = issueStaffIdentity(createOrganisation({ name: 'Cyan' }), { name: 'Bo' });
  const staffKey = staff.signingKey;
  assert.ok(staffKey);
  const asStaff: KeyElsewhere = {
    publicKey: staffKey.publicKeySpki.subarray(26),
    sign: (bytes) => sign('sha256', bytes, { key: staffKey.keyObject, dsaEncoding: 'ieee-p1363' }),
  };
  assert.throws(() => createIdentityElsewhere(staff.certificatePem, asStaff), refused);
});
