import { setImmediate as nextTurn } from 'node:timers/promises';
import { nodeRequester } from '@concordat/keys';
import type { ReadView } from '@concordat/kv';
import { CodedError, type Epoch, type NodeId } from '@concordat/std';
import { ManagerError } from './errors.ts';
import type { CollectionSource, KeyAcquirer, ShareGiver, ShareSource } from './key-sources.ts';
import { networkKeyPlace } from './network-key.ts';
import type { PeerChannel } from './ports.ts';
import type { KnownKey } from './session-keys.ts';
import { ShareCollection, type WantedKey, wantedKey } from './share-collection.ts';
import { decodeGivenShares, encodeShareRequest } from './share-messages.ts';

/** Each costs some milliseconds of arithmetic, so others get their turn in between. */
const epochsAtOnce = 8;
const askTimeoutMs = 2_000;
/** Whoever has not answered by then is not waited for alone. */
const hedgeMs = 250;
const firstPauseMs = 25;
const longestPauseMs = 1_000;
/** How long a key is tried for before whoever wants it hears that it cannot be had. */
const defaultTimeoutMs = 10_000;

/** Where what was put together goes: session keys by epoch, or the network's key at its one place. */
export interface GatheredKeys {
  get(place: Epoch): unknown;
  recognize(view: ReadView): void;
  hold(known: KnownKey): void;
}

/** Why keys cannot be had at present. */
export interface MissingShares {
  readonly epochs: readonly Epoch[];
  /** Shares that are missing at least. */
  readonly missing: number;
  /** Code of the last failure by actor id; actors nobody is connected to are not in it. */
  readonly actors: Readonly<Record<string, string>>;
}

/**
 * Opens session keys by gathering decryption shares of enough different actors (paper, "Encrypting
 * Persistent State"). Every share is checked; a wrong one is not used and its actor named.
 */
export class KeyCollector implements KeyAcquirer {
  readonly #self: NodeId;
  readonly #networkId: () => string;
  readonly #keys: GatheredKeys;
  readonly #vault: ShareSource;
  readonly #channel: Pick<PeerChannel, 'request'>;
  readonly #entropy: (bytes: number) => Uint8Array;
  readonly #nowMs: () => number;
  readonly #pause: (ms: number) => Promise<void>;
  readonly #tell: (event: string, fields: Record<string, unknown>) => void;
  readonly #flights = new Map<Epoch, Promise<void>>();
  #missing: MissingShares | undefined;
  #asked = 0;
  #collected = 0;
  #stopped = false;

  constructor(parts: {
    readonly self: NodeId;
    readonly networkId: () => string;
    readonly keys: GatheredKeys;
    readonly vault: ShareSource;
    readonly channel: Pick<PeerChannel, 'request'>;
    readonly entropy: (bytes: number) => Uint8Array;
    readonly nowMs: () => number;
    readonly pause: (ms: number) => Promise<void>;
    readonly tell: (event: string, fields: Record<string, unknown>) => void;
  }) {
    this.#self = parts.self;
    this.#networkId = parts.networkId;
    this.#keys = parts.keys;
    this.#vault = parts.vault;
    this.#channel = parts.channel;
    this.#entropy = parts.entropy;
    this.#nowMs = parts.nowMs;
    this.#pause = parts.pause;
    this.#tell = parts.tell;
  }

  /** What the last attempt lacked; undefined when nothing is lacking. */
  get missing(): MissingShares | undefined {
    return this.#missing;
  }

  /** Keys put together from shares since this node started. */
  get collected(): number {
    return this.#collected;
  }

  /**
   * Resolves once this enclave holds the keys of all these epochs. An epoch is gathered once at a
   * time, whoever asks.
   * @param source.view names the ciphertexts
   * @throws ManagerError KEY_SHARES_MISSING with the actors that gave none; EPOCH_NOT_COMMITTED when
   *   the view does not have such an epoch
   */
  async acquire(
    epochs: readonly Epoch[],
    source: CollectionSource,
    { timeoutMs = defaultTimeoutMs } = {},
  ): Promise<void> {
    this.#keys.recognize(source.view);
    const lacking = epochs.filter((epoch) => !this.#keys.get(epoch));
    for (let at = 0; at < lacking.length; at += epochsAtOnce) {
      const part = lacking.slice(at, at + epochsAtOnce);
      const fresh = part.filter((epoch) => !this.#keys.get(epoch) && !this.#flights.has(epoch));
      if (fresh.length > 0) this.#start(fresh, source, this.#nowMs() + timeoutMs);
      await Promise.all(part.map((epoch) => this.#flights.get(epoch)));
    }
  }

  #start(epochs: readonly Epoch[], source: CollectionSource, untilMs: number): void {
    const flight = this.#gather(epochs, source, untilMs).finally(() => {
      for (const epoch of epochs) this.#flights.delete(epoch);
    });
    flight.catch(() => undefined);
    for (const epoch of epochs) this.#flights.set(epoch, flight);
  }

  /** Gives up what is under way. */
  stop(): void {
    this.#stopped = true;
  }

  async #gather(
    epochs: readonly Epoch[],
    source: CollectionSource,
    untilMs: number,
  ): Promise<void> {
    const sinceMs = this.#nowMs();
    for (let pauseMs = firstPauseMs; ; pauseMs = Math.min(2 * pauseMs, longestPauseMs)) {
      const lacking = await this.#attempt(epochs, source);
      if (!lacking) {
        this.#missing = undefined;
        this.#tell('keys.collected', { epochs, ms: Math.round(this.#nowMs() - sinceMs) });
        return;
      }
      this.#missing = lacking;
      if (this.#stopped || this.#nowMs() + pauseMs >= untilMs) throw sharesMissing(lacking);
      await this.#pause(pauseMs);
    }
  }

  /** One round of asking everybody as far as needed; what is lacking after it. */
  async #attempt(
    epochs: readonly Epoch[],
    source: CollectionSource,
  ): Promise<MissingShares | undefined> {
    // Read anew: the ledger may have taken back the block that announced an epoch.
    this.#keys.recognize(source.view);
    const bound = { networkId: this.#networkId(), requester: nodeRequester(this.#self) };
    const lacking = epochs.filter((epoch) => !this.#keys.get(epoch));
    const wanted = lacking.map((epoch) => wantedKey(source.view, epoch, bound));
    const own = { vault: this.#vault, entropy: this.#entropy };
    const collection = new ShareCollection(wanted, own);
    const failures = new Map<string, string>();
    await this.#takeComplete(collection);
    await this.#askAround(collection, inTurn(source.peers(), this.#asked), failures);
    this.#keys.recognize(source.view);
    // What is put together may have been taken back meanwhile: the next attempt says so.
    const still = epochs.filter((epoch) => !this.#keys.get(epoch));
    if (still.length === 0) return undefined;
    return { epochs: still, missing: collection.missing, actors: Object.fromEntries(failures) };
  }

  /** Asks as many at a time as shares are missing, one more for each that is slow or gives none. */
  async #askAround(
    collection: ShareCollection,
    givers: readonly ShareGiver[],
    failures: Map<string, string>,
  ): Promise<void> {
    const underWay = new Set<Promise<void>>();
    let slow = 0;
    for (let next = 0; collection.missing > 0 && !this.#stopped; ) {
      const giver = givers[next];
      if (giver && underWay.size < collection.missing + slow) {
        next += 1;
        const asking = this.#ask(giver, collection).then((code) => {
          underWay.delete(asking);
          if (code === undefined) failures.delete(giver.actorId);
          else failures.set(giver.actorId, code);
        });
        underWay.add(asking);
        continue;
      }
      if (underWay.size === 0) return;
      const hedged = giver && this.#pause(hedgeMs).then(() => 'slow' as const);
      if ((await Promise.race([...underWay, ...(hedged ? [hedged] : [])])) === 'slow') slow += 1;
    }
  }

  /** Asks one node for its actor's shares; the code of what went wrong. */
  async #ask(giver: ShareGiver, collection: ShareCollection): Promise<string | undefined> {
    const { nodeId, actorId } = giver;
    this.#asked += 1;
    const asked = collection.wanted.map(({ epoch, key }) => ({ epoch, key }));
    try {
      const body = encodeShareRequest(asked);
      const reply = await this.#channel.request(nodeId, 'decryption-share', body, askTimeoutMs);
      for (const _ of collection.add(actorId, decodeGivenShares(reply))) await nextTurn();
      await this.#takeComplete(collection);
      return undefined;
    } catch (error) {
      if (!(error instanceof CodedError)) throw error;
      const { code, message } = error;
      this.#tell('keys.share-refused', { peer: nodeId, actor: actorId, code, why: message });
      return code;
    }
  }

  async #takeComplete(collection: ShareCollection): Promise<void> {
    for (const { wanted, key } of collection.complete()) {
      const { epoch, digest } = wanted satisfies WantedKey;
      this.#keys.hold({ epoch, key, digest, origin: 'collected', nowMs: this.#nowMs() });
      key.fill(0);
      this.#collected += 1;
      await nextTurn();
    }
  }
}

/**
 * One node of each actor, another one each time, and not always the same actors first; then a second
 * node of each, and so on: an actor's share may be on one of its nodes only.
 */
function inTurn(peers: readonly ShareGiver[], turn: number): ShareGiver[] {
  const actors = [...Map.groupBy(peers, ({ actorId }) => actorId).values()];
  const order = rotated(actors, turn).map((nodes) => rotated(nodes, turn));
  const rounds = Math.max(0, ...order.map(({ length }) => length));
  return Array.from({ length: rounds }, (_, round) =>
    order.flatMap((nodes) => nodes.slice(round, round + 1)),
  ).flat();
}

const rotated = <Item>(items: readonly Item[], by: number): readonly Item[] => {
  const at = items.length === 0 ? 0 : by % items.length;
  return [...items.slice(at), ...items.slice(0, at)];
};

function sharesMissing({ epochs, missing, actors }: MissingShares): ManagerError {
  const said = Object.entries(actors).map(([actor, code]) => `${actor.slice(0, 8)} (${code})`);
  const from = said.length === 0 ? 'no other actor can be asked' : `asked: ${said.join(', ')}`;
  const isNetworkKey = epochs.includes(networkKeyPlace);
  const what = isNetworkKey ? "the network's key" : `epoch ${epochs.join(', ')}`;
  const why = `${missing} more shares are needed for ${what}; ${from}`;
  return new ManagerError('KEY_SHARES_MISSING', why, { epochs, missing, actors });
}
