import type { KeyExportAnswer } from '@concordat/api';
import { ApiError } from '@concordat/api';
import {
  decodeMessage,
  type GovernanceMessage,
  identifyMessage,
  type KeyExport,
  keyExportsOf,
  recordedSharing,
  sharedKeys,
  thresholdKeyOf,
} from '@concordat/governance';
import { encodeRecoveryShare, sealRecoveryShare } from '@concordat/keys';
import type { ReadView } from '@concordat/kv';
import { assert, emptyBytes, fromHex, toDigest } from '@concordat/std';
import { entropy, pause } from './enclave-sources.ts';
import { ManagerError } from './errors.ts';
import type { GovernanceDesk } from './governance-desk.ts';
import type { NodeContext } from './node-context.ts';
import type { HeldShare } from './share-vault.ts';

/** This node takes up the record of a copy within this time of its commit, or says that it did not. */
const takeUpMs = 10_000;
const lookMs = 20;

/** Entropy of one sealing, bytes. */
const sealingBytes = 32;

/** What the desk needs of its node. */
type KeyExportNode = Pick<NodeContext, 'administration' | 'identity' | 'control'> & {
  readonly network: Pick<NodeContext['network'], 'id'>;
  readonly vault: Pick<NodeContext['vault'], 'shareOf'>;
};

/**
 * Gives a member recovery copies of its shares, at its own signed request and from its own node. The
 * ledger records it first, for everybody to see; what is given is sealed to the key in the message,
 * inside the enclave. The same message may be sent again, also to another node of the member's: it is
 * recorded once, and gets the same copies sealed to the same key.
 */
export class KeyExportDesk {
  readonly #node: KeyExportNode;
  readonly #governance: Pick<GovernanceDesk, 'submit'>;

  constructor(node: KeyExportNode, governance: Pick<GovernanceDesk, 'submit'>) {
    this.#node = node;
    this.#governance = governance;
  }

  /**
   * Records and gives what a message asks for.
   * @throws ApiError NOT_OWN_NODE; GovernanceError MALFORMED_MESSAGE, KEY_EXPORTED, NOT_A_HOLDER, …;
   *   ManagerError SHARE_NOT_HELD, TRANSACTION_UNKNOWN, LEADER_UNKNOWN, TRANSACTION_LOST, OVERLOADED
   */
  async give(bytes: Uint8Array): Promise<KeyExportAnswer> {
    const message = identifyMessage(this.#committed, decodeMessage(bytes));
    if (message.type !== 'key-export') {
      throw new ApiError('MALFORMED_MESSAGE', 'a key-export message is expected here');
    }
    this.#requireOwn(message);
    const rows = this.#recorded(message) ?? (await this.#record(bytes, message));
    const copies: KeyExportAnswer['copies'][number][] = [];
    const missing: KeyExportAnswer['missing'][number][] = [];
    for (const row of rows) {
      const { key, sharing } = row;
      const held = this.#node.vault.shareOf(key, sharing);
      if (held?.index === row.index) copies.push({ key, sharing, file: this.#sealed(row, held) });
      else missing.push({ key, sharing });
    }
    const keys = copies.map(({ key }) => key);
    this.#node.control.log('keys.exported', { keys, missing: missing.length });
    return { copies, missing };
  }

  get #committed(): ReadView {
    return this.#node.administration.committedState;
  }

  #requireOwn({ signer, networkId }: GovernanceMessage): void {
    const { administration, identity, network } = this.#node;
    const own = administration.committedConstitution.nodes.find(({ nodeId }) => {
      return nodeId === identity.nodeId;
    });
    if (own?.actorId === signer && networkId === network.id) return;
    const why = 'copies of shares are given by a node of the member that signed, of this network';
    throw new ApiError('NOT_OWN_NODE', why);
  }

  /** What an earlier sending of the message was recorded as; its signature was verified then. */
  #recorded({ messageId }: GovernanceMessage): readonly KeyExport[] | undefined {
    const rows = keyExportsOf(this.#committed, messageId);
    return rows.length > 0 ? rows : undefined;
  }

  /** Records it by way of the leader, and waits until this node has the record too. */
  async #record(bytes: Uint8Array, message: GovernanceMessage): Promise<readonly KeyExport[]> {
    this.#requireShares(message);
    await this.#governance.submit(bytes);
    const until = performance.now() + takeUpMs;
    while (performance.now() < until) {
      const rows = this.#recorded(message);
      if (rows) return rows;
      await pause(lookMs);
    }
    const why = 'the copy is recorded, and this node has not taken the record up: send it again';
    throw new ManagerError('TRANSACTION_UNKNOWN', why);
  }

  /** Before anything is recorded: a node that holds nothing has nothing to give. */
  #requireShares({ signer }: GovernanceMessage): void {
    const mine = sharedKeys(this.#committed).filter(({ sharing }) => {
      return sharing.holders.some(({ actorId }) => actorId === signer);
    });
    const { vault } = this.#node;
    const holds = mine.some(({ key }) => vault.shareOf(key.number, key.sharing));
    if (holds || mine.length === 0) return;
    throw new ManagerError('SHARE_NOT_HELD', 'this node does not hold its actor’s shares yet');
  }

  #sealed({ key, sharing, index, actorId, publicKey }: KeyExport, { secret }: HeldShare): string {
    const row = recordedSharing(this.#committed, sharing);
    assert(row?.key === key, 'a sharing that was recorded is kept');
    const name = {
      networkId: this.#node.network.id,
      keyId: thresholdKeyOf(row).id,
      ceremonyId: toDigest(fromHex(row.ceremonyId) ?? emptyBytes),
      actor: actorId,
      index,
    };
    const to = { publicKey: fromHex(publicKey) ?? emptyBytes };
    const sealed = sealRecoveryShare({ name, secret, to, entropy: entropy(sealingBytes) });
    return encodeRecoveryShare(sealed);
  }
}
