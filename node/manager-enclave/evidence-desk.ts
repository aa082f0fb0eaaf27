import { ApiError, type EvidenceAnswer, type EvidenceStatement } from '@concordat/api';
import { reportData, type Verdict } from '@concordat/attestation';
import { sha256 } from '@concordat/crypto';
import { canonicalJson } from '@concordat/governance';
import { toBase64, toDigest, toEpoch, toHex, utf8 } from '@concordat/std';
import type { NodeContext } from './node-context.ts';

/** Evidence made for clients in one second, and saved up while nobody asks. */
const perSecond = 20;
const savedUp = 100;

/**
 * Evidence for clients. Anybody who completes TLS may ask, actor or not: a client decides by it whether
 * to say who it is. So its rate is bounded, and what it says is nothing that an actor alone may know.
 */
export class EvidenceDesk {
  readonly #node: Pick<NodeContext, 'identity' | 'network' | 'control'>;
  readonly #workers: () => readonly Verdict[];
  readonly #nowMs: () => number;
  #left = savedUp;
  #countedMs: number;

  /** @param workers what the worker enclaves of this node proved */
  constructor(
    node: Pick<NodeContext, 'identity' | 'network' | 'control'>,
    workers: () => readonly Verdict[],
    nowMs: () => number = () => performance.now(),
  ) {
    this.#node = node;
    this.#workers = workers;
    this.#nowMs = nowMs;
    this.#countedMs = nowMs();
  }

  /** Evidence bound to a client's nonce. @param nonce 64 hex digits @throws ApiError OVERLOADED */
  async give(nonce: string): Promise<EvidenceAnswer> {
    this.#take();
    const { identity, network, control } = this.#node;
    const { publicKeySpki } = identity.signing;
    const statement: EvidenceStatement = {
      type: 'concordat.node-evidence.v1',
      nonce,
      networkId: network.id,
      nodeId: identity.nodeId,
      publicKey: toHex(publicKeySpki),
      workers: this.#workers()
        .map(({ measurement, platform }) => ({ measurement, platform }))
        .sort((a, b) => (a.measurement < b.measurement ? -1 : 1)),
    };
    const evidence = await control.attest(
      reportData({
        domain: 'client',
        networkId: network.id,
        publicKeySpki,
        ledgerRoot: toDigest(sha256(utf8(canonicalJson(statement)))),
        epoch: toEpoch(0),
      }),
    );
    return { statement, evidence: toBase64(evidence) };
  }

  #take(): void {
    const nowMs = this.#nowMs();
    const earned = ((nowMs - this.#countedMs) / 1_000) * perSecond;
    this.#countedMs = nowMs;
    this.#left = Math.min(savedUp, this.#left + earned);
    if (this.#left < 1) {
      throw new ApiError('OVERLOADED', 'evidence is asked for too often: try again in a second');
    }
    this.#left -= 1;
  }
}
