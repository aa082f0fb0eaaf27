import {
  type CeremonyRow,
  ceremonyOf,
  type HolderRegistration,
  holderRegistrationOf,
  isMember,
  isOvertaken,
  newestCeremony,
  openCeremonyOf,
  resumeCeremony,
  rotationAsked,
  sharedKeys,
} from '@concordat/governance';
import {
  type Ceremony,
  createComplaint,
  createConfirmation,
  createDealingSteps,
  createHolderKey,
  encodeComplaint,
  encodeConfirmation,
  encodeDealing,
  type HolderKey,
  receiveSteps,
  type Scalar,
  timesBase,
} from '@concordat/keys';
import type { ReadView } from '@concordat/kv';
import { type ActorId, CodedError, equalBytes, type NodeId, toHex, toSeqno } from '@concordat/std';
import { dealingEntropy } from './dealing-entropy.ts';
import { entropy } from './enclave-sources.ts';
import { holderRegistration } from './holder-registration.ts';
import {
  type CeremonyMessage,
  decodeHolderSecret,
  encodeCeremonyMessage,
  encodeHolderRequest,
} from './key-messages.ts';
import type { NodeContext } from './node-context.ts';
import type { ShareVault } from './share-vault.ts';
import { inSlices } from './slices.ts';

/** The same contribution is not sent again before its transaction had time to commit here. */
const resendMs = 1_000;
/** How long other nodes of the actor are given to hand over the holder key. */
const siblingPatienceMs = 10_000;
const siblingTimeoutMs = 3_000;
/** Contributions remembered as sent. */
const maxSent = 64;

/** What of the node it needs. */
export type HolderContext = Pick<
  NodeContext,
  | 'administration'
  | 'channel'
  | 'control'
  | 'identity'
  | 'leader'
  | 'log'
  | 'network'
  | 'takesPart'
  | 'vault'
  | 'verdict'
>;

/** The actor whose shares this node keeps, and its other trusted nodes. */
interface Holder {
  readonly actorId: ActorId;
  readonly siblings: readonly NodeId[];
}

/**
 * An actor's part in key ceremonies, on one of its nodes: it registers a holder key, or gets the one its
 * actor has from another node of the actor; it deals, checks what it was dealt, complains or confirms.
 * Everything it does follows from the committed ledger and the vault, so it can be stopped and begun
 * again anywhere, and the nodes of one actor may do it side by side: what one of them did already is
 * refused to the others.
 */
export class HolderPart {
  readonly #context: HolderContext;
  readonly #send: (body: Uint8Array) => Promise<unknown>;
  readonly #sent = new Map<string, number>();
  /**
   * Drawn here for the registration of this number. However often that is sent, it is of one key: the
   * vault keeps few beside the registered one, and any that was sent may be the one that commits.
   */
  #drawn: { readonly number: number; readonly holderKey: HolderKey } | undefined;
  /** The registered holder key that is missing here, and since when. */
  #missing = { encryptionKey: '', sinceMs: 0 };
  #told = '';

  /** @param send brings a contribution to the leader */
  constructor(context: HolderContext, send: (body: Uint8Array) => Promise<unknown>) {
    this.#context = context;
    this.#send = send;
  }

  /**
   * Takes the next steps.
   * @returns whether this actor's part is still to be done, so that it is to be tried again
   * @throws CodedError: they are tried again
   */
  async work(): Promise<boolean> {
    const { administration, takesPart, leader, vault } = this.#context;
    if (!takesPart || !leader || !administration.isCommitted) return true;
    const holder = this.#holder;
    if (!holder) return false;
    const view = administration.committedState;
    const registered = holderRegistrationOf(view, holder.actorId);
    if (!registered) {
      await this.#register(holder, 1);
      return true;
    }
    if (rotationAsked(view, holder.actorId) !== undefined) {
      await this.#register(holder, registered.number + 1);
      return true;
    }
    if (!vault.holderOf(registered.encryptionKey)) {
      await this.#obtain(holder, registered);
      if (!vault.holderOf(registered.encryptionKey)) return true;
    }
    this.#missing.encryptionKey = '';
    await restoreShares(view, holder.actorId, vault);
    const isAwaited = await this.#takePart(view, holder.actorId);
    await tidyVault(view, registered, vault);
    return isAwaited;
  }

  /** Absent unless this is a trusted node of a member. */
  get #holder(): Holder | undefined {
    const { administration, identity } = this.#context;
    const { actors, nodes } = administration.committedConstitution;
    const own = nodes.find(({ nodeId }) => nodeId === identity.nodeId);
    const actor = own && actors.find(({ actorId }) => actorId === own.actorId);
    if (own?.status !== 'trusted' || !actor || !isMember(actor)) return undefined;
    const siblings = nodes
      .filter(({ actorId, status }) => actorId === actor.actorId && status === 'trusted')
      .map(({ nodeId }) => nodeId)
      .filter((nodeId) => nodeId !== identity.nodeId);
    return { actorId: actor.actorId, siblings };
  }

  async #register({ actorId }: Holder, number: number): Promise<void> {
    const { identity, network, vault, control } = this.#context;
    if (!this.#isDue(`registration ${number}`)) return;
    if (this.#drawn?.number !== number) {
      this.#drawn = { number, holderKey: createHolderKey(entropy(64)) };
    }
    const { holderKey } = this.#drawn;
    // First: a registered key whose secret is lost takes another ceremony to be rid of.
    await vault.keepHolder(holderKey);
    const networkId = network.id;
    const registration = holderRegistration({
      networkId,
      actorId,
      number,
      identity,
      holderKey,
      entropy,
    });
    control.log('key.holder-registering', { number });
    await this.#submit({ kind: 'registration', registration });
  }

  /** The actor is known by a key whose secret this node does not have. */
  async #obtain(holder: Holder, registered: HolderRegistration): Promise<void> {
    const { vault, channel, control } = this.#context;
    const wanted = encodeHolderRequest(registered.encryptionKey);
    for (const nodeId of holder.siblings) {
      if (!channel.connected(nodeId) || !this.#isDue(`holder key of ${nodeId}`)) continue;
      try {
        const reply = await channel.request(nodeId, 'holder-secret', wanted, siblingTimeoutMs);
        const decryptionKey = decodeHolderSecret(reply);
        reply.fill(0);
        const encryptionKey = timesBase(decryptionKey);
        if (toHex(encryptionKey) !== registered.encryptionKey) continue;
        await vault.keepHolder({ decryptionKey, encryptionKey });
        control.log('key.holder-received', { peer: nodeId, number: registered.number });
        return;
      } catch (error) {
        if (!(error instanceof CodedError)) throw error;
        control.log('key.holder-not-given', { peer: nodeId, code: error.code });
      }
    }
    const nowMs = performance.now();
    const { encryptionKey } = registered;
    if (this.#missing.encryptionKey !== encryptionKey) {
      this.#missing = { encryptionKey, sinceMs: nowMs };
    }
    const waitedMs = nowMs - this.#missing.sinceMs;
    const isLost = holder.siblings.length === 0 || waitedMs > siblingPatienceMs;
    // The shares that were given to the lost key are lost with it; a resharing makes up for them.
    if (isLost) await this.#register(holder, registered.number + 1);
  }

  async #takePart(view: ReadView, actorId: ActorId): Promise<boolean> {
    const row = openCeremonyOf(view);
    if (!row || isOvertaken(view, row)) return false;
    const ceremony = resumeCeremony(view, row);
    const phase = ceremony.phase(toSeqno(this.#context.log.committedSeqno + 1));
    if (phase === 'dealing') await this.#deal(row, ceremony, actorId);
    else if (phase === 'checking') await this.#check(row, ceremony, actorId);
    return true;
  }

  async #deal(row: CeremonyRow, { terms }: Ceremony, actorId: ActorId): Promise<void> {
    const { vault, verdict } = this.#context;
    const dealer = terms.dealers.find(({ actor }) => actor === actorId)?.index;
    if (dealer === undefined || row.progress.dealt.some((one) => one.dealer === dealer)) return;
    const holderKey = this.#keyIn(row, actorId);
    const authorKey = row.from
      ? vault.shareOf(row.key, row.from)?.secret
      : holderKey?.decryptionKey;
    if (!holderKey || !authorKey) return this.#tellOnce('key.not-dealt', row);
    if (!this.#isDue(`dealing ${row.number}`)) return;
    const holderSecret = holderKey.decryptionKey;
    const { measurement } = verdict;
    const source = { holderSecret, authorKey, dealer, terms, measurement };
    const steps = createDealingSteps(terms, { dealer, authorKey }, dealingEntropy(source));
    const dealing = await inSlices(steps);
    await this.#submit({ kind: 'dealing', bytes: encodeDealing(dealing) });
  }

  async #check(row: CeremonyRow, ceremony: Ceremony, actorId: ActorId): Promise<void> {
    const { terms, counting, good } = ceremony;
    const index = terms.receivers.find(({ actor }) => actor === actorId)?.index;
    if (index === undefined || row.progress.confirmed.includes(index)) return;
    const holderKey = this.#keyIn(row, actorId);
    if (!holderKey) return;
    const { decryptionKey } = holderKey;
    const round = `${row.number} ${row.progress.atFault.length}`;
    if (!this.#isDue(`check ${round}`)) return;
    const received = await inSlices(receiveSteps(terms, good, { index, decryptionKey }));
    if ('secret' in received) {
      // First: whoever counts on this confirmation counts on the share.
      const { secret } = received;
      await this.#context.vault.keepShare({ key: row.key, sharing: row.number }, { index, secret });
      const receiver = { index, decryptionKey };
      const confirmation = createConfirmation(terms, counting, receiver, entropy(64));
      await this.#submit({ kind: 'confirmation', bytes: encodeConfirmation(confirmation) });
      return;
    }
    for (const dealing of good) {
      const { dealer } = dealing;
      if (!received.cheatedBy.includes(dealer)) continue;
      if (row.unjust.some(([by, about]) => by === index && about === dealer)) continue;
      this.#tellOnce('key.cheated', row, { dealer });
      const accuser = { index, decryptionKey };
      const complaint = createComplaint(terms, dealing, accuser, entropy(64));
      await this.#submit({ kind: 'complaint', bytes: encodeComplaint(complaint) });
    }
  }

  /** The holder key that the actor takes part in a ceremony with. */
  #keyIn({ terms }: CeremonyRow, actorId: ActorId): HolderKey | undefined {
    const { vault, administration } = this.#context;
    const place = terms.receivers.find(({ actor }) => actor === actorId);
    const registered = holderRegistrationOf(administration.committedState, actorId);
    const key = place?.encryptionKey ?? registered?.encryptionKey;
    return key ? vault.holderOf(key) : undefined;
  }

  async #submit(message: CeremonyMessage): Promise<void> {
    const { kind } = message;
    try {
      await this.#send(encodeCeremonyMessage(message));
    } catch (error) {
      if (!(error instanceof CodedError)) throw error;
      // The others of this actor, or this node under an earlier leader, were first: nothing is lost.
      this.#context.control.log('key.contribution-refused', { kind, code: error.code });
    }
  }

  /** Whether something was not done a moment ago. */
  #isDue(what: string): boolean {
    const nowMs = performance.now();
    const lastMs = this.#sent.get(what);
    if (lastMs !== undefined && nowMs - lastMs < resendMs) return false;
    this.#sent.delete(what);
    this.#sent.set(what, nowMs);
    for (const [first] of this.#sent) {
      if (this.#sent.size <= maxSent) break;
      this.#sent.delete(first);
    }
    return true;
  }

  #tellOnce(event: string, row: CeremonyRow, fields: Record<string, unknown> = {}): void {
    const told = JSON.stringify([event, row.number, fields]);
    if (told === this.#told) return;
    this.#told = told;
    this.#context.control.log(event, { level: 'warn', ceremony: row.number, ...fields });
  }
}

/**
 * Puts the shares into the vault that the ledger says the actor holds, and that are not there: what was
 * dealt to a holder key can be opened again as long as its secret is known. So a node that learned the
 * holder key from another one of its actor, or whose host brought back an old record, has them too.
 */
export async function restoreShares(
  view: ReadView,
  actorId: ActorId,
  vault: ShareVault,
): Promise<void> {
  for (const { key, sharing } of sharedKeys(view)) {
    const place = sharing.holders.find((holder) => holder.actorId === actorId);
    if (!place || vault.shareOf(key.number, key.sharing)?.index === place.index) continue;
    const holderKey = vault.holderOf(place.encryptionKey);
    const row = ceremonyOf(view, key.sharing);
    if (!holderKey || !row) continue;
    const { terms, good } = resumeCeremony(view, row);
    const { index } = place;
    const { decryptionKey } = holderKey;
    const received = await inSlices(receiveSteps(terms, good, { index, decryptionKey }));
    if (!('secret' in received) || !fits(received.secret, place.verificationKey)) continue;
    await vault.keepShare({ key: key.number, sharing: key.sharing }, { index, ...received });
  }
}

const fits = (secret: Scalar, verificationKey: string): boolean =>
  equalBytes(timesBase(secret), Buffer.from(verificationKey, 'hex'));

/** Erases shares of sharings that newer ones took the place of, and holder keys nothing is dealt to. */
async function tidyVault(
  view: ReadView,
  registered: HolderRegistration,
  vault: ShareVault,
): Promise<void> {
  const keys = sharedKeys(view);
  const newest = newestCeremony(view);
  const holders = new Set([
    registered.encryptionKey,
    ...keys.flatMap(({ sharing }) => sharing.holders.map(({ encryptionKey }) => encryptionKey)),
  ]);
  await vault.retain({
    share: ({ key, sharing }) =>
      keys.some((one) => one.key.number === key && one.key.sharing === sharing) ||
      sharing > (newest?.number ?? 0) ||
      (sharing === newest?.number && newest.state === 'open'),
    holder: (encryptionKey) => holders.has(encryptionKey),
    newerThan: registered.encryptionKey,
  });
}
