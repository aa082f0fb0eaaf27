/** The network whose ledger a recovered one goes on from, and how far that ledger was at hand. */
export interface FormerNetwork {
  /** Hex, 32 bytes. */
  readonly networkId: string;
  /** PEM. */
  readonly networkCertificate: string;
  /** Of the last block there is; the former network may have committed others after it. */
  readonly lastHeight: number;
  /** `view.seqno` of the last transaction in it. */
  readonly lastTransaction: string;
  /** When that block was sealed, milliseconds since the Unix epoch. */
  readonly lastTimeMs: number;
  /** Root of the history up to that block, hex. */
  readonly historyRoot: string;
  /** Digest of the constitution after that block, hex. */
  readonly constitutionDigest: string;
}

/**
 * How far a recovered network is: `recovering` until the private state of the former one is in it,
 * `restored` until its members vote it open, then `open`.
 */
export type RecoveryStage =
  | { readonly stage: 'recovering' }
  | {
      readonly stage: 'restored' | 'open';
      /** Application blocks of the former ledger that were taken over. */
      readonly formerBlocks: number;
      /** Application transactions taken over. */
      readonly transactions: number;
    };

/** What a member consented to by giving decryption shares for a recovery. */
export interface RecoveryConsent {
  /** For whom its shares are: `recovery:` and the node id of the recovering node. */
  readonly requester: string;
  /** First and last epoch of the former network it gave shares for. */
  readonly epochs: readonly [number, number];
  /** Hex SHA-256 of the sealed shares. */
  readonly shares: string;
  /** Id of the signed message. */
  readonly messageId: string;
  /** Seconds since the Unix epoch, when it was recorded. */
  readonly atSeconds: number;
}
