import assert from 'node:assert/strict';
import { createPrivateKey } from 'node:crypto';
import { mkdtemp, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { createOrganisation, readIdentity, SdkError, saveIdentity } from '@concordat/sdk';

let directory = '';
before(async () => {
  directory = await mkdtemp(join(tmpdir(), 'sdk-identity-'));
});
after(() => rm(directory, { recursive: true }));

const organisation = createOrganisation({ name: 'Alpha' });

const refused = (error: unknown): boolean =>
  error instanceof SdkError && error.code === 'INVALID_IDENTITY';

const pkcs8 = (pem: string): Buffer =>
  createPrivateKey(pem).export({ format: 'der', type: 'pkcs8' });

test('an identity read back from its files is the one that was saved, its key private', async () => {
  const files = {
    certificateFile: join(directory, 'a', 'alpha.pem'),
    keyFile: join(directory, 'a', 'alpha.key'),
  };
  await saveIdentity(organisation, files);
  const read = await readIdentity(files);
  assert.equal(read.actorId, organisation.actorId);
  assert.equal(read.keyPem, organisation.keyPem);
  assert.equal((await stat(files.keyFile)).mode & 0o777, 0o600);
});

test('saving never overwrites a key', async () => {
  const files = {
    certificateFile: join(directory, 'b.pem'),
    keyFile: join(directory, 'b.key'),
  };
  await saveIdentity(organisation, files);
  await assert.rejects(saveIdentity(createOrganisation({ name: 'Beta' }), files), refused);
  assert.equal((await readIdentity(files)).actorId, organisation.actorId);
});

test('a key file of PKCS#8 DER is read', async () => {
  const files = { certificateFile: join(directory, 'c.pem'), keyFile: join(directory, 'c.der') };
  await writeFile(files.certificateFile, organisation.certificatePem);
  await writeFile(files.keyFile, pkcs8(organisation.keyPem));
  assert.equal((await readIdentity(files)).keyPem, organisation.keyPem);
});

test('files that are missing are refused', async () => {
  const files = { certificateFile: join(directory, 'none'), keyFile: join(directory, 'none') };
  await assert.rejects(readIdentity(files), refused);
});
