import { utf8 } from '@concordat/std';

/** The ledger a network is recovered from; the record of its first block has this shape. */
export interface FormerLedgerEnd {
  /** Hex, 32 bytes. */
  readonly networkId: string;
  /** PEM. */
  readonly networkCertificate: string;
  /** Of the last block there is: the former network may have committed others after it. */
  readonly lastHeight: number;
  /** `view.seqno` of the last transaction in it. */
  readonly lastTransaction: string;
  /** Milliseconds since the Unix epoch. */
  readonly lastTimeMs: number;
  /** Hex, 32 bytes. */
  readonly historyRoot: string;
  /** Hex, 32 bytes. */
  readonly constitutionDigest: string;
}

/** GET /gov/recovery: how far a recovered network is. */
export interface RecoveryState {
  /** `shares` are missing, the state is being `restoring`, it is `restored`, or the network `open`. */
  readonly stage: 'shares' | 'restoring' | 'restored' | 'open';
  readonly former: FormerLedgerEnd;
  /** Epochs that cannot be read yet, and the names of those who gave shares or could. */
  readonly missing?: readonly {
    readonly from: number;
    readonly to: number;
    readonly needed: number;
    readonly given: readonly string[];
    readonly missing: readonly string[];
  }[];
  /** Why the state cannot be restored from the copy of the ledger at hand. */
  readonly failure?: string;
  /** Application blocks and transactions taken over. */
  readonly formerBlocks?: number;
  readonly transactions?: number;
}

/** What a recovering node attests with its offer: hashed, it stands in the evidence. */
export interface RecoveryStatement {
  readonly type: 'concordat.recovery-offer.v1';
  /** The caller's, 64 hex digits: makes the evidence fresh. */
  readonly nonce: string;
  /** Hex, 32 bytes: of the new network. */
  readonly networkId: string;
  /** Hex, 32 bytes: whom shares are to be bound to, as `recovery:` and this. */
  readonly nodeId: string;
  /** Hex DER SPKI of the node's key. */
  readonly publicKey: string;
  /** Hex, 65-byte uncompressed P-256 point: what shares are sealed to. */
  readonly encryptionKey: string;
  readonly former: FormerLedgerEnd;
}

/** GET /gov/recovery/offer. */
export interface RecoveryOffer {
  readonly statement: RecoveryStatement;
  /** Base64. */
  readonly evidence: string;
}

/** POST /gov/recovery/shares. */
export interface RecoveryGift {
  /** Base64 of the signed consent. */
  readonly message: string;
  /** Base64: a file of decryption shares, sealed (HPKE) to the node's encryption key. */
  readonly sealed: string;
}

/** HPKE info of sealed shares: they open for this network and node alone. */
export const recoveryGiftInfo = ({
  networkId,
  nodeId,
}: Pick<RecoveryStatement, 'networkId' | 'nodeId'>): Uint8Array =>
  utf8(`concordat recovery shares v1 ${networkId} ${nodeId}`);

/** Most holders, each in one sharing, in one file of decryption shares. */
export const maxSharesHolders = 1_024;
/** Largest body of a {@link RecoveryGift}, bytes. */
export const maxRecoveryGiftBytes = 48 * 1024 * 1024;
