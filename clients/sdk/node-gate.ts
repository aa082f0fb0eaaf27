import { CryptoError, spkiOf } from '@concordat/crypto';
import { Connection, type NodeGate } from './connection.ts';
import { SdkError } from './errors.ts';
import type { NodeVerifier } from './node-verifier.ts';

/** Which node a gate is in front of, whichever of its ports. */
export interface GateOptions {
  readonly verifier: NodeVerifier;
  /** Administrative address of the node, `host:port`: where it gives evidence. */
  readonly adminAddress: string;
  /** PEM, pinned. */
  readonly networkCertificate: string;
  /** Milliseconds for one verification; default 10,000. */
  readonly timeoutMs?: number;
}

const maxEvidenceAnswerBytes = 256 * 1024;

/**
 * Lets through whoever holds a key that proved itself, and nobody else: no byte of a request goes to a
 * node before. Evidence is asked for without saying who asks.
 * @throws SdkError INVALID_ADDRESS, INVALID_NETWORK_CERTIFICATE
 */
export function gateTo({ verifier, timeoutMs = 10_000, ...node }: GateOptions): NodeGate {
  const { adminAddress: address, networkCertificate } = node;
  const options = {
    address,
    networkCertificate,
    timeoutMs,
    maxAnswerBytes: maxEvidenceAnswerBytes,
  };
  const ask = async (path: string) => {
    // A connection of its own each time: the answer is about whoever listens there now.
    const connection = new Connection(options);
    try {
      const { status, body, peerCertificate } = await connection.request({ path, withPeer: true });
      return { status, body, peerKey: peerCertificate && keyOf(peerCertificate) };
    } finally {
      connection.close();
    }
  };
  // Refuses what cannot be an address or a certificate at once.
  new Connection(options).close();
  let verifying: Promise<void> | undefined;
  return {
    refusal: (der) => {
      const key = keyOf(der);
      if (key && verifier.find(key)) return undefined;
      return new SdkError('NODE_NOT_VERIFIED', `not the node that proved itself at ${address}`);
    },
    verify: () => {
      verifying ??= verifier
        .verify({ address, ask })
        .then(() => undefined)
        .finally(() => {
          verifying = undefined;
        });
      return verifying;
    },
  };
}

/** DER SPKI of a certificate's key; undefined when our strict reader cannot make sense of it. */
function keyOf(der: Uint8Array): Uint8Array | undefined {
  try {
    return spkiOf(der);
  } catch (error) {
    if (error instanceof CryptoError) return undefined;
    throw error;
  }
}
