import type { ManagerStart } from '@concordat/bridge';
import { actorIdOf, fromPem } from '@concordat/crypto';
import {
  type Constitution,
  certificatesOf,
  constitutionDigest,
  constitutionTerms,
  type Newcomer,
  parseConstitution,
} from '@concordat/governance';
import { CodedError, type NodeId } from '@concordat/std';
import { ManagerError } from './errors.ts';

/** A constitution that waits for its approval, as an operator is shown it. */
export interface ShownConstitution {
  /** Hex, 32 bytes: what is approved. */
  readonly terms: string;
  /** Hex, 32 bytes: of the whole constitution, as members see it. */
  readonly digest: string;
  readonly networkId: string;
  readonly constitution: Constitution;
  /** What was approved before, where it is known: later changes are to be approved again. */
  readonly before?: Constitution;
}

/**
 * What the operator of a newcomer approves of the network's constitution before anything of its ledger is
 * asked for (paper, "Adding a New Member or Participant", step 3). The host speaks for its operator: it
 * could approve anything, and gains nothing by it but what it could have by a configuration.
 */
export class ConstitutionApproval {
  readonly #newcomer: Newcomer;
  readonly #takesAny: boolean;
  readonly #approved = new Set<string>();
  /** Newest last. */
  #before: Constitution | undefined;
  #shown: ShownConstitution | undefined;
  #decided = Promise.withResolvers<void>();

  /** @throws ManagerError INVALID_START when what was handed over is no constitution */
  constructor({ node, approval = {} }: Pick<ManagerStart, 'node' | 'approval'>, nodeId: NodeId) {
    const { actorCertificatePem: pem } = node;
    const [der] = pem === undefined ? [] : fromPem(pem);
    this.#newcomer = { nodeId, ...(der && { actorId: actorIdOf(der) }) };
    this.#takesAny = approval.any === true;
    if (approval.terms !== undefined) this.#approved.add(approval.terms);
    if (approval.constitution === undefined) return;
    this.#before = readHandedOver(approval.constitution);
    this.#approved.add(this.termsOf(this.#before));
  }

  /** Who this node is, to the network that compares the terms as well. */
  get newcomer(): Newcomer {
    return this.#newcomer;
  }

  /** What waits for approval now. */
  get shown(): ShownConstitution | undefined {
    return this.#shown;
  }

  /** The digest of what is approved of a constitution. */
  termsOf(constitution: Constitution): string {
    return constitutionTerms(constitution, this.#newcomer);
  }

  /** The operator approves what has these terms, now or later. */
  approve(terms: string): void {
    this.#approved.add(terms);
    if (this.#shown?.terms === terms) this.#before = this.#shown.constitution;
    this.#decided.resolve();
    this.#decided = Promise.withResolvers();
  }

  /** Resolves at the next decision. */
  get decision(): Promise<void> {
    return this.#decided.promise;
  }

  /**
   * Goes on only with a constitution that is approved; shows it otherwise.
   * @returns its terms
   * @throws ManagerError CONSTITUTION_NOT_APPROVED; NODE_NOT_ADMITTED when it gives this node to another
   *   actor than the one it was said to be of
   */
  require(constitution: Constitution, networkId: string): string {
    requireOwner(constitution, this.#newcomer);
    const terms = this.termsOf(constitution);
    if (this.#takesAny || this.#approved.has(terms)) {
      this.#shown = undefined;
      return terms;
    }
    const digest = constitutionDigest(constitution);
    const before = this.#before && { before: this.#before };
    this.#shown = { terms, digest, networkId, constitution, ...before };
    const changed = this.#before ? 'it is not the one approved before: ' : '';
    throw new ManagerError(
      'CONSTITUTION_NOT_APPROVED',
      `the constitution of the network waits for approval; ${changed}its terms are ${terms}`,
      { terms },
    );
  }
}

/**
 * Terms leave out the newcomer's own admission, so that whose node it is has to be looked at: the owner
 * votes by it, and is given copies of the keys it holds.
 */
function requireOwner({ nodes, actors }: Constitution, { nodeId, actorId }: Newcomer): void {
  if (actorId === undefined) return;
  const owner = nodes.find((node) => node.nodeId === nodeId)?.actorId;
  const actor = actors.find((candidate) => candidate.actorId === owner);
  const isOwn =
    owner === actorId ||
    (actor && certificatesOf(actor).some(({ fingerprint }) => fingerprint === actorId));
  if (isOwn) return;
  throw new ManagerError(
    'NODE_NOT_ADMITTED',
    `the constitution has this node as one of ${owner ?? 'nobody'}, and it is started for ${actorId}`,
  );
}

function readHandedOver(json: unknown): Constitution {
  try {
    return parseConstitution(json);
  } catch (error) {
    const why = error instanceof CodedError ? error.message : String(error);
    throw new ManagerError('INVALID_START', `the approved constitution is none: ${why}`);
  }
}
