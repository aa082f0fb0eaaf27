import {
  createEncryptionKey,
  createSigningKey,
  type EncryptionKey,
  importEncryptionKey,
  importSigningKey,
  issueCertificate,
  nodeIdOf,
  type SigningKey,
  toPem,
} from '@concordat/crypto';
import type { NodeId } from '@concordat/std';

/**
 * The keys one launch of the enclave draws for itself: it signs blocks, ends TLS and receives
 * session keys with them. They never leave the enclave except sealed by the platform.
 */
export interface NodeIdentity {
  readonly nodeId: NodeId;
  readonly signing: SigningKey;
  readonly encryption: EncryptionKey;
  /** PEM of the certificate presented until the network has endorsed one. */
  readonly selfSignedCertificate: string;
}

/** Ten years: the certificate is only as good as the evidence that comes with it. */
const validityMs = 10 * 365 * 24 * 3600 * 1000;

/** Draws a new identity from 64 + 16 bytes of entropy. */
export function createNodeIdentity(
  entropy: (bytes: number) => Uint8Array,
  nowMs: number,
): NodeIdentity {
  return identityOf(createSigningKey(entropy(32)), createEncryptionKey(entropy(32)), {
    serial: entropy(16),
    nowMs,
  });
}

function identityOf(
  signing: SigningKey,
  encryption: EncryptionKey,
  { serial, nowMs }: { serial: Uint8Array; nowMs: number },
): NodeIdentity {
  const nodeId = nodeIdOf(signing.publicKeySpki);
  const certificate = issueCertificate({
    subject: { commonName: `node ${nodeId.slice(0, 16)}` },
    publicKeySpki: signing.publicKeySpki,
    issuer: { key: signing },
    serial,
    notBeforeMs: nowMs - 3600_000,
    notAfterMs: nowMs + validityMs,
    isCa: false,
    usages: ['clientAuth', 'serverAuth'],
  });
  return { nodeId, signing, encryption, selfSignedCertificate: toPem(certificate) };
}

/** What the network's key endorses for a node: its TLS certificate, valid for its host names. */
export function endorseNode(options: {
  readonly networkKey: SigningKey;
  readonly networkCertificate: Uint8Array;
  readonly nodePublicKey: Uint8Array;
  readonly hosts: readonly string[];
  readonly serial: Uint8Array;
  readonly nowMs: number;
}): string {
  const ip = options.hosts.filter((host) => /^[\d.]+$|:/.test(host));
  const dns = options.hosts.filter((host) => !ip.includes(host));
  return toPem(
    issueCertificate({
      subject: { commonName: `node ${nodeIdOf(options.nodePublicKey).slice(0, 16)}` },
      publicKeySpki: options.nodePublicKey,
      issuer: { certificateDer: options.networkCertificate, key: options.networkKey },
      serial: options.serial,
      notBeforeMs: options.nowMs - 3600_000,
      notAfterMs: options.nowMs + validityMs,
      isCa: false,
      subjectAltNames: { dns, ip },
      usages: ['clientAuth', 'serverAuth'],
    }),
  );
}

/** The network's own identity: the key pair whose certificate every client pins. */
export function createNetworkIdentity(
  name: string,
  entropy: (bytes: number) => Uint8Array,
  nowMs: number,
): { key: SigningKey; certificate: Uint8Array } {
  const key = createSigningKey(entropy(32));
  const certificate = issueCertificate({
    subject: { commonName: name, organization: 'Concordat network' },
    publicKeySpki: key.publicKeySpki,
    issuer: { key },
    serial: entropy(16),
    notBeforeMs: nowMs - 3600_000,
    notAfterMs: nowMs + validityMs,
    isCa: true,
    pathLength: 0,
    usages: ['keyCertSign'],
  });
  return { key, certificate };
}

/** What an enclave seals about itself so that a whole network can be started again. */
export interface SealedIdentity {
  readonly signing: string;
  readonly encryption: string;
  readonly certificate: string;
  readonly networkId: string;
  readonly networkCertificate: string;
}

/** Restores the identity of an earlier launch from its sealed record. */
export function restoreNodeIdentity(sealed: SealedIdentity): NodeIdentity {
  const signing = importSigningKey(sealed.signing);
  return {
    nodeId: nodeIdOf(signing.publicKeySpki),
    signing,
    encryption: importEncryptionKey(sealed.encryption),
    selfSignedCertificate: sealed.certificate,
  };
}
