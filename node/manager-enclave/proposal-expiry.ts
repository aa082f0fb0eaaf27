import { expireProposals, isExpiryDue } from '@concordat/governance';
import { CodedError } from '@concordat/std';
import type { NodeContext } from './node-context.ts';

const nowSeconds = (): number => Math.floor(Date.now() / 1000);

/**
 * Ends proposals whose time is over when no governance message comes that would: the leader adds a
 * transaction of its own.
 */
export class ProposalExpiry {
  readonly #node: NodeContext;
  #isWorking = false;

  constructor(node: NodeContext) {
    this.#node = node;
  }

  /** What is done about once a second. */
  tick(): void {
    const { administration, takesPart, driver } = this.#node;
    if (this.#isWorking || !takesPart || !driver.leads || !administration.isCommitted) return;
    if (!isExpiryDue(administration.head, nowSeconds())) return;
    this.#isWorking = true;
    this.#expire()
      .catch((error: unknown) => {
        // It is tried again with the next tick, here or by whoever leads then.
        if (!(error instanceof CodedError)) throw error;
      })
      .finally(() => {
        this.#isWorking = false;
      });
  }

  async #expire(): Promise<void> {
    const { queue, control } = this.#node;
    const { result } = await queue.administer((set) => expireProposals(set, nowSeconds()));
    for (const effect of result) control.log('governance.expired', { ...effect });
  }
}
