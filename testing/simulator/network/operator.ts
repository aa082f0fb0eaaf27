import { buildProposal, buildVote, buildWithdrawal, signNodeTuple } from '@concordat/governance';
import { CodedError, fromHex, type NodeId } from '@concordat/std';
import { epochMs } from '../platform/world-clock.ts';
import type { Machine } from './machine.ts';
import type { Organisation } from './organisation.ts';
import type { World } from './world.ts';

/** One change that members vote on. */
export interface Action {
  readonly name: string;
  readonly args: unknown;
}

/** How long the operators go on trying to get a decision made, milliseconds. */
const patienceMs = 60_000;
const retryMs = 300;

/** What went wrong by itself may go well the next time. */
const passingCodes: ReadonlySet<string> = new Set([
  'GONE',
  'NOT_LEADER',
  'LEADER_UNKNOWN',
  'TRANSACTION_LOST',
  'TRANSACTION_UNKNOWN',
  'CONFIGURATION_PENDING',
  'OVERLOADED',
  'CHANNEL_FAILED',
  'PEER_TIMEOUT',
  'REPLAY',
  'NOT_DECIDED',
  // The node that was asked is being removed itself: another one is asked.
  'NODE_NOT_ADMITTED',
  // Whoever leads now still gathers the key in force.
  'SESSION_KEY_MISSING',
]);

type Signers = (member: Organisation) => Pick<Organisation, 'key' | 'certificateDer'> & {
  readonly networkId: string;
  readonly createdAtSeconds: number;
};

/** The members' people: they propose, vote, and admit nodes. */
export class Operator {
  readonly #world: World;
  readonly members: Organisation[];
  networkId = '';
  networkCertificatePem = '';
  /** Decisions made. */
  decisions = 0;
  #attempts = 0;
  #messages = 0;
  /** Proposals that may be open, with their proposers. */
  readonly #open = new Map<string, Organisation>();

  constructor(world: World, members: readonly Organisation[]) {
    this.#world = world;
    this.members = [...members];
  }

  /**
   * Proposes changes and has members vote until it is decided.
   * @throws CodedError of governance, or the last passing one when patience ends
   */
  async decide(actions: readonly Action[]): Promise<void> {
    const { clock } = this.#world;
    const untilMs = clock.nowMs + patienceMs;
    for (let attempt = 0; ; attempt++) {
      try {
        await this.#decideOnce(actions, attempt);
        this.decisions += 1;
        return;
      } catch (error) {
        const passes = error instanceof CodedError && passingCodes.has(error.code);
        if (!passes || clock.nowMs > untilMs) throw error;
      }
      await this.#world.pause(retryMs);
    }
  }

  async #decideOnce(actions: readonly Action[], attempt: number): Promise<void> {
    const signer = this.#signers();
    await this.#tidyUp(signer);
    const [proposer, ...others] = this.members as [Organisation, ...Organisation[]];
    const proposal = { ...signer(proposer), actions: actions as never };
    let answer = await this.#submit(buildProposal(proposal));
    const { proposalId } = answer;
    this.#open.set(proposalId, proposer);
    const hesitates = attempt === 0 && this.decisions % 4 === 3 && this.members.length > 2;
    if (hesitates && answer.state === 'open') {
      // Somebody makes up its mind anew; where a policy asks for its vote by name it is too late.
      await this.#submit(buildVote({ ...signer(proposer), proposalId, accept: false }));
    }
    for (const member of [proposer, ...others]) {
      if (answer.state !== 'open') break;
      const vote = buildVote({ ...signer(member), proposalId, accept: true });
      answer = await this.#submit(vote).catch((error: unknown) => {
        // Somebody else was tidying up meanwhile and took it back.
        if (error instanceof CodedError && error.code === 'PROPOSAL_NOT_OPEN') {
          throw new CodedError('NOT_DECIDED', 'it was taken back');
        }
        throw error;
      });
    }
    if (answer.state === 'open') throw new CodedError('NOT_DECIDED', 'it is still open');
    this.#open.delete(proposalId);
    if (answer.state !== 'accepted') throw new CodedError('REFUSED', `it is ${answer.state}`);
  }

  /** Takes back proposals whose fate was never learnt: a member may have a few open only. */
  async #tidyUp(signer: Signers): Promise<void> {
    for (const [proposalId, proposer] of this.#open) {
      try {
        await this.#submit(buildWithdrawal({ ...signer(proposer), proposalId }));
      } catch (error) {
        if (!(error instanceof CodedError) || passingCodes.has(error.code)) throw error;
        // It was decided after all.
      }
      this.#open.delete(proposalId);
    }
  }

  /**
   * How messages of one attempt are signed: all in the same second, as a later vote may not be signed
   * before the one it replaces. The seconds tell attempts apart: each message is accepted once.
   */
  #signers(): Signers {
    const { networkId } = this;
    const nowSeconds = Math.floor((epochMs + this.#world.clock.nowMs) / 1000);
    this.#attempts += 1;
    const createdAtSeconds = nowSeconds - 60 + (this.#attempts % 60);
    return ({ key, certificateDer }) => ({ networkId, createdAtSeconds, key, certificateDer });
  }

  async #submit(message: Uint8Array) {
    this.#messages += 1;
    const serving = this.#world.running.filter(({ enclave }) => enclave.serving);
    const machine = serving[this.#messages % Math.max(1, serving.length)];
    if (!machine) throw new CodedError('GONE', 'no node serves');
    return this.#world.inside(machine, async ({ launch }) => {
      const { manager } = launch;
      if (!manager) throw new CodedError('GONE', 'the node is starting');
      return manager.governance.submit(message);
    });
  }

  /** Takes up what the first node says of the network it has founded. */
  learnNetwork({ status }: Machine): boolean {
    const { networkId, networkCertificate } = status;
    if (typeof networkId !== 'string' || typeof networkCertificate !== 'string') return false;
    this.networkId = networkId;
    this.networkCertificatePem = networkCertificate;
    return true;
  }

  /** The action that admits the node that runs on a machine. */
  admissionOf({ status, owner }: Machine): Action {
    const { nodeId: _nodeId, ...tuple } = status.node as Record<string, string>;
    const publicKey = fromHex(tuple.publicKey as string) as Uint8Array;
    const address = tuple.address as string;
    const signature = signNodeTuple(owner.key, { address, publicKey });
    return { name: 'add_node', args: { ...tuple, actorId: owner.actorId, signature } };
  }

  /** The action that removes a node. */
  removalOf = (nodeId: NodeId): Action => ({ name: 'remove_node', args: { nodeId } });
}
