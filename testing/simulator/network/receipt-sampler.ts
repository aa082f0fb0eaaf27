import { verifyReceipt } from '@concordat/ledger';
import { CodedError, parseTransactionId } from '@concordat/std';
import { Violation } from '../checks/violation.ts';
import type { Random } from '../random.ts';
import type { Acknowledged, Clients } from './clients.ts';
import type { Machine } from './machine.ts';
import { isServing, type Network } from './network.ts';

const everyMs = 1_000;

/** Asks for the receipt of an acknowledged transaction every now and then, and verifies it. */
export class ReceiptSampler {
  verified = 0;
  /** Answers without a receipt, by code. */
  readonly refusals = new Map<string, number>();
  readonly #network: Network;
  readonly #clients: Clients;
  readonly #random: Random;

  constructor(network: Network, clients: Clients) {
    this.#network = network;
    this.#clients = clients;
    this.#random = network.world.random(3);
  }

  /** From now on. */
  start(): void {
    const { world } = this.#network;
    const sample = (): void => {
      world.clock.after(everyMs, undefined, sample);
      const machines = world.machines.filter(isServing);
      const { acknowledged } = this.#clients;
      if (machines.length === 0 || acknowledged.length === 0) return;
      void this.#ask(this.#random.pick(machines), this.#random.pick(acknowledged));
    };
    sample();
  }

  async #ask(machine: Machine, { transactionId, height }: Acknowledged): Promise<void> {
    const { world, operator } = this.#network;
    const id = parseTransactionId(transactionId);
    if (!id) return;
    try {
      const receipt = await world.inside(machine, async ({ launch, receipts }) => {
        const { manager } = launch;
        const isCommitted = manager && manager.log.committedHeight >= height;
        return isCommitted ? receipts?.receipt(id) : undefined;
      });
      if (!receipt) return;
      const verdict = verifyReceipt(receipt, operator.networkCertificatePem);
      if (verdict.ok && verdict.transactionId === transactionId) this.verified += 1;
      else this.#refused(machine, transactionId, JSON.stringify(verdict));
    } catch (error) {
      if (!(error instanceof CodedError)) {
        world.bug('a receipt', error);
        return;
      }
      const code = String(error.code);
      this.refusals.set(code, (this.refusals.get(code) ?? 0) + 1);
      // A damaged block is named; on a sound disk nothing is damaged.
      const isDoubtful = machine.suspect || machine.isSpoiled;
      if (code === 'LEDGER_CORRUPT' && !isDoubtful && !world.health.hasReadFalsely(machine.name)) {
        this.#refused(machine, transactionId, error.message);
      }
    }
  }

  #refused({ name }: Machine, transactionId: string, why: string): void {
    const what = `${name} gave no valid receipt of ${transactionId}: ${why}`;
    this.#network.world.violated(new Violation('RECEIPT_REFUSED', what));
  }
}
