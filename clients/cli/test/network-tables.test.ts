import assert from 'node:assert/strict';
import { test } from 'node:test';
import { certificateFingerprint, fromPem } from '@concordat/crypto';
import type { Actor } from '@concordat/governance';
import { createOrganisation } from '@concordat/sdk';
import { toActorId } from '@concordat/std';
import { actorCertificateTable } from '../network-tables.ts';

test('who approves a list of actors sees every certificate one of them speaks by, its digest whole', () => {
  const [old, now] = ['old', 'now'].map((name) => createOrganisation({ name }).certificatePem);
  const [first, newest] = [old, now].map((pem = '') =>
    certificateFingerprint(fromPem(pem)[0] ?? new Uint8Array()),
  );
  const actor: Actor = {
    actorId: toActorId(first as string),
    kind: ['member'],
    name: 'aurora',
    certificate: now as string,
    roles: [],
    earlier: [{ certificate: old as string, untilSeconds: 1_790_000_000 }],
  };
  const lines = actorCertificateTable({ actors: [actor] }).split('\n');
  assert.ok(lines.some((line) => line.includes(newest as string) && !line.includes('until')));
  assert.ok(
    lines.some((line) => line.includes(`${first}  until 2026-09-21T`)),
    `${lines}`,
  );
});
