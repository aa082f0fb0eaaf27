import { setTimeout as sleep } from 'node:timers/promises';
import {
  epochKeyRows,
  epochTables,
  governanceTables,
  newestCeremony,
  recordKeyGrant,
} from '@concordat/governance';
import { Store, type TransactionSet } from '@concordat/kv';
import { CodedError, type Epoch, type NodeId, toEpoch, toHeight } from '@concordat/std';
import {
  type Enclave,
  networkOf,
  type SharedKeyNetwork,
} from '../../../core/governance/test/shared-key-network.ts';
import { KeyCollector } from '../key-collector.ts';
import type { CollectionSource, ShareGiver } from '../key-sources.ts';
import { SessionKeys } from '../session-keys.ts';
import { ShareDesk } from '../share-desk.ts';
import { entropyOf } from './parties.ts';

/** What one node has to do with keys, over a committed state that all share. */
export class KeyNode {
  readonly enclave: Enclave;
  readonly keys = new SessionKeys(() => toHeight(2));
  readonly desk: ShareDesk;
  readonly collector: KeyCollector;
  /** Codes of refusals this node counted. */
  readonly refused: string[] = [];
  readonly told: { event: string; [field: string]: unknown }[] = [];
  /** Changes or withholds an answer; a throw is what the asker hears. */
  tamper: ((answer: Uint8Array) => Uint8Array) | undefined;
  asked = 0;

  constructor(network: KeyNetwork, enclave: Enclave) {
    this.enclave = enclave;
    const vault = {
      shareOf: (_key: number, sharing: number) => {
        const secret = enclave.shares.get(sharing);
        return secret && { index: network.indexOf(enclave), secret };
      },
    };
    const shared = {
      vault,
      networkId: () => network.networkId,
      entropy: entropyOf(`keys of ${enclave.name}`),
      nowMs: () => network.nowMs,
    };
    this.desk = new ShareDesk({
      ...shared,
      committed: () => network.store.committed(),
      refused: (code) => this.refused.push(code),
    });
    this.collector = new KeyCollector({
      ...shared,
      self: enclave.nodeId,
      keys: this.keys,
      channel: {
        request: async (nodeId, kind, body) => {
          const other = network.node(nodeId);
          other.asked += 1;
          if (kind !== 'decryption-share') throw new CodedError('CHANNEL_FAILED', kind);
          const answer = await other.desk.give(enclave.nodeId, body);
          return Buffer.from(other.tamper ? other.tamper(answer) : answer);
        },
      },
      pause: async (ms) => {
        // A short pause is one between attempts; the long one is for whoever is slow.
        const isHedge = ms >= 250;
        await sleep(isHedge ? 5_000 : ms / 10, undefined, { ref: !isHedge });
        if (!isHedge) network.nowMs += ms;
      },
      tell: (event, fields) => this.told.push({ event, ...fields }),
    });
  }

  get nodeId(): NodeId {
    return this.enclave.nodeId;
  }
}

/** Members that hold a key together, and session keys under it. */
export class KeyNetwork {
  readonly governance: SharedKeyNetwork;
  readonly store = new Store([...governanceTables, ...epochTables]);
  readonly nodes: readonly KeyNode[];
  readonly drawn = new SessionKeys(() => toHeight(2));
  nowMs = 1_000;
  #layer = 0;

  constructor(members: readonly string[], policies: Record<string, unknown> = {}) {
    this.governance = networkOf(members, policies);
    this.governance.ceremonyOf();
    this.update();
    this.nodes = [...this.governance.enclaves.values()].map((each) => new KeyNode(this, each));
  }

  get networkId(): string {
    return this.governance.networkId;
  }

  node(nodeId: NodeId): KeyNode {
    return this.nodes.find((node) => node.nodeId === nodeId) as KeyNode;
  }

  /** A holder's place in the newest sharing. */
  indexOf({ nodeId }: Enclave): number {
    const { actorId } =
      this.governance.constitution.nodes.find((node) => node.nodeId === nodeId) ?? {};
    const receivers = newestCeremony(this.governance.set)?.terms.receivers;
    return receivers?.find(({ actor }) => actor === actorId)?.index as number;
  }

  /** Commits what governance says now. */
  update(): void {
    this.commit((set) => {
      for (const { name } of governanceTables) {
        if (name.endsWith('.key-grants')) continue;
        const table = set.table(name);
        const now = new Map(this.governance.set.table(name).entries());
        for (const [key] of [...table.entries()]) if (!now.has(key)) table.delete(key);
        for (const [key, value] of now) table.set(key, value);
      }
    });
  }

  /** The state of now, as a node has it that hears nothing more. */
  copy(): Store {
    const copy = new Store([...governanceTables, ...epochTables]);
    const set = copy.begin(1);
    for (const { name } of [...governanceTables, ...epochTables]) {
      for (const [key, value] of this.store.head().table(name).entries()) {
        set.table(name).set(key, value);
      }
    }
    set.takeWriteSet();
    set.finish();
    return copy;
  }

  /** Runs one transaction, committed unless it is to stay open to doubt. */
  commit(change: (set: TransactionSet) => void, { stays = true } = {}): void {
    this.#layer += 1;
    const set = this.store.begin(this.#layer);
    change(set);
    set.takeWriteSet();
    set.finish();
    if (stays) this.store.commit(this.#layer);
  }

  /** Begins epochs; their keys are in `drawn`. */
  begin(epochs = 1, options: { stays?: boolean } = {}): void {
    for (let n = 0; n < epochs; n++) {
      this.commit((set) => {
        const entropy = entropyOf(`epoch ${this.#layer}`);
        this.drawn.begin(set, { reason: 'vote', nowMs: this.nowMs, entropy });
      }, options);
    }
    this.drawn.align(this.store.head());
  }

  /** Grants epochs to a node that joined. */
  grant(nodeId: NodeId, from: number, to: number): void {
    this.commit((set) =>
      recordKeyGrant(set, { epochs: [from, to], reason: 'joined', to: [nodeId] }),
    );
  }

  ciphertext(epoch: number): Uint8Array {
    const [row] = epochKeyRows(this.store.head(), toEpoch(epoch));
    return row?.ciphertext as Uint8Array;
  }

  /** Where a node gathers shares: of all others, or of some. */
  sourceOf(node: KeyNode, givers: readonly KeyNode[] = this.nodes): CollectionSource {
    const { nodes } = this.governance.constitution;
    const others = givers.filter((other) => other !== node);
    const peers: ShareGiver[] = others.map(({ nodeId }) => {
      const entry = nodes.find((each) => each.nodeId === nodeId);
      return { nodeId, actorId: entry?.actorId as string };
    });
    return { view: this.store.head(), peers: () => peers };
  }

  key(epoch: Epoch | number): Uint8Array {
    return Uint8Array.from(this.drawn.get(toEpoch(epoch))?.key as Uint8Array);
  }
}
