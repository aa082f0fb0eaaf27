import { currentSharedKey, networkKeyRow } from '@concordat/governance';
import type { ReadView } from '@concordat/kv';
import { CodedError, emptyBytes } from '@concordat/std';
import { entropy } from './enclave-sources.ts';
import { ManagerError } from './errors.ts';
import { requireField } from './foreign.ts';
import type { KeyCollector } from './key-collector.ts';
import type { CollectionSource, ShareGiver } from './key-sources.ts';
import { networkKeyPlace } from './network-key.ts';
import type { NodeContext } from './node-context.ts';

const askTimeoutMs = 2_000;
/** Peers asked at a time; others follow when it is tried again. */
const askedAtOnce = 3;
const gatherTimeoutMs = 2_000;

/**
 * How the trusted nodes keep the network's private key: one that lacks it asks another one, and when
 * none has it, as after all were stopped, the leader gathers decryption shares of enough members. The
 * leader writes it anew under each fresh shared key, so that shares given out before open no
 * ciphertext that the ledger's state has.
 */
export class NetworkKeyDesk {
  readonly #node: NodeContext;
  readonly #collector: KeyCollector;
  readonly #source: () => CollectionSource;
  #isAtWork = false;
  #turn = 0;
  #told = '';

  constructor(node: NodeContext, collector: KeyCollector, source: () => CollectionSource) {
    this.#node = node;
    this.#collector = collector;
    this.#source = source;
  }

  /** Does what is to be done now; called about once a second, and when this node may have become trusted. */
  work(): void {
    if (this.#isAtWork || !this.#isTrusted) return;
    this.#isAtWork = true;
    this.#step()
      .catch((error: unknown) => {
        if (!(error instanceof CodedError)) throw error;
        this.#tell(error);
      })
      .finally(() => {
        this.#isAtWork = false;
      });
  }

  get #isTrusted(): boolean {
    const { administration, identity, takesPart } = this.#node;
    if (!takesPart || !administration.isCommitted) return false;
    const { nodes } = administration.committedConstitution;
    return nodes.find(({ nodeId }) => nodeId === identity.nodeId)?.status === 'trusted';
  }

  async #step(): Promise<void> {
    const { networkKey, driver, administration, queue, control } = this.#node;
    if (!networkKey.isHeld) await this.#obtain();
    if (!networkKey.isHeld || !driver.leads || !isBehind(administration.head)) return;
    await queue.administer((set) => {
      if (isBehind(set)) networkKey.write(set, entropy);
    });
    control.log('network-key.renewed', {});
  }

  /** @throws ManagerError KEY_SHARES_MISSING */
  async #obtain(): Promise<void> {
    const { networkKey, driver, control, channel } = this.#node;
    const source = this.#source();
    for (const { nodeId } of this.#next(source.peers())) {
      try {
        const key = await channel.request(nodeId, 'network-key', emptyBytes, askTimeoutMs);
        try {
          requireField(key.length === 32, 'network key');
          networkKey.hold({ key });
        } finally {
          key.fill(0);
        }
      } catch (error) {
        if (!(error instanceof CodedError)) throw error;
      }
      if (!networkKey.isHeld) continue;
      control.log('network-key.received', { peer: nodeId });
      return;
    }
    if (!driver.leads) return;
    await this.#collector.acquire([networkKeyPlace], source, { timeoutMs: gatherTimeoutMs });
  }

  /** Others each time. */
  #next(peers: readonly ShareGiver[]): readonly ShareGiver[] {
    const at = peers.length === 0 ? 0 : this.#turn % peers.length;
    this.#turn += askedAtOnce;
    return [...peers.slice(at), ...peers.slice(0, at)].slice(0, askedAtOnce);
  }

  /** Once for each reason: it is tried again every second. */
  #tell({ code, message }: CodedError): void {
    if (this.#told === code) return;
    this.#told = code;
    this.#node.control.log('network-key.missing', { level: 'warn', code, why: message });
  }

  /**
   * Gives it to a trusted node, which the channel has attested: 32 bytes, never as text, which could not
   * be erased.
   * @throws ManagerError NETWORK_KEY_MISSING
   */
  give(): Uint8Array {
    const scalar = this.#node.networkKey.get(networkKeyPlace);
    if (scalar) return Uint8Array.from(scalar);
    throw new ManagerError('NETWORK_KEY_MISSING', "this node does not have the network's key");
  }

  /** Gathers nothing more. */
  stop(): void {
    this.#collector.stop();
  }
}

/** Whether it is encrypted to a shared key that another one took the place of. */
function isBehind(view: ReadView): boolean {
  const row = networkKeyRow(view);
  const shared = currentSharedKey(view);
  return row !== undefined && shared !== undefined && row.keyNumber < shared.number;
}
