import {
  type Constitution,
  currentEpoch,
  epochDue,
  epochKeyRows,
  sessionKeyTtlMs,
} from '@concordat/governance';
import type { ReadView } from '@concordat/kv';
import { decodeHeader, openPublicPart } from '@concordat/ledger';
import { CodedError, type Epoch, emptyBytes, type NodeId, toHeight } from '@concordat/std';
import { Administration } from './administration.ts';
import { entropy, pause } from './enclave-sources.ts';
import { ManagerError } from './errors.ts';
import { GrantedKeys } from './granted-keys.ts';
import type { KeyCollector } from './key-collector.ts';
import { KeySending } from './key-sending.ts';
import type { CollectionSource, ShareGiver } from './key-sources.ts';
import type { NodeContext } from './node-context.ts';
import { decodeSentKey } from './share-messages.ts';

/** Between two attempts to get a key that this node cannot go on without. */
const retryMs = 500;
/** An operator sees so soon what is waited for. */
const toldAfterMs = 2_000;
/** After an epoch could not begin. */
const beginAgainMs = 1_000;

/** What an epoch desk asks of its node, and tells it. */
export interface EpochQuestions {
  /** The constitution peers are judged by. */
  constitution(): Constitution | undefined;
  /** A key that this node cannot go on without is not to be had; undefined once it is. */
  onMissing(why: ManagerError | undefined): void;
}

/**
 * What a node does about epochs: the leader begins them and sends their keys to the nodes that the
 * ledger grants them to; a node that lacks a key gathers shares of it; keys of the past are let go.
 */
export class EpochDesk {
  readonly #node: NodeContext;
  readonly #collector: KeyCollector;
  readonly #asked: EpochQuestions;
  readonly #sending: KeySending;
  readonly #granted: GrantedKeys;
  /** Keys that are being gathered because this node cannot go on without them. */
  readonly #wanted = new Set<Epoch>();
  readonly #listeners: (() => void)[] = [];
  #isBeginning = false;
  #notBeforeMs = 0;
  #stopped = false;

  constructor(node: NodeContext, collector: KeyCollector, asked: EpochQuestions) {
    this.#node = node;
    this.#collector = collector;
    this.#asked = asked;
    this.#sending = new KeySending(node);
    this.#granted = new GrantedKeys(node, (epoch) => this.acquire(epoch));
  }

  /** Session keys put together from shares since this node started. */
  get collected(): number {
    return this.#collector.collected;
  }

  /** Shares that are missing for a key this node tried to get last; 0 when it got it. */
  get missing(): number {
    return this.#collector.missing?.missing ?? 0;
  }

  /** Does something whenever a key came that this node may have waited for. */
  onKey(listener: () => void): void {
    this.#listeners.push(listener);
  }

  /** Where shares are gathered: the newest state, and every trusted node there is a channel to. */
  get source(): CollectionSource {
    return this.#sourceOf(this.#node.administration.head);
  }

  #sourceOf(view: ReadView): CollectionSource {
    return { view, peers: () => this.#givers() };
  }

  #givers(): readonly ShareGiver[] {
    const { identity, channel } = this.#node;
    const nodes = this.#asked.constitution()?.nodes ?? [];
    return nodes.filter(
      ({ nodeId, status }) =>
        status === 'trusted' && nodeId !== identity.nodeId && channel.connected(nodeId),
    );
  }

  /** The administrative state is another one. */
  stateChanged(): void {
    const { administration, sessionKeys } = this.#node;
    if (administration.exists) sessionKeys.align(administration.head);
  }

  /**
   * An administrative block was placed here. If it begins an epoch, the nodes that the ledger grants it
   * to are sent the key: they hold it in memory until their ledger names its ciphertext.
   */
  placed(): void {
    this.#sending.send();
  }

  /**
   * A trusted node sent the key of an epoch, as the one that leads.
   * @throws ManagerError CHANNEL_FAILED
   */
  received(body: Buffer): Uint8Array {
    const sent = decodeSentKey(body);
    body.fill(0);
    this.#node.sessionKeys.hold({ ...sent, origin: 'sent', nowMs: Date.now() });
    sent.key.fill(0);
    this.stateChanged();
    this.#keyCame();
    return emptyBytes;
  }

  /**
   * A node that the ledger grants an epoch to could not gather its key.
   * @throws ManagerError as {@link GrantedKeys.give}
   */
  give(peer: NodeId, body: Uint8Array): Promise<Uint8Array> {
    return this.#granted.give(peer, body);
  }

  /** Blocks up to a height are final: the key in force is needed, and another epoch may be due. */
  committed(): void {
    const { administration, sessionKeys, identity } = this.#node;
    if (!administration.isCommitted) return;
    const own = administration.committedConstitution.nodes.find(
      ({ nodeId }) => nodeId === identity.nodeId,
    );
    if (own?.status === 'retired') {
      // What it could read so far it may have kept; from now on this enclave reads nothing.
      this.#stopped = true;
      this.#collector.stop();
      sessionKeys.close();
      this.#node.networkKey.close();
      return;
    }
    const inForce = currentEpoch(administration.committedState);
    if (!sessionKeys.get(inForce)) this.want(inForce);
    this.#consider();
  }

  /** What is done about once a second. */
  tick(): void {
    const { administration, sessionKeys } = this.#node;
    if (!administration.isCommitted || this.#stopped) return;
    const { policies } = administration.committedConstitution;
    sessionKeys.sweep({
      inForce: currentEpoch(administration.committedState),
      ttlMs: sessionKeyTtlMs(policies),
      nowMs: Date.now(),
    });
    this.#sending.send();
    this.#consider();
  }

  /** The leader begins an epoch that is due. */
  #consider(): void {
    const { takesPart, administration, control } = this.#node;
    if (this.#stopped || this.#isBeginning || !takesPart || !this.#node.driver.leads) return;
    const nowMs = Date.now();
    if (nowMs < this.#notBeforeMs || !this.#due(administration.head)) return;
    this.#isBeginning = true;
    this.#begin()
      .catch((error: unknown) => {
        if (!(error instanceof CodedError)) throw error;
        this.#notBeforeMs = nowMs + beginAgainMs;
        if (error.code === 'EPOCH_NOT_DUE') return;
        control.log('epoch.not-begun', { level: 'warn', code: error.code, why: error.message });
      })
      .finally(() => {
        this.#isBeginning = false;
      });
  }

  #due(view: ReadView) {
    const height = toHeight(this.#node.log.lastHeight + 1);
    return epochDue(view, { nowMs: Date.now(), height });
  }

  async #begin(): Promise<void> {
    const { queue, sessionKeys, control } = this.#node;
    const { result } = await queue.administer((set) => {
      // Another one may have begun while this transaction waited its turn.
      const reason = this.#due(set);
      if (!reason) throw new ManagerError('EPOCH_NOT_DUE', 'no epoch is due any more');
      const { epoch } = sessionKeys.begin(set, { reason, nowMs: Date.now(), entropy });
      return { epoch, reason };
    });
    control.log('epoch.begun', result);
  }

  /**
   * Gathers the key of an epoch that this node cannot go on without, for as long as that takes.
   * @param block one that cannot be opened, when there is no state yet: it names its own epoch's key
   */
  want(epoch: Epoch, block?: Uint8Array): void {
    if (this.#wanted.has(epoch) || this.#stopped || !this.#isNamed(epoch)) return;
    this.#wanted.add(epoch);
    this.#obtain(epoch, block)
      .catch((error: unknown) => {
        if (!(error instanceof CodedError)) throw error;
        this.#node.control.log('keys.not-collected', { epoch, code: error.code });
      })
      .finally(() => this.#wanted.delete(epoch));
  }

  /** A block that is ahead of what this node has will come again, when its epoch is known. */
  #isNamed(epoch: Epoch): boolean {
    const { administration } = this.#node;
    return !administration.exists || epochKeyRows(administration.head, epoch).length > 0;
  }

  /**
   * Resolves once a block that comes next can be opened.
   * @throws CodedError when the ledger at hand does not name its epoch's key
   */
  async readyFor(block: Uint8Array): Promise<void> {
    const { epoch } = decodeHeader(block);
    if (!this.#node.sessionKeys.get(epoch)) await this.#obtain(epoch, block);
  }

  /**
   * Gets the key of an epoch of the past for reading.
   * @throws ManagerError KEY_SHARES_MISSING, EPOCH_NOT_COMMITTED
   */
  acquire(epoch: Epoch): Promise<void> {
    return this.#collector.acquire([epoch], this.source);
  }

  #obtain(epoch: Epoch, block: Uint8Array | undefined): Promise<void> {
    return this.#gather([epoch], () => this.#viewWith(block));
  }

  /**
   * Gathers the keys of epochs as a state names them, for as long as that takes.
   * @throws ManagerError EPOCH_NOT_COMMITTED when it does not name them; KEY_SHARES_MISSING when this
   *   launch ends
   */
  obtain(epochs: readonly Epoch[], view: ReadView): Promise<void> {
    return this.#gather(epochs, () => view);
  }

  async #gather(epochs: readonly Epoch[], view: () => ReadView): Promise<void> {
    let wasMissing = false;
    for (;;) {
      try {
        const source = this.#sourceOf(view());
        await this.#collector.acquire(epochs, source, { timeoutMs: toldAfterMs });
        break;
      } catch (error) {
        const isMissing = error instanceof ManagerError && error.code === 'KEY_SHARES_MISSING';
        if (!isMissing || this.#stopped) throw error;
        wasMissing = true;
        this.#asked.onMissing(error);
      }
      await this.#granted.askFor(epochs, view(), this.#givers());
      await pause(retryMs);
    }
    if (wasMissing) this.#asked.onMissing(undefined);
    this.#keyCame();
  }

  /** The state at hand, or what the public part of a first block makes of none. */
  #viewWith(block: Uint8Array | undefined): ReadView {
    const { administration } = this.#node;
    if (administration.exists || !block) return administration.head;
    const first = new Administration();
    const { header, publicWrites } = openPublicPart(block);
    const transactions = publicWrites.map((writes) => {
      return { publicWrites: writes, privateWrites: emptyBytes };
    });
    first.apply(header.height, transactions);
    return first.head;
  }

  #keyCame(): void {
    for (const listener of this.#listeners) listener();
  }

  /** Gathers nothing more. */
  stop(): void {
    this.#stopped = true;
    this.#collector.stop();
  }
}
