import { Connection, type Identity, type SdkError } from '@concordat/sdk';

/** Tells what happens; event names are stable. */
export type GatewayLog = (event: string, fields: Readonly<Record<string, unknown>>) => void;

/** Requests to one node at once; more wait. Below what a worker lets one actor have open. */
const maxSockets = 128;

/**
 * The nodes a gateway forwards to. One is in use; it stays in use until it fails, because filters
 * and subscriptions live on the node where they were made. Then the next one takes over.
 */
export class TargetPool {
  readonly #targets: readonly Connection[];
  readonly #log: GatewayLog;
  #active = 0;

  /** @throws SdkError INVALID_ADDRESS, INVALID_NETWORK_CERTIFICATE */
  constructor(options: {
    readonly targets: readonly string[];
    readonly identity: Identity;
    readonly networkCertificate: string;
    readonly log: GatewayLog;
  }) {
    const { targets, identity, networkCertificate } = options;
    this.#targets = targets.map(
      (address) => new Connection({ address, identity, networkCertificate, maxSockets }),
    );
    this.#log = options.log;
  }

  /** Address of the node in use. */
  get active(): string {
    return (this.#targets[this.#active] as Connection).address;
  }

  /** Every node once, the one in use first. */
  candidates(): Connection[] {
    return [...this.#targets.slice(this.#active), ...this.#targets.slice(0, this.#active)];
  }

  /** A node did not serve: others are asked first from now on. */
  failed(target: Connection, why: SdkError): void {
    const index = this.#targets.indexOf(target);
    if (index !== this.#active) return;
    this.#active = (index + 1) % this.#targets.length;
    const { code, message } = why;
    this.#log('gateway.target-failed', { target: target.address, code, why: message });
  }

  /** A node served. */
  served(target: Connection): void {
    const index = this.#targets.indexOf(target);
    if (index === this.#active) return;
    this.#active = index;
    this.#log('gateway.target-changed', { target: target.address });
  }

  /** Cuts every connection. */
  close(): void {
    for (const target of this.#targets) target.close();
  }
}
