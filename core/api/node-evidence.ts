/**
 * What a node binds into evidence for a client: the evidence's report data covers the SHA-256 of its
 * canonical JSON and the key that ends the TLS session the client asked over.
 */
export interface EvidenceStatement {
  readonly type: 'concordat.node-evidence.v1';
  /** 64 hex digits the client drew: the evidence is no older. */
  readonly nonce: string;
  /** Hex, 32 bytes each. */
  readonly networkId: string;
  readonly nodeId: string;
  /** Hex, DER SPKI: the key of all the node's ports. */
  readonly publicKey: string;
  /** What its worker enclaves proved to its manager enclave, sorted by measurement. */
  readonly workers: readonly AttestedWorker[];
}

/** A worker enclave as its manager saw it prove itself. */
export interface AttestedWorker {
  /** Hex, 32 bytes. */
  readonly measurement: string;
  readonly platform: string;
}

/** GET /node/evidence. */
export interface EvidenceAnswer {
  readonly statement: EvidenceStatement;
  /** Base64. */
  readonly evidence: string;
}
