import { sha256 } from '@concordat/crypto';
import { assert, BinaryWriter, type Digest, fromHex, isHex64, utf8 } from '@concordat/std';

/** What an enclave binds into its evidence, so that nobody else can present it. */
export interface ReportedIdentity {
  /** Who presents it: a node to the network, a worker enclave to its manager, a node to a client. */
  readonly domain: 'node' | 'worker' | 'client';
  /** 64 lowercase hex digits; 64 zeros while there is no network yet. */
  readonly networkId: string;
  /** DER SPKI of the key that ends the enclave's channels. */
  readonly publicKeySpki: Uint8Array;
  /**
   * A recent history root, 32 bytes: the evidence is no older; zeros while there is no ledger. To a
   * client: SHA-256 of what is stated, the client's nonce in it.
   */
  readonly ledgerRoot: Uint8Array;
  /** 0 while there is no epoch yet. */
  readonly epoch: number;
}

const prefix = utf8('concordat report data v1\0');

/**
 * Report data of an enclave's evidence: SHA-256(prefix ‖ text domain ‖ network id (32) ‖ bytes SPKI
 * ‖ ledger root (32) ‖ u64 epoch). Platforms with 64 bytes of report data carry 32 zeros after it.
 */
export function reportData(identity: ReportedIdentity): Digest {
  const { networkId, ledgerRoot } = identity;
  assert(isHex64(networkId), 'network identity is not 64 lowercase hex digits');
  assert(ledgerRoot.length === 32, `ledger root of ${ledgerRoot.length} bytes`);
  const bound = new BinaryWriter()
    .raw(prefix)
    .text(identity.domain)
    .raw(fromHex(networkId) as Uint8Array)
    .bytes(identity.publicKeySpki)
    .raw(ledgerRoot)
    .u64(identity.epoch);
  return sha256(bound.take());
}
