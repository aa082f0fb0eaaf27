import {
  type AuditSharesAnswer,
  adminPaths,
  coseMediaType,
  deploymentMediaType,
  encodeDeployment,
  type KeyExportAnswer,
  type RecoveryGift,
  type RecoveryState,
  type SubmissionAnswer,
} from '@concordat/api';
import {
  type AuditGrant,
  buildAcknowledgement,
  buildGiving,
  buildHolderRotation,
  buildKeyExport,
  buildProposal,
  buildVote,
  buildWithdrawal,
  type GovernanceEffect,
  type KeyExportRequest,
  type MessageOptions,
  type ProposedAction,
  programDigest,
} from '@concordat/governance';
import { utf8 } from '@concordat/std';
import { AdminReader, readAnswer } from './admin-reader.ts';
import { SdkError } from './errors.ts';
import { retrying } from './retrying.ts';

/** What a submitted governance message led to. */
export type Submission = SubmissionAnswer<GovernanceEffect>;

/** The administrative channel of one node with what an identity signs. */
export class AdminClient extends AdminReader {
  /**
   * Submits a signed governance message; answers after its commit. Never tried again by itself;
   * sending the same bytes again is answered REPLAY if they took effect before.
   * @throws SdkError of governance
   */
  async submit(message: Uint8Array): Promise<Submission> {
    const headers = { 'content-type': coseMediaType };
    const { status, body } = await this.connection.request({
      method: 'POST',
      path: adminPaths.messages,
      headers,
      body: message,
    });
    return readAnswer<Submission>(status, body, 'proposalId');
  }

  /** Signs and submits a proposal to make all of these changes, or none. @throws SdkError */
  async propose(actions: readonly ProposedAction[]): Promise<Submission> {
    return this.submit(buildProposal({ ...(await this.#signing()), actions }));
  }

  /**
   * Signs and submits a proposal that an adapter run a program, which is sent along and checked by the
   * leader's worker before anything is recorded. Answers after the proposal's commit.
   * @throws SdkError PROGRAM_REFUSED: details.reason is the adapter's code, with `file` and `line`
   */
  async deploy(application: {
    readonly program: Uint8Array;
    /** Default `javascript`. */
    readonly adapter?: string;
  }): Promise<Submission> {
    const { program, adapter = 'javascript' } = application;
    const args = { adapter, digest: programDigest(program), bytes: program.length };
    const actions = [{ name: 'set_application', args }] as const;
    const message = buildProposal({ ...(await this.#signing()), actions });
    const { status, body } = await this.connection.request({
      method: 'POST',
      path: adminPaths.deployments,
      headers: { 'content-type': deploymentMediaType },
      body: encodeDeployment({ message, program }),
    });
    return readAnswer<Submission>(status, body, 'proposalId');
  }

  /** Signs and submits a vote for or against a proposal. @throws SdkError */
  async vote(proposalId: string, accept: boolean): Promise<Submission> {
    return this.submit(buildVote({ ...(await this.#signing()), proposalId, accept }));
  }

  /** Signs and submits the withdrawal of a proposal of one's own. @throws SdkError */
  async withdraw(proposalId: string): Promise<Submission> {
    return this.submit(buildWithdrawal({ ...(await this.#signing()), proposalId }));
  }

  /**
   * Signs and sends a request for recovery copies of one's own shares to one's own node. The same
   * message is sent again when the way to the node breaks: it is recorded once and answered alike.
   * @throws SdkError NOT_OWN_NODE, KEY_EXPORTED, NOT_A_HOLDER, SHARE_NOT_HELD, …
   */
  async exportKeys(request: KeyExportRequest): Promise<KeyExportAnswer> {
    const body = buildKeyExport({ ...(await this.#signing()), request });
    const headers = { 'content-type': coseMediaType };
    const ask = { method: 'POST', path: adminPaths.keyExports, headers, body } as const;
    const once = async (): Promise<KeyExportAnswer> => {
      const answer = await this.connection.request(ask);
      return readAnswer<KeyExportAnswer>(answer.status, answer.body, 'copies');
    };
    return retrying(once, this.retry);
  }

  /**
   * Signs and submits that one has read the constitution with these terms, which must be in force.
   * @param terms hex, 32 bytes: `constitutionTerms` of what was read
   * @throws SdkError CONSTITUTION_NOT_IN_FORCE, …
   */
  async acknowledge(terms: string): Promise<Submission> {
    return this.submit(buildAcknowledgement({ ...(await this.#signing()), terms }));
  }

  /**
   * Signs and submits the order to replace one's own holder key: one's nodes draw another, and what was
   * dealt to the old one is dealt anew.
   * @throws SdkError HOLDER_NEEDED, NOT_A_HOLDER, …
   */
  async rotateHolder(): Promise<Submission> {
    return this.submit(buildHolderRotation(await this.#signing()));
  }

  /**
   * Signs and sends an order to one's own node to give an auditor decryption shares. Never tried again
   * by itself: each order is heard once.
   * @throws SdkError NOT_OWN_NODE, AUDIT_NOT_GRANTED, EPOCH_NOT_BEGUN, SHARE_NOT_HELD, …
   */
  async giveAuditShares(giving: AuditGrant): Promise<AuditSharesAnswer> {
    const body = buildGiving({ ...(await this.#signing()), giving });
    const headers = { 'content-type': coseMediaType };
    const ask = { method: 'POST', path: adminPaths.auditShares, headers, body } as const;
    const answer = await this.connection.request(ask);
    return readAnswer<AuditSharesAnswer>(answer.status, answer.body, 'file');
  }

  /**
   * Gives a recovering node this actor's decryption shares; answers once that is recorded.
   * @throws SdkError RECOVERY_SHARES_REFUSED
   */
  async giveRecoveryShares(gift: RecoveryGift): Promise<RecoveryState> {
    const { status, body } = await this.connection.request({
      method: 'POST',
      path: adminPaths.recoveryShares,
      headers: { 'content-type': 'application/json' },
      body: utf8(JSON.stringify(gift)),
    });
    return readAnswer<RecoveryState>(status, body, 'stage');
  }

  async #signing(): Promise<MessageOptions> {
    const { identity } = this.connection;
    if (!identity?.messageSigner) {
      throw new SdkError('INVALID_IDENTITY', 'signing takes an identity with a P-256 key');
    }
    return {
      ...identity.messageSigner,
      certificateDer: identity.certificateDer,
      networkId: await this.networkId(),
      createdAtSeconds: Math.floor(Date.now() / 1000),
    };
  }
}
