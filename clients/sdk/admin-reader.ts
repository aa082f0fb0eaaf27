import {
  adminPaths,
  type CommitState,
  type ConstitutionAnswer,
  type EventLine,
  type Health,
  type NetworkState,
  type NodeState,
  type ProposalsAnswer,
  type RecoveryOffer,
  type RecoveryState,
  type SharedKeysState,
  type TransactionState,
} from '@concordat/api';
import { CryptoError, fromPem } from '@concordat/crypto';
import {
  type Constitution,
  type GovernanceEvent,
  type Proposal,
  programDigest,
} from '@concordat/governance';
import {
  type CoseReceiptVerdict,
  type ReceiptJson,
  type ReceiptVerdict,
  verifyCoseReceipt,
  verifyReceipt,
} from '@concordat/ledger';
import { equalBytes } from '@concordat/std';
import { Connection, type ConnectionOptions } from './connection.ts';
import { errorOfAnswer, parseJson, SdkError } from './errors.ts';
import { readEvents } from './event-stream.ts';
import type { EventsWanted } from './network-events.ts';
import { type Patience, polling, type RetryPolicy, retrying } from './retrying.ts';

/** What the administrative channel of one node tells, typed (paper, "Secure Communication"). */
export class AdminReader {
  readonly connection: Connection;
  protected readonly retry: RetryPolicy;
  #networkId: string | undefined;

  /** @throws SdkError INVALID_ADDRESS, INVALID_NETWORK_CERTIFICATE */
  constructor(options: ConnectionOptions & { readonly retry?: RetryPolicy }) {
    this.connection = new Connection(options);
    this.retry = options.retry ?? {};
  }

  /** What the node says of itself. @throws SdkError */
  state(): Promise<NodeState> {
    return this.#get<NodeState>(adminPaths.state, 'nodeId');
  }

  /**
   * The network as the node knows it.
   * @throws SdkError WRONG_NETWORK when the node's network certificate is not the pinned one
   */
  async network(): Promise<NetworkState> {
    const network = await this.#get<NetworkState>(adminPaths.network, 'networkId');
    const told = certificateOf(network.networkCertificate);
    const pinned = certificateOf(this.connection.networkCertificate);
    if (told && pinned && equalBytes(told, pinned)) return network;
    throw new SdkError('WRONG_NETWORK', 'the node names another network certificate');
  }

  /** Id of the network, hex, which signed messages are bound to. @throws SdkError */
  async networkId(): Promise<string> {
    this.#networkId ??= (await this.network()).networkId;
    return this.#networkId;
  }

  /** The last committed transaction. @throws SdkError */
  commit(): Promise<CommitState> {
    return this.#get<CommitState>(adminPaths.commit, 'transaction_id');
  }

  /** The process works at all. @throws SdkError */
  health(): Promise<Health> {
    return this.#get<Health>(adminPaths.health, 'status');
  }

  /** The node serves. Not tried again by itself. @throws SdkError NODE_NOT_READY */
  ready(): Promise<Health> {
    return this.#getOnce<Health>(adminPaths.ready, 'status');
  }

  /** Prometheus text. @throws SdkError */
  async metrics(): Promise<string> {
    const { status, body } = await this.connection.request({ path: adminPaths.metrics });
    if (status !== 200) throw errorOfAnswer(status, body);
    return body.toString('utf8');
  }

  /** Where a transaction `view.seqno` stands. @throws SdkError */
  transaction(transactionId: string): Promise<TransactionState> {
    return this.#get<TransactionState>(withId(adminPaths.transaction, transactionId), 'status');
  }

  /**
   * Waits until a transaction is committed on this node.
   * @throws SdkError TRANSACTION_NOT_FOUND when it is lost for ever; TIMEOUT
   */
  async waitForCommit(transactionId: string, patience?: Patience): Promise<void> {
    const ask = async (): Promise<true | undefined> => {
      const { status } = await this.transaction(transactionId);
      if (status === 'Invalid') {
        throw new SdkError('TRANSACTION_NOT_FOUND', `${transactionId} will never be committed`);
      }
      return status === 'Committed' ? true : undefined;
    };
    await polling(ask, `the commit of ${transactionId}`, patience);
  }

  /**
   * The receipt of a transaction, once it is committed. A receipt that is returned has been
   * verified against the pinned network certificate and is of this transaction.
   * @throws SdkError TRANSACTION_NOT_FOUND, RECEIPT_INVALID, TIMEOUT
   */
  async receipt(transactionId: string, patience?: Patience): Promise<ReceiptJson> {
    const path = withId(adminPaths.receipt, transactionId);
    const ask = async (): Promise<ReceiptJson | undefined> => {
      try {
        return await this.#get<ReceiptJson>(path, 'leaf_components');
      } catch (error) {
        if (error instanceof SdkError && error.code === 'TRANSACTION_PENDING') return undefined;
        throw error;
      }
    };
    const receipt = await polling(ask, `the receipt of ${transactionId}`, patience);
    requireProof(transactionId, verifyReceipt(receipt, this.connection.networkCertificate));
    return receipt;
  }

  /**
   * The same as COSE (RFC 9942), the bytes of which were verified as well.
   * @throws SdkError TRANSACTION_NOT_FOUND, RECEIPT_INVALID, TIMEOUT
   */
  async coseReceipt(transactionId: string, patience?: Patience): Promise<Uint8Array> {
    const path = `${withId(adminPaths.receipt, transactionId)}&format=cose`;
    const once = async (): Promise<Uint8Array> => {
      const { status, body } = await this.connection.request({ path });
      if (status === 200) return body;
      throw errorOfAnswer(status, body);
    };
    const ask = async (): Promise<Uint8Array | undefined> => {
      try {
        return await retrying(once, this.retry);
      } catch (error) {
        if (error instanceof SdkError && error.code === 'TRANSACTION_PENDING') return undefined;
        throw error;
      }
    };
    const receipt = await polling(ask, `the receipt of ${transactionId}`, patience);
    requireProof(transactionId, verifyCoseReceipt(receipt, this.connection.networkCertificate));
    return receipt;
  }

  /** The constitution in force. @throws SdkError */
  constitution(): Promise<ConstitutionAnswer<Constitution>> {
    return this.#get(adminPaths.constitution, 'constitution');
  }

  /** Every proposal, in the order of opening. @throws SdkError */
  async proposals(): Promise<readonly Proposal[]> {
    const answer = await this.#get<ProposalsAnswer<Proposal>>(adminPaths.proposals, 'proposals');
    return answer.proposals;
  }

  /** One proposal. @throws SdkError PROPOSAL_NOT_FOUND */
  proposal(proposalId: string): Promise<Proposal> {
    return this.#get(`${adminPaths.proposals}/${encodeURIComponent(proposalId)}`, 'proposalId');
  }

  /**
   * What committed transactions change in governance, until the signal or the end of the loop. It
   * does not reconnect; who does gives the seqno heard last.
   * @throws SdkError CONNECTION_LOST when the node ends the stream
   */
  async *events({ since, signal }: EventsWanted = {}): AsyncGenerator<EventLine<GovernanceEvent>> {
    const stream = await this.connection.stream({
      path: since === undefined ? adminPaths.events : `${adminPaths.events}?since=${since}`,
      ...(signal && { signal }),
    });
    yield* readEvents(stream, this.connection.address, signal);
  }

  /**
   * A program that is in force or proposed, by its digest, which was verified.
   * @throws SdkError APPLICATION_NOT_FOUND, UNEXPECTED_ANSWER
   */
  async program(digest: string): Promise<Buffer> {
    const once = async (): Promise<Buffer> => {
      const path = `${adminPaths.programs}/${encodeURIComponent(digest)}`;
      const { status, body } = await this.connection.request({ path });
      if (status !== 200) throw errorOfAnswer(status, body);
      if (programDigest(body) === digest) return body;
      throw new SdkError('UNEXPECTED_ANSWER', 'the node gave another program than was asked for');
    };
    return retrying(once, this.retry);
  }

  /** The shared keys, whose shares they are, and who was given recovery copies. @throws SdkError */
  sharedKeys(): Promise<SharedKeysState> {
    return this.#get<SharedKeysState>(adminPaths.keys, 'keys');
  }

  /** How far a recovered network is. @throws SdkError NETWORK_NOT_RECOVERING */
  recovery(): Promise<RecoveryState> {
    return this.#get<RecoveryState>(adminPaths.recovery, 'stage');
  }

  /** What a recovering node attests. @param nonce 64 hex digits, fresh @throws SdkError */
  recoveryOffer(nonce: string): Promise<RecoveryOffer> {
    return this.#get<RecoveryOffer>(`${adminPaths.recoveryOffer}?nonce=${nonce}`, 'statement');
  }

  #get<Shape>(path: string, property: keyof Shape & string): Promise<Shape> {
    const once = () => this.#getOnce<Shape>(path, property);
    return retrying(once, this.retry);
  }

  async #getOnce<Shape>(path: string, property: keyof Shape & string): Promise<Shape> {
    const { status, body } = await this.connection.request({ path });
    return readAnswer<Shape>(status, body, property);
  }

  /** Cuts its connections. */
  close(): void {
    this.connection.close();
  }
}

/** @throws SdkError RECEIPT_INVALID unless a receipt proves this very transaction */
function requireProof(transactionId: string, verdict: ReceiptVerdict | CoseReceiptVerdict): void {
  if (verdict.ok && verdict.transactionId === transactionId) return;
  const why = verdict.ok ? `it is the receipt of ${verdict.transactionId}` : verdict.why;
  throw new SdkError('RECEIPT_INVALID', `receipt of ${transactionId}: ${why}`, {
    reason: verdict.ok ? 'OTHER_TRANSACTION' : verdict.code,
  });
}

/** DER of the first certificate of a PEM text that a node sent; undefined when it is none. */
function certificateOf(pem: unknown): Uint8Array | undefined {
  if (typeof pem !== 'string') return undefined;
  try {
    return fromPem(pem)[0];
  } catch (error) {
    if (error instanceof CryptoError) return undefined;
    throw error;
  }
}

const withId = (path: string, transactionId: string): string =>
  `${path}?transaction_id=${encodeURIComponent(transactionId)}`;

/** The JSON object of an answer that has the property its shape is told by. */
export function readAnswer<Shape>(
  status: number,
  body: Buffer,
  property: keyof Shape & string,
): Shape {
  if (status !== 200) throw errorOfAnswer(status, body);
  const value = parseJson(body);
  if (typeof value === 'object' && value !== null && property in value) return value as Shape;
  throw new SdkError('UNEXPECTED_ANSWER', `the answer is no JSON object with ${property}`);
}
