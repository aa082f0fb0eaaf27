import { ApiError } from '@concordat/api';
import { createEncryptionKey, type EncryptionKey, fromPem, hkdfSha256 } from '@concordat/crypto';
import { currentEpoch, endorseRequestKey, requestKeyLifetimeSeconds } from '@concordat/governance';
import { BinaryWriter, concatBytes, type Epoch, emptyBytes, fromHex, utf8 } from '@concordat/std';
import { networkKeyPlace } from './network-key.ts';
import type { NodeContext } from './node-context.ts';

/** An endorsement is signed anew after this, seconds: whoever fetches it has most of its life left. */
const renewedAfterSeconds = 60;
/** Keys of epochs that are over open so much longer than an endorsement counts, seconds. */
const slackSeconds = 300;
const label = 'concordat request key v1';

interface Derived {
  readonly epoch: Epoch;
  readonly key: EncryptionKey;
  /** When it was last known to be the key in force, milliseconds. */
  inForceMs: number;
}

interface Endorsed {
  readonly epoch: Epoch;
  readonly atSeconds: number;
  readonly bytes: Uint8Array;
}

/** What they are made of. */
export type RequestKeyNode = Pick<
  NodeContext,
  'administration' | 'sessionKeys' | 'networkKey' | 'network'
>;

/**
 * The keys that clients seal requests to: of each epoch one, which every trusted node derives from
 * the epoch's session key and the network's private key, so that none is sent or kept anywhere.
 * Whoever has only the one (an auditor that was given an epoch's key, a node that was removed before
 * the epoch) has no request key. It is endorsed by the network's key.
 */
export class RequestKeys {
  readonly #node: RequestKeyNode;
  readonly #derived = new Map<Epoch, Derived>();
  #endorsed: Endorsed | undefined;

  constructor(node: RequestKeyNode) {
    this.#node = node;
  }

  /**
   * The key of the epoch in force as the network's key endorses it, COSE.
   * @throws ApiError REQUEST_KEY_UNAVAILABLE
   */
  endorsed(nowMs: number): Uint8Array {
    const { epoch, key } = this.#current(nowMs);
    const atSeconds = Math.floor(nowMs / 1_000);
    const last = this.#endorsed;
    const age = last ? atSeconds - last.atSeconds : Number.POSITIVE_INFINITY;
    if (last?.epoch === epoch && age >= 0 && age < renewedAfterSeconds) return last.bytes;
    const { network, networkKey } = this.#node;
    const [certificateDer = emptyBytes] = fromPem(network.certificate);
    const { publicKey } = key;
    const bytes = endorseRequestKey(
      { networkId: network.id, epoch, publicKey, createdAtSeconds: atSeconds },
      { key: networkKey.signing(), certificateDer },
    );
    this.#endorsed = { epoch, atSeconds, bytes };
    return bytes;
  }

  /**
   * The key of an epoch: the one in force, the next where its session key is here already, or one that
   * was in force until lately.
   * @throws ApiError SEALED_KEY_UNKNOWN, REQUEST_KEY_UNAVAILABLE
   */
  find(epoch: number, nowMs: number): EncryptionKey {
    const current = this.#current(nowMs);
    if (current.epoch === epoch) return current.key;
    const former = this.#derived.get(epoch as Epoch);
    if (former) return former.key;
    // Another node knows of the next epoch's block before this one does.
    const next = epoch === current.epoch + 1 ? this.#derive(epoch as Epoch) : undefined;
    if (next) return next;
    throw new ApiError('SEALED_KEY_UNKNOWN', `the key of epoch ${epoch} is not in use here`);
  }

  /** @throws ApiError REQUEST_KEY_UNAVAILABLE */
  #current(nowMs: number): Derived {
    const { administration, networkKey } = this.#node;
    const unavailable = new ApiError('REQUEST_KEY_UNAVAILABLE', 'keys are still being gathered');
    // What is held must be the network's, or this node is none of it any more.
    if (!networkKey.isHeld || !administration.isCommitted) {
      this.forget();
      throw unavailable;
    }
    const epoch = currentEpoch(administration.committedState);
    this.#dropOld(epoch, nowMs);
    const known = this.#derived.get(epoch);
    if (known) {
      known.inForceMs = nowMs;
      return known;
    }
    const key = this.#derive(epoch);
    if (!key) throw unavailable;
    const derived = { epoch, key, inForceMs: nowMs };
    this.#derived.set(epoch, derived);
    return derived;
  }

  #dropOld(current: Epoch, nowMs: number): void {
    const longestMs = (requestKeyLifetimeSeconds + slackSeconds) * 1_000;
    for (const { epoch, inForceMs } of this.#derived.values()) {
      const isOver = epoch !== current && Math.abs(nowMs - inForceMs) > longestMs;
      if (isOver) this.#derived.delete(epoch);
    }
  }

  #derive(epoch: Epoch): EncryptionKey | undefined {
    const { sessionKeys, networkKey, network } = this.#node;
    const session = sessionKeys.get(epoch);
    const scalar = networkKey.get(networkKeyPlace);
    const networkId = fromHex(network.id);
    if (!session || !scalar || !networkId) return undefined;
    const info = new BinaryWriter().text(label).raw(networkId).u64(epoch).take();
    const material = concatBytes(session.key, scalar);
    const seed = hkdfSha256(material, utf8(label), info, 32);
    material.fill(0);
    const key = createEncryptionKey(seed);
    seed.fill(0);
    return key;
  }

  /** Drops every key: what a node does that ends, or that the network has removed. */
  forget(): void {
    this.#derived.clear();
    this.#endorsed = undefined;
  }
}
