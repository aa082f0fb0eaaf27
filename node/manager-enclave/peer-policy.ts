import type { NodeId } from '@concordat/std';

/** How a node presents itself on the node channel. */
export type PeerRole = 'peer' | 'joiner' | 'resumer';

/** What a node asks the other side's evidence to be bound to, beside the key of the channel. */
export interface Challenge {
  readonly role: PeerRole;
  /** 64 hex digits; zeros while the node does not know its network. */
  readonly networkId: string;
  /** 32 bytes: the newest history root the asking node holds. */
  readonly ledgerRoot: Uint8Array;
  readonly epoch: number;
}

/** The other side of a session once its certificate is known. */
export interface PeerIdentity {
  readonly nodeId: NodeId;
  /** DER SPKI. */
  readonly publicKey: Uint8Array;
  /** DER. */
  readonly certificate: Uint8Array;
}

/** Who is at the other end of an admitted session. */
export interface PresentPeer {
  readonly peer: PeerIdentity;
  /** How it presents itself. */
  readonly role: PeerRole;
}

/** What a session asks of the node it belongs to. */
export interface PeerPolicy<Session extends PresentPeer = PresentPeer> {
  challenge(): Challenge;
  /** This node's evidence for the other side's challenge. */
  prove(challenge: Challenge): Promise<Uint8Array>;
  /**
   * Judges the other side: its evidence (answering `asked`) and whether it may be here at all,
   * given how it presents itself in `theirs`.
   * @throws CodedError with the code to tell the other side
   */
  admit(peer: PeerIdentity, evidence: Uint8Array, asked: Challenge, theirs: Challenge): void;
  /** Consensus message from an admitted peer. */
  onConsensus(session: Session, message: Buffer): void;
  /** The messages of one received chunk have all been handed over. */
  onTurn(): void;
  /** Request from an admitted peer; the reply's bytes, or a CodedError. */
  onRequest(session: Session, kind: string, body: Buffer): Promise<Uint8Array>;
  /** A request ended in a fault of this node's own. */
  onFault(session: Session, error: unknown): void;
  onEstablished(session: Session): void;
  onClosed(session: Session, error: Error): void;
}
