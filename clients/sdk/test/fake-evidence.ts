import { randomBytes } from 'node:crypto';
import type { RequestListener } from 'node:http';
import type { EvidenceStatement } from '@concordat/api';
import { createVirtualEvidence, reportData } from '@concordat/attestation';
import { createSigningKey, nodeIdOf, type SigningKey, sha256 } from '@concordat/crypto';
import { canonicalJson } from '@concordat/governance';
import { toHex, utf8 } from '@concordat/std';

/** Measurements of code that exists only here. */
export const managerCode = 'a1'.repeat(32);
export const workerCode = 'b2'.repeat(32);

/** What a client pins who trusts that code. */
export const pinned = {
  code: [
    { measurement: managerCode, role: 'manager' },
    { measurement: workerCode, role: 'worker' },
  ],
  platforms: ['virtual'],
} as const;

const platformKey = createSigningKey(randomBytes(32));

/** How an answer differs from an honest one. */
export interface Lies {
  readonly measurement?: string;
  /** Stated, and bound into the evidence as stated. */
  readonly stated?: Partial<EvidenceStatement>;
  /** Stated, and other than what the evidence is bound to. */
  readonly altered?: Partial<EvidenceStatement>;
  readonly evidence?: (evidence: Uint8Array) => Uint8Array;
}

/** What a node with this TLS key answers to a question for evidence. */
export function evidenceAnswer(key: SigningKey, nonce: string, lies: Lies = {}) {
  const bound: EvidenceStatement = {
    type: 'concordat.node-evidence.v1',
    nonce,
    networkId: 'f'.repeat(64),
    nodeId: nodeIdOf(key.publicKeySpki),
    publicKey: toHex(key.publicKeySpki),
    workers: [{ measurement: workerCode, platform: 'virtual' }],
    ...lies.stated,
  };
  const evidence = createVirtualEvidence({
    measurement: lies.measurement ?? managerCode,
    platformKey,
    reportData: reportData({
      domain: 'client',
      networkId: bound.networkId,
      publicKeySpki: key.publicKeySpki,
      ledgerRoot: sha256(utf8(canonicalJson(bound))),
      epoch: 0,
    }),
  });
  const shown = lies.evidence ? lies.evidence(evidence) : evidence;
  return {
    statement: { ...bound, ...lies.altered },
    evidence: Buffer.from(shown).toString('base64'),
  };
}

/** Serves evidence, and `ok` on every other path. */
export const evidenceHandler =
  (key: SigningKey, lies: () => Lies = () => ({})): RequestListener =>
  (request, response) => {
    const url = new URL(request.url ?? '/', 'https://node');
    response.setHeader('content-type', 'application/json');
    if (url.pathname !== '/node/evidence') {
      response.end('{"ok":true}');
      return;
    }
    const nonce = url.searchParams.get('nonce') as string;
    response.end(JSON.stringify(evidenceAnswer(key, nonce, lies())));
  };
