import type { Verdict } from '@concordat/attestation';
import {
  type BatchTransaction,
  dialSocket,
  dialThroughHost,
  workerSocket,
} from '@concordat/bridge';
import type { Constitution } from '@concordat/governance';
import type { TransactionRecord } from '@concordat/ledger';
import { equalBytes, toDigest, utf8 } from '@concordat/std';
import { localReportData, requireManifests, verifiedEvidence } from './admission.ts';
import { ManagerError } from './errors.ts';
import { ExternalDesk } from './external-desk.ts';
import { LedgerQuestions } from './ledger-questions.ts';
import type { NodeContext } from './node-context.ts';
import { PastDesk } from './past-desk.ts';
import { PastTurns } from './past-turns.ts';
import type { WorkerPort } from './ports.ts';
import type { ReadBarriers } from './read-barriers.ts';
import { ReceiptDesk } from './receipt-desk.ts';
import type { RequestForwarding } from './request-forwarding.ts';
import { SealedRequests } from './sealed-requests.ts';
import type { ManagerWays } from './ways.ts';
import type { WorkerEvents } from './worker-link.ts';

const maxLogLine = 4096;

/** Where the workers of this VN meet the manager: attested, configured, their batches sealed. */
export class WorkerDesk {
  readonly #context: NodeContext;
  readonly #forwarding: RequestForwarding;
  readonly #readBarriers: ReadBarriers;
  readonly #questions: LedgerQuestions;
  readonly #past: PastDesk;
  readonly #sealed: SealedRequests;
  readonly #external: ExternalDesk;
  #bridgeDirectory = '';
  readonly #ways: Pick<ManagerWays, 'worker'>;
  readonly #fail: (error: Error) => void;
  readonly #verdicts: Verdict[] = [];
  readonly #links: WorkerPort[] = [];
  #configuration = '';

  constructor(
    context: NodeContext,
    parts: {
      readonly forwarding: RequestForwarding;
      readonly readBarriers: ReadBarriers;
      readonly ways: Pick<ManagerWays, 'worker'>;
    },
    /** Ends this launch: the VN cannot go on without its workers. */
    fail: (error: Error) => void,
  ) {
    this.#context = context;
    this.#forwarding = parts.forwarding;
    this.#readBarriers = parts.readBarriers;
    const turns = new PastTurns();
    this.#sealed = new SealedRequests(context);
    const { keys } = this.#sealed;
    this.#questions = new LedgerQuestions(context, new ReceiptDesk(context, turns), keys);
    this.#past = new PastDesk(context, turns);
    this.#external = new ExternalDesk({
      dial: (address, timeoutMs) =>
        dialThroughHost(dialSocket(this.#bridgeDirectory), address, { timeoutMs }),
      adaptersOf: (worker) =>
        context.start.workers.find(({ index }) => index === worker)?.adapters ?? [],
      log: (event, fields) => context.control.log(event, fields),
    });
    this.#ways = parts.ways;
    this.#fail = fail;
  }

  /** Connects and attests every worker. */
  async connect(bridgeDirectory: string): Promise<void> {
    this.#bridgeDirectory = bridgeDirectory;
    const { control, identity, start, feed } = this.#context;
    const evidence = await control.attest(localReportData('node', identity.signing.publicKeySpki));
    const credentials = {
      key: identity.signing.toPkcs8Pem(),
      certificate: identity.selfSignedCertificate,
    };
    const verify = this.#verify.bind(this);
    const connecting = start.workers.map(async ({ index }) => {
      const attestation = { credentials, evidence, verify };
      const events = this.#events(() => link);
      const link: WorkerPort = this.#ways.worker(index, attestation, events);
      this.#links.push(link);
      await link.connect(workerSocket(bridgeDirectory, index));
      feed.add(link);
    });
    await Promise.all(connecting);
  }

  /**
   * Checks the workers' code against the code manifest, and gives them their configuration.
   * @throws ManagerError UNLISTED_MEASUREMENT, UNLISTED_TEE, WRONG_ROLE
   */
  configure(constitution: Constitution): void {
    for (const verdict of this.#verdicts) requireManifests(verdict, constitution, 'worker');
    this.#external.configure(constitution);
    const { adapters, policies, externalSystems } = constitution;
    const { network, identity, feed } = this.#context;
    const { nodeId } = identity;
    const trust = trustUnder(constitution);
    const text = JSON.stringify({
      ...{ adapters, policies, networkId: network.id, nodeId, trust, externalSystems },
    });
    if (text === this.#configuration) return;
    this.#configuration = text;
    for (const link of feed.links) link.send({ kind: 'configure', json: utf8(text) });
  }

  /** What the workers of this node proved. */
  get verdicts(): readonly Verdict[] {
    return this.#verdicts;
  }

  /** Closes every link. */
  stop(): void {
    this.#external.stop();
    this.#sealed.keys.forget();
    for (const link of this.#links) link.stop();
  }

  /** Checks a worker's evidence: genuine, bound to its TLS key, and of this very platform. */
  #verify(evidence: Uint8Array, publicKey: Uint8Array): void {
    const verdict = verifiedEvidence(evidence, Date.now());
    const bound = equalBytes(verdict.reportData, localReportData('worker', publicKey));
    if (!bound || verdict.platformKey !== this.#context.verdict.platformKey) {
      throw new ManagerError('WORKER_REFUSED', 'the evidence is not that of a worker of this node');
    }
    this.#verdicts.push(verdict);
  }

  #events(link: () => WorkerPort): WorkerEvents {
    const { control, states, programs } = this.#context;
    return {
      onBatch: (batch, transactions) => {
        // Executed on a state that has been taken back meanwhile: the worker drops it as well.
        if (link().ready) this.#seal(link(), batch, transactions);
        else link().send({ kind: 'refused', batch, code: 'TRANSACTION_LOST' });
      },
      onGenesisBatch: (batch, transactions) => {
        if (this.#context.phase !== 'starting') {
          throw new ManagerError('WORKER_REFUSED', 'a genesis batch after the genesis');
        }
        this.#seal(link(), batch, transactions);
      },
      onForward: (id, identity, request) =>
        this.#forwarding.forward(link().index, id, identity, request),
      onForwardedReply: ({ id, ...reply }) => this.#forwarding.replied(id, reply),
      onReadBarrier: (id) =>
        this.#readBarriers.ask((code) =>
          link().send({ kind: 'readBarrierReply', id, ...(code && { code }) }),
        ),
      onQuestion: (question) => {
        void this.#questions.answer(question).then((answer) => link().send(answer));
      },
      onPast: (request) => {
        void this.#past.answer(link().index, request).then((reply) => link().send(reply));
      },
      onOpen: (request) => {
        const reply = this.#sealed.answer(link().index, request);
        if (reply.code === undefined) link().introduce(reply.identity);
        link().send(reply);
      },
      onExternal: (message) => this.#external.received(link(), message),
      onProgram: (message) => programs.received(link().index, message),
      onSnapshot: (message) => states.received(link().index, message),
      onLog: (line) => control.log('worker.log', { worker: link().index, line: textOf(line) }),
      onClose: (error) => {
        const why = error?.message ?? 'it closed its channel';
        control.log('worker.gone', { worker: link().index, why });
        this.#fail(new ManagerError('WORKER_REFUSED', `the worker enclave is gone: ${why}`));
      },
    };
  }

  #seal(link: WorkerPort, batch: number, transactions: readonly BatchTransaction[]): void {
    if (transactions.length === 0) {
      throw new ManagerError('WORKER_REFUSED', 'a batch without transactions');
    }
    const { driver, feed } = this.#context;
    const placed = driver.place(link.index, transactions.map(recordOf), { withOthers: true });
    if (!placed.ok) {
      link.refuse(batch, placed.code);
      return;
    }
    feed.sealedHere(placed.height, link.index);
    const { view, height, firstSeqno } = placed;
    link.send({ kind: 'sealed', batch, view, height, firstSeqno });
  }
}

const recordOf = ({
  publicWrites,
  privateWrites,
  claimsDigest,
}: BatchTransaction): TransactionRecord =>
  claimsDigest
    ? { publicWrites, privateWrites, claimsDigest: toDigest(claimsDigest) }
    : { publicWrites, privateWrites };

const textOf = (line: Uint8Array): string => Buffer.from(line).toString('utf8', 0, maxLogLine);

/** Whom workers may know callers by: actors by their certificates, tokens by issuers' keys. */
const trustUnder = ({ actors, jwtIssuers = [] }: Constitution) => ({
  actors: actors.map(({ actorId, name, kind, roles, certificate, earlier }) => {
    return { actorId, name, kinds: kind, roles, certificate, ...(earlier && { earlier }) };
  }),
  tokenIssuers: jwtIssuers,
});
