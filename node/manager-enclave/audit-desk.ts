import { setImmediate as nextTurn } from 'node:timers/promises';
import { ApiError, type AuditSharesAnswer } from '@concordat/api';
import {
  type AuditGrant,
  decodeMessage,
  epochKeyRows,
  type GovernanceMessage,
  identifyMessage,
  isAuditGranted,
  isGivingRecorded,
  readGiving,
  sharedKeys,
  thresholdKeyOf,
} from '@concordat/governance';
import {
  type AuditShare,
  auditorRequester,
  createDecryptionShare,
  decodeCiphertext,
  sealAuditShares,
  sessionKeyLabel,
} from '@concordat/keys';
import type { ReadView } from '@concordat/kv';
import { type Epoch, toEpoch } from '@concordat/std';
import { entropy, pause } from './enclave-sources.ts';
import { ManagerError } from './errors.ts';
import type { GovernanceDesk } from './governance-desk.ts';
import type { NodeContext } from './node-context.ts';
import type { HeldShare } from './share-vault.ts';

/** This node takes up the record of a giving within this time of its commit, or says it did not. */
const takeUpMs = 10_000;
const lookMs = 20;

/** What the desk needs of its node. */
type AuditNode = Pick<NodeContext, 'administration' | 'identity' | 'control'> & {
  readonly network: Pick<NodeContext['network'], 'id'>;
  readonly vault: Pick<NodeContext['vault'], 'shareOf'>;
};

/** The ciphertext of an epoch's session key, and what this node's share of its shared key is. */
interface Readable {
  readonly epoch: Epoch;
  readonly key: number;
  readonly sharing: number;
  readonly ciphertext: Uint8Array;
  readonly label: Uint8Array;
  readonly held: HeldShare;
}

/**
 * Gives an auditor this member's decryption shares, at the member's own signed order and under a grant
 * that the members voted (paper: Audit). The ledger records it first, for everybody to see; each share
 * is bound to the auditor's name and key, and all of them are sealed to that key inside the enclave, so
 * that whoever carries the file reads nothing. A message is heard once: whoever lost the answer signs
 * another.
 */
export class AuditDesk {
  readonly #node: AuditNode;
  readonly #governance: Pick<GovernanceDesk, 'submit'>;

  constructor(node: AuditNode, governance: Pick<GovernanceDesk, 'submit'>) {
    this.#node = node;
    this.#governance = governance;
  }

  /**
   * Records and gives what a message orders.
   * @throws ApiError MALFORMED_MESSAGE, NOT_OWN_NODE, AUDIT_NOT_GRANTED, EPOCH_NOT_BEGUN; GovernanceError
   *   REPLAY, NOT_A_HOLDER, …; ManagerError SHARE_NOT_HELD, TRANSACTION_UNKNOWN, LEADER_UNKNOWN,
   *   TRANSACTION_LOST, OVERLOADED
   */
  async give(bytes: Uint8Array): Promise<AuditSharesAnswer> {
    const message = identifyMessage(this.#committed, decodeMessage(bytes));
    if (message.type !== 'giving') {
      throw new ApiError('MALFORMED_MESSAGE', 'a giving message is expected here');
    }
    this.#requireOwn(message);
    const giving = readGiving(message.payload);
    // Before anything is recorded: what cannot be given is not said to be.
    this.#readable(giving);
    await this.#governance.submit(bytes);
    await this.#recorded(message);
    const shares = await this.#shares(giving);
    const { auditor, encryptionKey } = giving;
    const { signer: actor, networkId } = message;
    const name = { networkId, auditor, encryptionKey, actor };
    const epochs = [...new Set(shares.map(({ epoch }) => epoch as number))];
    this.#node.control.log('audit.shares-given', { auditor, epochs: epochs.length });
    return { epochs, file: sealAuditShares(name, shares, entropy(32)) };
  }

  get #committed(): ReadView {
    return this.#node.administration.committedState;
  }

  #requireOwn({ signer, networkId }: GovernanceMessage): void {
    const { administration, identity, network } = this.#node;
    const own = administration.committedConstitution.nodes.find(({ nodeId }) => {
      return nodeId === identity.nodeId;
    });
    const isListed = own?.status === 'trusted' || own?.status === 'learning';
    if (isListed && own.actorId === signer && networkId === network.id) return;
    const why = 'shares are given by a node of the member that signed, of this network';
    throw new ApiError('NOT_OWN_NODE', why);
  }

  /** Waits until this node has the record too. */
  async #recorded({ messageId }: GovernanceMessage): Promise<void> {
    const until = performance.now() + takeUpMs;
    while (performance.now() < until) {
      if (isGivingRecorded(this.#committed, messageId)) return;
      await pause(lookMs);
    }
    const why = 'the giving is recorded, and this node has not taken the record up: order it anew';
    throw new ManagerError('TRANSACTION_UNKNOWN', why);
  }

  async #shares(giving: AuditGrant): Promise<AuditShare[]> {
    const { auditor: name, encryptionKey, epochs } = giving;
    const requester = auditorRequester({ name, encryptionKey });
    const shares: AuditShare[] = [];
    for (const epoch of epochs) {
      // Asked anew each time: between two turns a vote may have revoked the grant.
      for (const one of this.#readable({ ...giving, epochs: [epoch] })) {
        const { key, sharing, label, held } = one;
        const request = { ciphertext: decodeCiphertext(one.ciphertext), label, requester };
        const share = createDecryptionShare(request, held, entropy(64));
        shares.push({ epoch: one.epoch, key, sharing, share });
      }
      await nextTurn();
    }
    return shares;
  }

  /** What a giving names, if the committed ledger allows all of it and this node holds its shares. */
  #readable({ auditor, encryptionKey, epochs }: AuditGrant): Readable[] {
    const view = this.#committed;
    const keys = new Map(sharedKeys(view).map((shared) => [shared.key.number, shared]));
    return epochs.flatMap((number) => {
      const epoch = toEpoch(number);
      if (!isAuditGranted(view, { auditor, encryptionKey, epoch })) {
        const why = `no grant in force lets auditor ${auditor} with this key read epoch ${epoch}`;
        throw new ApiError('AUDIT_NOT_GRANTED', why, { auditor, epoch });
      }
      const rows = epochKeyRows(view, epoch);
      if (rows.length === 0) {
        throw new ApiError('EPOCH_NOT_BEGUN', `epoch ${epoch} has not begun`, { epoch });
      }
      return rows.map(({ keyNumber: key, ciphertext }): Readable => {
        const shared = keys.get(key);
        const held = shared && this.#node.vault.shareOf(key, shared.key.sharing);
        if (!held) {
          const why = `this node holds no share of key ${key}, which epoch ${epoch} is read with`;
          throw new ManagerError('SHARE_NOT_HELD', why, { epoch, key });
        }
        const { id: keyId } = thresholdKeyOf(shared.sharing);
        const label = sessionKeyLabel({ networkId: this.#node.network.id, epoch, keyId });
        return { epoch, key, sharing: shared.key.sharing, ciphertext, label, held };
      });
    });
  }
}
