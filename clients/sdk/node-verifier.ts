import { randomBytes } from 'node:crypto';
import { adminPaths, type EvidenceAnswer, type EvidenceStatement } from '@concordat/api';
import {
  checkAgainst,
  type EnclaveRole,
  isRefusal,
  maxEvidenceBytes,
  reportData,
  type Verdict,
  verifyEvidence,
  virtualVerifier,
} from '@concordat/attestation';
import { nodeIdOf, sha256 } from '@concordat/crypto';
import { canonicalJson } from '@concordat/governance';
import { equalBytes, fromBase64, isHex64, toDigest, toEpoch, toHex, utf8 } from '@concordat/std';
import { errorOfAnswer, parseJson, SdkError } from './errors.ts';
import { checkPinnedCode, type PinnedCode } from './pinned-code.ts';

/** How a client judges nodes. */
export interface NodeVerifierOptions {
  readonly pinned: PinnedCode;
  /** A verdict holds for so long, then evidence is asked for again; milliseconds, default one hour. */
  readonly maxAgeMs?: number;
  /** Milliseconds of a monotonic clock. */
  readonly nowMs?: () => number;
}

/** What a node proved. */
export interface VerifiedNode {
  readonly nodeId: string;
  readonly networkId: string;
  readonly manager: Pick<Verdict, 'platform' | 'measurement' | 'tcb' | 'platformKey'>;
  readonly workers: EvidenceStatement['workers'];
}

/** One GET over TLS, with the key of whoever ended that very session (DER SPKI). */
export interface EvidenceSource {
  readonly address: string;
  ask(path: string): Promise<{ status: number; body: Buffer; peerKey: Uint8Array | undefined }>;
}

const maxNodes = 1_024;

/**
 * Judges nodes by fresh evidence against code that the client pinned, and remembers the keys of those
 * that passed. A key never leaves its enclave, so that a TLS session it ended, on whichever port, ends
 * in the enclave that the evidence is of.
 */
export class NodeVerifier {
  readonly #pinned: PinnedCode;
  readonly #maxAgeMs: number;
  readonly #nowMs: () => number;
  /** By hex of the key. */
  readonly #verified = new Map<string, { readonly node: VerifiedNode; readonly atMs: number }>();

  /** @throws SdkError INVALID_PINNED_CODE */
  constructor({ pinned, maxAgeMs = 3_600_000, nowMs }: NodeVerifierOptions) {
    this.#pinned = checkPinnedCode(pinned);
    this.#maxAgeMs = maxAgeMs;
    this.#nowMs = nowMs ?? (() => performance.now());
  }

  /** What the node with this key proved, if that is not too long ago. @param key DER SPKI */
  find(key: Uint8Array): VerifiedNode | undefined {
    const found = this.#verified.get(toHex(key));
    return found && this.#nowMs() - found.atMs < this.#maxAgeMs ? found.node : undefined;
  }

  /**
   * Asks a node for evidence and judges it.
   * @throws SdkError EVIDENCE_REFUSED, with the reason in its details: `MALFORMED`, `BAD_SIGNATURE`,
   *   `INVALID_KEY`, `UNKNOWN_PLATFORM`, `OTHER_NONCE`, `OTHER_KEY`, `WRONG_REPORT_DATA`,
   *   `UNLISTED_MEASUREMENT`, `UNLISTED_TEE`, `WRONG_ROLE`, `DEBUG`; what asking throws
   */
  async verify(source: EvidenceSource): Promise<VerifiedNode> {
    const nonce = toHex(randomBytes(32));
    const { status, body, peerKey } = await source.ask(`${adminPaths.evidence}?nonce=${nonce}`);
    if (status !== 200) throw errorOfAnswer(status, body);
    if (peerKey === undefined) throw refused('OTHER_KEY', 'the session has no key');
    const { statement, evidence } = readAnswer(body);
    if (statement.nonce !== nonce) throw refused('OTHER_NONCE', 'the evidence is not fresh');
    if (statement.publicKey !== toHex(peerKey) || statement.nodeId !== nodeIdOf(peerKey)) {
      throw refused('OTHER_KEY', 'the evidence is of another node than the one that answers');
    }
    const manager = this.#judge(evidence, statement, peerKey);
    for (const { measurement, platform } of statement.workers) {
      this.#check({ ...manager, measurement, platform }, 'worker');
    }
    const { nodeId, networkId, workers } = statement;
    const node = { nodeId, networkId, manager, workers };
    this.#remember(peerKey, node);
    return node;
  }

  #judge(evidence: Uint8Array, statement: EvidenceStatement, key: Uint8Array): Verdict {
    const verdict = verifyEvidence(evidence, { atMs: Date.now(), verifiers: [virtualVerifier] });
    if (isRefusal(verdict)) throw refused(verdict.code, verdict.message);
    const bound = reportData({
      domain: 'client',
      networkId: statement.networkId,
      publicKeySpki: key,
      ledgerRoot: toDigest(sha256(utf8(canonicalJson(statement)))),
      epoch: toEpoch(0),
    });
    if (!equalBytes(bound, verdict.reportData)) {
      throw refused('WRONG_REPORT_DATA', 'the evidence is not bound to what the node states');
    }
    this.#check(verdict, 'manager');
    return verdict;
  }

  #check(verdict: Verdict, role: EnclaveRole): void {
    const { code, platforms } = this.#pinned;
    const teeManifest = platforms.map((platform) => ({ platform }));
    const admission = checkAgainst(verdict, { codeManifest: code, teeManifest, role });
    if (admission.ok) return;
    const { measurement, platform } = verdict;
    throw refused(admission.code, admission.message, { role, measurement, platform });
  }

  #remember(key: Uint8Array, node: VerifiedNode): void {
    const name = toHex(key);
    this.#verified.delete(name);
    if (this.#verified.size >= maxNodes) {
      const [oldest] = this.#verified.keys();
      this.#verified.delete(oldest as string);
    }
    this.#verified.set(name, { node, atMs: this.#nowMs() });
  }
}

/** The statement as it was sent, every property looked at: nothing else is hashed. */
function readAnswer(body: Buffer): { statement: EvidenceStatement; evidence: Uint8Array } {
  const answer = (parseJson(body) ?? {}) as Partial<EvidenceAnswer>;
  const { type, nonce, networkId, nodeId, publicKey, workers } = (answer.statement ??
    {}) as Partial<EvidenceStatement>;
  const evidence = typeof answer.evidence === 'string' ? fromBase64(answer.evidence) : undefined;
  const isRead =
    type === 'concordat.node-evidence.v1' &&
    isHex64(nonce) &&
    isHex64(networkId) &&
    isHex64(nodeId) &&
    typeof publicKey === 'string' &&
    isWorkers(workers) &&
    evidence !== undefined &&
    evidence.length <= maxEvidenceBytes;
  if (!isRead) throw refused('MALFORMED', 'the answer has not the form of evidence');
  return { statement: { type, nonce, networkId, nodeId, publicKey, workers }, evidence };
}

const maxWorkers = 256;

const isWorkers = (value: unknown): value is EvidenceStatement['workers'] =>
  Array.isArray(value) &&
  value.length <= maxWorkers &&
  value.every((worker: Record<string, unknown> | null) => {
    const { measurement, platform, ...more } = worker ?? {};
    return isHex64(measurement) && typeof platform === 'string' && Object.keys(more).length === 0;
  });

const refused = (
  reason: string,
  why: string,
  details: Readonly<Record<string, unknown>> = {},
): SdkError =>
  new SdkError('EVIDENCE_REFUSED', `the node is not trusted: ${why}`, { reason, ...details });
