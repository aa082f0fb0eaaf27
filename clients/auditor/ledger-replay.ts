import { fromPem } from '@concordat/crypto';
import {
  type Constitution,
  endorsedNodeKey,
  getNode,
  governanceTables,
  hasGenesis,
  type NodeEntry,
  networkIdOf,
  networkInfo,
  readConstitution,
} from '@concordat/governance';
import { decodeWriteSet, type ReadView, Store, type TransactionSet } from '@concordat/kv';
import { decodeHeader, openPublicPart, type SessionKey } from '@concordat/ledger';
import { type Epoch, emptyBytes, equalBytes, type NodeId } from '@concordat/std';
import type { EpochKeys } from './epoch-keys.ts';
import { AuditorError } from './errors.ts';
import { isFormError } from './form-error.ts';
import { frameworkTables } from './framework-tables.ts';
import { LedgerDamage } from './ledger-damage.ts';

/** A node with the certificate of the network. */
export interface EndorsedNode {
  readonly entry: NodeEntry;
  /** DER. */
  readonly publicKeySpki: Uint8Array;
}

/**
 * What a ledger tells of itself as it is read from its first block: its state in public and its
 * nodes' keys; and the session keys that whoever reads it was given. Nodes count only with a certificate that
 * the pinned network certificate issued, so no ledger can name leaders of its own making.
 */
export class LedgerReplay {
  readonly #networkCertificate: Uint8Array;
  readonly #epochKeys: EpochKeys | undefined;
  readonly #sessionKeys: ReadonlyMap<Epoch, SessionKey>;
  readonly #store = new Store([...governanceTables, ...frameworkTables]);
  readonly #declared = new Set([...governanceTables, ...frameworkTables].map(({ name }) => name));
  #nodes = new Map<NodeId, EndorsedNode | undefined>();
  #networkId = '';

  constructor(networkCertificate: Uint8Array, epochKeys: EpochKeys | undefined) {
    this.#networkCertificate = networkCertificate;
    this.#epochKeys = epochKeys;
    this.#sessionKeys = new Map(epochKeys?.keys.map((key) => [key.epoch, key]));
  }

  /** The network, once its genesis block was read. */
  get network(): { readonly networkId: string; readonly constitution: Constitution } | undefined {
    const view = this.#store.committed();
    if (this.#networkId === '' || !hasGenesis(view)) return undefined;
    return { networkId: this.#networkId, constitution: readConstitution(view) };
  }

  /** The administrative state after the blocks taken up so far, live. */
  get state(): ReadView {
    return this.#store.committed();
  }

  /** Runs what the next block should have done in a write set of its own, and takes it back. */
  rehearse(height: number, body: (set: TransactionSet) => void): void {
    const set = this.#store.begin(height);
    try {
      body(set);
    } finally {
      set.abort();
    }
  }

  /** The session key of an epoch; undefined when it was not given. */
  sessionKey(epoch: Epoch): SessionKey | undefined {
    return this.#sessionKeys.get(epoch);
  }

  /** DER SPKI of a node that may have led, as the ledger up to here and the network vouch for it. */
  nodeKey(nodeId: NodeId): Uint8Array | undefined {
    const node = this.endorsedNode(nodeId);
    // A retired node may have led until its retirement was committed.
    const mayLead = node?.entry.status === 'trusted' || node?.entry.status === 'retired';
    return mayLead ? node.publicKeySpki : undefined;
  }

  /** A node as the state has it, in any status, if the network endorsed its certificate. */
  endorsedNode(nodeId: NodeId): EndorsedNode | undefined {
    if (this.#nodes.has(nodeId)) return this.#nodes.get(nodeId);
    let node: EndorsedNode | undefined;
    try {
      const entry = getNode(this.#store.committed(), nodeId);
      const publicKeySpki = entry && this.endorsedKey(entry);
      node = entry && publicKeySpki && { entry, publicKeySpki };
    } catch (error) {
      // A row that is no node's vouches for nobody.
      if (!isFormError(error)) throw error;
    }
    this.#nodes.set(nodeId, node);
    return node;
  }

  /**
   * DER SPKI of a node, when its certificate is of that key and issued by the network.
   * @throws CryptoError, TypeError: the row does not have its form
   */
  endorsedKey(entry: NodeEntry): Uint8Array | undefined {
    return endorsedNodeKey(entry, this.#networkCertificate);
  }

  /**
   * Looks into the first block before it is verified, for what its verification needs: the network
   * itself. Whatever is wrong with it shows in the verification.
   * @throws LedgerDamage; LedgerError MALFORMED; AuditorError WRONG_NETWORK
   */
  foresee(block: Uint8Array): void {
    const { height, source } = decodeHeader(block);
    if (height !== 1 || source !== 0) return;
    const { publicWrites } = openPublicPart(block);
    coded(height, () => this.#readGenesis(publicWrites));
  }

  /** Takes up an administrative block that was verified. @throws LedgerDamage */
  accept(height: number, publicWrites: readonly Uint8Array[]): void {
    if (height > 1) coded(height, () => this.#apply(publicWrites));
  }

  #apply(publicWrites: readonly Uint8Array[]): void {
    for (const writes of publicWrites) {
      for (const { table } of decodeWriteSet(writes)) {
        if (this.#declared.has(table)) continue;
        this.#declared.add(table);
        this.#store.declare({ name: table, kind: 'hash' });
      }
    }
    this.#store.applyCommitted(
      publicWrites.map((writes) => ({ publicWrites: writes, privateWrites: emptyBytes })),
    );
    this.#nodes = new Map();
  }

  #readGenesis(publicWrites: readonly Uint8Array[]): void {
    this.#apply(publicWrites);
    const view = this.#store.committed();
    if (!hasGenesis(view)) throw foreign('the first block is no genesis');
    const info = networkInfo(view);
    const constitution = readConstitution(view);
    const [certificate] = fromPem(info.networkCertificate);
    if (!certificate || !equalBytes(certificate, this.#networkCertificate)) {
      throw foreign('the ledger is of a network with another certificate than the pinned one');
    }
    if (networkIdOf(constitution, certificate) !== info.networkId) {
      throw foreign('the network id is not that of the genesis constitution');
    }
    this.#networkId = info.networkId;
    if (!this.#epochKeys || this.#epochKeys.networkId === info.networkId) return;
    const why = 'the epoch keys are of another network than the ledger';
    throw new AuditorError('WRONG_NETWORK', why);
  }
}

const foreign = (why: string): LedgerDamage => new LedgerDamage('WRONG_NETWORK', 1, why);

/** Runs what reads rows of a block; whatever form they lack is the block's damage. */
function coded(height: number, body: () => void): void {
  try {
    body();
  } catch (error) {
    if (error instanceof LedgerDamage || error instanceof AuditorError) throw error;
    if (!isFormError(error)) throw error;
    throw new LedgerDamage('MALFORMED_GOVERNANCE', height, `block ${height}: ${error.message}`);
  }
}
