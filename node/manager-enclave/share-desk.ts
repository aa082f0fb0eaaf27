import { setImmediate as nextTurn } from 'node:timers/promises';
import {
  epochKeyRow,
  getNode,
  isNodeGranted,
  networkKeyRow,
  type SharedKey,
  sharedKeys,
  thresholdKeyOf,
} from '@concordat/governance';
import {
  createDecryptionShare,
  decodeCiphertext,
  encodeDecryptionShare,
  encodeThresholdKey,
  networkIdentityLabel,
  nodeRequester,
  sessionKeyLabel,
} from '@concordat/keys';
import type { ReadView } from '@concordat/kv';
import { CodedError, type Epoch, fromHex, type NodeId, toDigest } from '@concordat/std';
import { ManagerError } from './errors.ts';
import type { ShareGiving, ShareSource } from './key-sources.ts';
import { networkKeyPlace } from './network-key.ts';
import {
  type AskedKey,
  decodeShareRequest,
  encodeGivenShares,
  type GivenForm,
  type GivenShare,
} from './share-messages.ts';

/** Shares one node may be given at once, and how many a second after that: each costs half a ms. */
const burst = 512;
const perSecond = 128;
/** Nodes whose rate is remembered; a request of any other starts with a full allowance. */
const maxRemembered = 2_048;

/**
 * Gives this actor's decryption shares to nodes the ledger grants the epochs to (paper, "Encrypting
 * Persistent State"). What counts is the committed ledger alone: the node is learning or trusted in
 * its list, a grant of it covers the epoch, and the ciphertext is the one it holds. The share is bound
 * to the node, so that no other one can use it.
 */
export class ShareDesk implements ShareGiving {
  readonly #committed: () => ReadView | undefined;
  readonly #vault: ShareSource;
  readonly #networkId: () => string;
  readonly #entropy: (bytes: number) => Uint8Array;
  readonly #nowMs: () => number;
  readonly #refused: (code: string) => void;
  readonly #allowances = new Map<NodeId, { left: number; atMs: number }>();
  #given = 0;

  constructor(parts: {
    /** The committed state; undefined while there is none. */
    readonly committed: () => ReadView | undefined;
    readonly vault: ShareSource;
    readonly networkId: () => string;
    readonly entropy: (bytes: number) => Uint8Array;
    readonly nowMs: () => number;
    /** Told of each refusal. */
    readonly refused: (code: string) => void;
  }) {
    this.#committed = parts.committed;
    this.#vault = parts.vault;
    this.#networkId = parts.networkId;
    this.#entropy = parts.entropy;
    this.#nowMs = parts.nowMs;
    this.#refused = parts.refused;
  }

  /** Decryption shares given since this node started. */
  get given(): number {
    return this.#given;
  }

  /**
   * Answers a request of a peer that this channel has attested: shares of what it names and what can be
   * given, since members may each hold some of several keys, and know more or less of a ledger that is
   * resumed; a refusal when that is nothing.
   * @throws ManagerError NODE_NOT_ADMITTED, EPOCH_NOT_GRANTED, EPOCH_NOT_COMMITTED,
   *   SHARE_NOT_HELD, OVERLOADED, CHANNEL_FAILED
   */
  async give(peer: NodeId, body: Uint8Array): Promise<Uint8Array> {
    try {
      const asked = decodeShareRequest(body);
      this.#spend(peer, asked.length);
      const shares: GivenShare[] = [];
      const forms = new Map<string, GivenForm>();
      let refused: CodedError | undefined;
      for (const each of asked) {
        try {
          // Asked anew each time: between two turns the ledger may have removed the node.
          const { share, form } = this.#shareOf(peer, each);
          shares.push(share);
          forms.set(`${form.key}/${form.sharing}`, form);
        } catch (error) {
          if (!(error instanceof CodedError) || !isOfOne(error)) throw error;
          refused ??= error;
        }
        await nextTurn();
      }
      if (refused && shares.length === 0) throw refused;
      this.#given += shares.length;
      return encodeGivenShares({ shares, forms: [...forms.values()] });
    } catch (error) {
      if (error instanceof CodedError) this.#refused(error.code);
      throw error;
    }
  }

  #shareOf(peer: NodeId, asked: AskedKey): { share: GivenShare; form: GivenForm } {
    const { epoch, key } = asked;
    const committed = this.#committed();
    requireListed(committed, peer);
    const row = rowOf(committed, asked);
    const shared = sharedKeys(committed).find((each) => each.key.number === key);
    if (!row || !shared) {
      throw refusal('EPOCH_NOT_COMMITTED', `no committed key of epoch ${epoch} under key ${key}`);
    }
    requireGranted(committed, peer, epoch);
    const { sharing } = shared.key;
    const held = this.#vault.shareOf(key, sharing);
    if (!held) throw refusal('SHARE_NOT_HELD', `no share of key ${key} as it is shared now`);
    const request = {
      ciphertext: decodeCiphertext(row.ciphertext),
      label: this.#labelOf(asked, shared),
      requester: nodeRequester(peer),
    };
    const share = encodeDecryptionShare(createDecryptionShare(request, held, this.#entropy(64)));
    const form = encodeThresholdKey(thresholdKeyOf(shared.sharing));
    return { share: { epoch, key, sharing, share }, form: { key, sharing, form } };
  }

  #labelOf({ epoch }: AskedKey, { key }: SharedKey): Uint8Array {
    const keyId = toDigest(fromHex(key.keyId) as Uint8Array);
    const networkId = this.#networkId();
    if (epoch === networkKeyPlace) return networkIdentityLabel({ networkId, keyId });
    return sessionKeyLabel({ networkId, epoch, keyId });
  }

  /** @throws ManagerError OVERLOADED when one node asks for too much */
  #spend(peer: NodeId, shares: number): void {
    const nowMs = this.#nowMs();
    const known = this.#allowances.get(peer) ?? { left: burst, atMs: nowMs };
    const left = Math.min(burst, known.left + ((nowMs - known.atMs) / 1000) * perSecond);
    const isEnough = left >= shares;
    this.#allowances.delete(peer);
    this.#allowances.set(peer, { left: isEnough ? left - shares : left, atMs: nowMs });
    if (this.#allowances.size > maxRemembered) {
      this.#allowances.delete(this.#allowances.keys().next().value as NodeId);
    }
    if (!isEnough) throw refusal('OVERLOADED', 'that node asks for too many shares at once');
  }
}

/**
 * Whether a node may have the session key of an epoch, by the committed ledger.
 * @throws ManagerError NODE_NOT_ADMITTED, EPOCH_NOT_GRANTED
 */
export function requireReader(committed: ReadView | undefined, peer: NodeId, epoch: Epoch): void {
  requireListed(committed, peer);
  requireGranted(committed, peer, epoch);
}

/** @throws ManagerError NODE_NOT_ADMITTED */
function requireListed(
  committed: ReadView | undefined,
  peer: NodeId,
): asserts committed is ReadView {
  const node = committed && getNode(committed, peer);
  if (node?.status === 'learning' || node?.status === 'trusted') return;
  throw refusal('NODE_NOT_ADMITTED', 'shares are for learning and trusted nodes of the list');
}

/** What stands in the way of one key, and of no other that was asked for with it. */
const isOfOne = ({ code }: CodedError): boolean =>
  code === 'EPOCH_NOT_COMMITTED' || code === 'EPOCH_NOT_GRANTED' || code === 'SHARE_NOT_HELD';

const rowOf = (committed: ReadView, { epoch, key }: AskedKey) => {
  if (epoch !== networkKeyPlace) return epochKeyRow(committed, { epoch, keyNumber: key });
  const row = networkKeyRow(committed);
  return row?.keyNumber === key ? row : undefined;
};

/**
 * Session keys are for whom the ledger grants the epoch. The network's key needs no grant: it is for
 * trusted nodes, and for nobody else.
 * @throws ManagerError EPOCH_NOT_GRANTED, NODE_NOT_ADMITTED
 */
function requireGranted(committed: ReadView, peer: NodeId, epoch: Epoch): void {
  if (epoch === networkKeyPlace) {
    if (getNode(committed, peer)?.status === 'trusted') return;
    throw refusal('NODE_NOT_ADMITTED', "the network's key is for trusted nodes");
  }
  if (isNodeGranted(committed, peer, epoch)) return;
  throw refusal('EPOCH_NOT_GRANTED', `the ledger grants that node nothing of epoch ${epoch}`);
}

const refusal = (code: ManagerError['code'], why: string): ManagerError =>
  new ManagerError(code, why);
