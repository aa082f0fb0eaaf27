import { createHash } from 'node:crypto';
import { createVirtualEvidence, type Verdict } from '@concordat/attestation';
import type { ManagerStart, SnapshotToManager } from '@concordat/bridge';
import {
  actorIdOf,
  createSigningKey,
  issueCertificate,
  type SigningKey,
  toPem,
} from '@concordat/crypto';
import type { TransactionRecord } from '@concordat/ledger';
import { type ActorId, utf8 } from '@concordat/std';
import { verifiedEvidence } from '../admission.ts';
import type { WorkerLink } from '../worker-link.ts';

const dayMs = 24 * 3600 * 1000;

/** Bytes that look random and are the same in every run. */
export function entropyOf(seed: string): (bytes: number) => Uint8Array {
  let drawn = 0;
  return (bytes) =>
    createHash('shake256', { outputLength: bytes }).update(`${seed} ${drawn++}`).digest();
}

/** An organisation: key, certificate, and the id it has as an actor. */
export interface Organisation {
  readonly name: string;
  readonly key: SigningKey;
  readonly der: Uint8Array;
  readonly pem: string;
  readonly actorId: ActorId;
}

/** Makes an organisation's own certificate, valid from yesterday. */
export function organisation(name: string, validForMs = 365 * dayMs): Organisation {
  const key = createSigningKey(entropyOf(name)(32));
  const der = issueCertificate({
    subject: { commonName: name },
    publicKeySpki: key.publicKeySpki,
    issuer: { key },
    serial: Uint8Array.of(1),
    notBeforeMs: Date.now() - dayMs,
    notAfterMs: Date.now() - dayMs + validForMs,
    isCa: true,
    usages: ['keyCertSign', 'clientAuth'],
  });
  return { name, key, der, pem: toPem(der), actorId: actorIdOf(der) };
}

export const managerCode = 'aa'.repeat(32);
export const workerCode = 'bb'.repeat(32);
export const platform = createSigningKey(entropyOf('platform')(32));

/** Evidence of the one software platform of these tests, as verified. */
export const verdictOf = (measurement: string, key = platform): Verdict =>
  verifiedEvidence(
    createVirtualEvidence({ measurement, reportData: new Uint8Array(32), platformKey: key }),
    Date.now(),
  );

/** A genesis constitution of these members, who decide by majority. */
export const genesisOf = (members: readonly Organisation[]) => ({
  version: 1,
  name: 'test network',
  actors: members.map(({ name, pem }) => ({
    kind: ['member', 'participant'],
    name,
    certificate: pem,
    roles: [],
  })),
  nodes: [],
  codeManifest: [
    { measurement: managerCode, role: 'manager', name: 'manager', version: '1.0.0' },
    { measurement: workerCode, role: 'worker', name: 'worker', version: '1.0.0', adapters: [] },
  ],
  teeManifest: [{ platform: 'virtual', rank: 0 }],
  votingPolicies: { default: { kind: 'majority' } },
  policies: {},
  adapters: {},
});

/** What a host tells the manager of node `n` to start with. */
export const startOf = (n: number, owner: Organisation, genesis?: unknown): ManagerStart => ({
  role: 'manager',
  mode: genesis ? 'genesis' : 'join',
  node: { name: `node ${n}`, actorCertificatePem: owner.pem },
  addresses: { node: `n${n}:1`, admin: `n${n}:2`, applications: [`n${n}:3`] },
  ...(genesis ? { genesis } : {}),
  peers: [],
  lastHeight: 0,
  firstHeight: 1,
  missing: [],
  snapshots: [],
  tickMs: 10,
  workers: [{ index: 1, adapters: [] }],
  genesisData: [],
  restarts: 0,
});

/** A worker's link that only remembers. */
export class FakeLink {
  readonly index: number;
  readonly sent: { kind: string; [field: string]: unknown }[] = [];
  waitingBytes = 0;
  serves = true;
  /** Hears the worker's chunks; without it the worker takes no snapshots. */
  onSnapshot: ((message: SnapshotToManager) => void) | undefined;
  /** How its state differs from what it should be. */
  astray = '';

  constructor(index: number) {
    this.index = index;
  }

  send(message: { kind: string }): boolean {
    this.sent.push({ ...message });
    const { request, height } = message as { request?: number; height?: number };
    if (message.kind === 'snapshot' && this.onSnapshot) {
      const chunk = { request: request as number, index: 0, last: true, bytes: this.state(height) };
      queueMicrotask(() => this.onSnapshot?.({ kind: 'snapshotChunk', ...chunk }));
    }
    return true;
  }

  /** What this worker holds after the block at a height. */
  state(height: number | undefined): Uint8Array {
    return utf8(`state after block ${height}${this.astray}`);
  }

  served(): boolean {
    return this.serves;
  }

  async settled(): Promise<void> {}

  asLink(): WorkerLink {
    return this as unknown as WorkerLink;
  }
}

/** Transactions of a worker's batch. */
export const batch = (...texts: string[]): TransactionRecord[] =>
  texts.map((text) => ({ publicWrites: new Uint8Array(), privateWrites: utf8(text) }));
