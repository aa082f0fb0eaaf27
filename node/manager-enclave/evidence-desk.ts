import type { EvidenceAnswer, EvidenceStatement } from '@concordat/api';
import { reportData, type Verdict } from '@concordat/attestation';
import { sha256 } from '@concordat/crypto';
import { canonicalJson } from '@concordat/governance';
import { toBase64, toDigest, toEpoch, toHex, utf8 } from '@concordat/std';
import { type EvidenceAsker, EvidenceTurns } from './evidence-turns.ts';
import type { NodeContext } from './node-context.ts';

/**
 * Evidence for clients. Anybody who completes TLS may ask, actor or not: a client decides by it whether
 * to say who it is. So its rate is bounded and shared fairly, and what it says is nothing that an actor alone may know.
 */
export class EvidenceDesk {
  readonly #node: Pick<NodeContext, 'identity' | 'network' | 'control'>;
  readonly #workers: () => readonly Verdict[];
  readonly #turns: EvidenceTurns;

  /** @param workers what the worker enclaves of this node proved */
  constructor(
    node: Pick<NodeContext, 'identity' | 'network' | 'control'>,
    workers: () => readonly Verdict[],
    nowMs: () => number = () => performance.now(),
  ) {
    this.#node = node;
    this.#workers = workers;
    this.#turns = new EvidenceTurns(nowMs);
  }

  /** Evidence bound to a client's nonce. @param nonce 64 hex digits @throws ApiError OVERLOADED */
  async give(nonce: string, asker: EvidenceAsker): Promise<EvidenceAnswer> {
    await this.#turns.take(asker);
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
}
