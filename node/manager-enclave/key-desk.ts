import { CodedError, type NodeId, toSeqno } from '@concordat/std';
import { CeremonyLead, isActorUp, type LeadContext } from './ceremony-lead.ts';
import { ManagerError } from './errors.ts';
import { type HolderContext, HolderPart, restoreShares } from './holder-part.ts';
import { decodeHolderRequest, encodeHolderSecret } from './key-messages.ts';
import { type KeyStatus, keyStatusOf } from './key-status.ts';

const submitTimeoutMs = 10_000;
/** The same failure is told at most this often. */
const tellIntervalMs = 10_000;

/** What of the node it needs. */
export type KeyContext = LeadContext & HolderContext;

/**
 * Where this node's part in the shared keys comes together: as one of its actor's nodes, as the leader
 * when it leads, and as one that others ask. Woken by every change of the committed administrative
 * state and at intervals; both parts work at once, each on one thing at a time.
 */
export class KeyDesk {
  readonly #context: KeyContext;
  readonly #lead: CeremonyLead;
  readonly #loops: readonly Loop[];
  /** What was said last, and holds until the state changes. */
  #status: KeyStatus | undefined;

  constructor(context: KeyContext) {
    this.#context = context;
    this.#lead = new CeremonyLead(context);
    const holder = new HolderPart(context, (body) => this.#submit(body));
    const onRefused = (part: string) => (error: CodedError) => {
      context.control.log('key.waiting', { part, code: error.code, why: error.message });
    };
    this.#loops = [
      new Loop(() => this.#lead.work(), onRefused('leader')),
      new Loop(() => holder.work(), onRefused('holder')),
    ];
  }

  /** The committed state, or who leads, changed. */
  wake(): void {
    this.#status = undefined;
    for (const loop of this.#loops) loop.wake();
  }

  /** Time has passed. */
  tick(): void {
    for (const loop of this.#loops) if (loop.isWaiting) loop.wake();
  }

  stop(): void {
    for (const loop of this.#loops) loop.stop();
  }

  async #submit(body: Uint8Array): Promise<unknown> {
    const { leader, identity, channel } = this.#context;
    if (leader === identity.nodeId) return this.#lead.execute(body);
    if (!leader) throw new ManagerError('LEADER_UNKNOWN', 'there is no leader at present');
    return channel.request(leader, 'key-ceremony', body, submitTimeoutMs);
  }

  /**
   * Puts those of this actor's shares into the vault that a ledger tells and that are not there: before
   * this node takes part, its host may have brought back an older record.
   */
  async restore(administration: KeyContext['administration']): Promise<void> {
    const { identity, vault } = this.#context;
    const own = administration.node(identity.nodeId);
    if (own) await restoreShares(administration.head, own.actorId, vault);
  }

  /** A trusted node brings an actor's contribution. @throws CodedError of what refuses it */
  contribute(body: Uint8Array): Promise<Uint8Array> {
    return this.#lead.execute(body);
  }

  /**
   * Another node of this node's actor asks for the secret of a holder key. The channel has attested it;
   * that it is trusted now, and whose it is, the committed node list says.
   * @throws ManagerError NODE_NOT_ADMITTED, SHARE_NOT_HELD, CHANNEL_FAILED
   */
  holderSecret(peer: NodeId, body: Uint8Array): Uint8Array {
    const { administration, identity, vault, control } = this.#context;
    const wanted = decodeHolderRequest(body);
    const nodes = administration.isCommitted ? administration.committedConstitution.nodes : [];
    const own = nodes.find(({ nodeId }) => nodeId === identity.nodeId);
    const theirs = nodes.find(({ nodeId }) => nodeId === peer);
    if (!own || theirs?.status !== 'trusted' || theirs.actorId !== own.actorId) {
      const why = 'a holder key is given to trusted nodes of the same actor only';
      throw new ManagerError('NODE_NOT_ADMITTED', why);
    }
    const secret = vault.holderSecret(wanted);
    if (!secret) throw new ManagerError('SHARE_NOT_HELD', 'this node has not that holder key');
    control.log('key.holder-given', { peer });
    return encodeHolderSecret(secret);
  }

  /** What an operator wants to know; undefined before the network has a key. */
  get status(): KeyStatus | undefined {
    const { administration, log } = this.#context;
    const said = this.#status;
    // A ceremony moves on with the ledger, and who is up with the channels.
    if (said && !said.ceremony && !said.due) return said;
    if (!administration.isCommitted) return undefined;
    this.#status = keyStatusOf(
      administration.committedState,
      administration.committedConstitution,
      {
        seqno: toSeqno(log.committedSeqno + 1),
        isUp: (actorId) => isActorUp(this.#context, actorId),
      },
    );
    return this.#status;
  }
}

/** Does one piece of work at a time, and again when it was woken meanwhile. */
class Loop {
  readonly #work: () => Promise<boolean>;
  readonly #onRefused: (error: CodedError) => void;
  #isWorking = false;
  #again = false;
  #stopped = false;
  /** There is more to do, which time or another attempt may bring on. */
  isWaiting = true;
  #told = { code: '', atMs: Number.NEGATIVE_INFINITY };

  constructor(work: () => Promise<boolean>, onRefused: (error: CodedError) => void) {
    this.#work = work;
    this.#onRefused = onRefused;
  }

  wake(): void {
    this.#again = true;
    if (!this.#isWorking && !this.#stopped) void this.#run();
  }

  stop(): void {
    this.#stopped = true;
  }

  /** What is refused is tried at the next waking; anything else is a bug, and ends the process. */
  async #run(): Promise<void> {
    this.#isWorking = true;
    while (this.#again && !this.#stopped) {
      this.#again = false;
      try {
        this.isWaiting = await this.#work();
      } catch (error) {
        if (!(error instanceof CodedError)) throw error;
        this.isWaiting = true;
        this.#tell(error);
      }
    }
    this.#isWorking = false;
  }

  #tell(error: CodedError): void {
    const nowMs = performance.now();
    const { code, atMs } = this.#told;
    if (code === error.code && nowMs - atMs < tellIntervalMs) return;
    this.#told = { code: error.code, atMs: nowMs };
    this.#onRefused(error);
  }
}
