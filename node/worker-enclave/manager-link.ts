import { connect, type Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { connect as connectTls, type TLSSocket } from 'node:tls';
import {
  isRefusal,
  reportData,
  type Verdict,
  verifyEvidence,
  virtualVerifier,
} from '@concordat/attestation';
import {
  type ChannelToManager,
  type ChannelToWorker,
  decodeChannelToWorker,
  encodeChannelToManager,
  FrameConnection,
} from '@concordat/bridge';
import { createSigningKey, issueCertificate, type SigningKey, toPem } from '@concordat/crypto';
import { CodedError, equalBytes } from '@concordat/std';
import { nameOf, WorkerError } from './errors.ts';

const yearMs = 365 * 24 * 3_600_000;
const noNetwork = '0'.repeat(64);
const noRoot = new Uint8Array(32);
const platforms = [virtualVerifier];

/** The worker's end of the channel before it is trusted. */
export interface LinkIdentity {
  readonly key: SigningKey;
  /** The host's platform vouching for this code and key. */
  readonly evidence: Uint8Array;
}

/** What the two enclaves of one node bind into their evidence: they share no ledger yet. */
export const localReportData = (domain: 'node' | 'worker', publicKeySpki: Uint8Array) =>
  reportData({ domain, networkId: noNetwork, publicKeySpki, ledgerRoot: noRoot, epoch: 0 });

/** Draws the worker's key and has it attested. Both end with the process. */
export async function createLinkIdentity(
  entropy: Uint8Array,
  attest: (reportData: Uint8Array) => Promise<Uint8Array>,
): Promise<LinkIdentity> {
  const key = createSigningKey(entropy);
  return { key, evidence: await attest(localReportData('worker', key.publicKeySpki)) };
}

/**
 * Judges the manager at the other end: genuine evidence, bound to its TLS key, of the same platform
 * and the same machine as this worker. Which manager code may run is for the network to say; the
 * worker only makes sure that nothing but an enclave of its own machine gets its plaintext.
 * @throws WorkerError EVIDENCE_REFUSED
 */
export function judgeManager(
  evidence: Uint8Array,
  {
    own,
    peerSpki,
    atMs,
  }: {
    readonly own: Uint8Array;
    readonly peerSpki: Uint8Array;
    readonly atMs: number;
  },
): Verdict {
  const mine = verdictOf(own, atMs, 'own');
  const theirs = verdictOf(evidence, atMs, "manager's");
  if (!equalBytes(theirs.reportData, localReportData('node', peerSpki))) {
    throw refused("the manager's evidence is not bound to the key of its channel");
  }
  if (theirs.platform !== mine.platform || theirs.platformKey !== mine.platformKey) {
    throw refused('the manager runs on another platform or machine');
  }
  return theirs;
}

function verdictOf(evidence: Uint8Array, atMs: number, whose: string): Verdict {
  const verdict = verifyEvidence(evidence, { atMs, verifiers: platforms });
  if (isRefusal(verdict)) throw refused(`${whose} evidence: ${verdict.code}`);
  return verdict;
}

const refused = (why: string): WorkerError => new WorkerError('EVIDENCE_REFUSED', why);

/** What the owner of the link handles. */
export interface ManagerLinkEvents {
  /** A frame of the attested manager. */
  readonly onMessage: (message: ChannelToWorker) => void;
  readonly onDrain: () => void;
  /** The error is coded when it is this worker that could not go on, whatever the manager does. */
  readonly onClose: (error: Error | undefined) => void;
}

/** Time for the manager to take note of why this worker ends. */
const lastWordsMs = 1_000;
/** Of why it ends, in characters: at most 1,024 bytes on the wire. */
const maxReasonLength = 256;
const maxNameLength = 64;

/** The attested channel to the manager enclave: TLS 1.3, evidence first each way, then frames. */
export class ManagerLink {
  readonly #identity: LinkIdentity;
  readonly #events: ManagerLinkEvents;
  readonly #socket: TLSSocket;
  readonly #connection: FrameConnection;
  #trusted = false;
  #failure: Error | undefined;

  /** @param socket connected to the manager's end of the bridge */
  constructor(socket: Socket, identity: LinkIdentity, events: ManagerLinkEvents) {
    this.#identity = identity;
    this.#events = events;
    this.#socket = connectTls({
      socket,
      key: identity.key.toPkcs8Pem(),
      cert: toPem(selfSigned(identity.key)),
      minVersion: 'TLSv1.3',
      // Certificates here are self-signed carriers of keys; evidence says whose the keys are.
      rejectUnauthorized: false,
      checkServerIdentity: () => undefined,
    });
    this.#connection = new FrameConnection(this.#socket, {
      maxFrameBytes: 256 * 1024 * 1024,
      onFrame: (frame) => this.#received(decodeChannelToWorker(frame)),
      onDrain: events.onDrain,
      onClose: (error) => events.onClose(this.#failure ?? error),
    });
    const { evidence } = identity;
    this.#connection.send(encodeChannelToManager({ kind: 'evidence', bytes: evidence }));
  }

  /** Sends one frame; false asks to hold back until `onDrain`. */
  send(message: ChannelToManager): boolean {
    return this.#connection.send(encodeChannelToManager(message));
  }

  /** Writes what was collected and ends. */
  end(): void {
    this.#connection.end();
  }

  #received(message: ChannelToWorker): void {
    if (this.#failure) return;
    if (this.#trusted) {
      this.#handOn(message);
      return;
    }
    if (message.kind !== 'evidence') throw refused('the manager did not attest itself first');
    const certificate = this.#socket.getPeerX509Certificate();
    if (certificate === undefined) throw refused('the manager presented no certificate');
    judgeManager(message.bytes, {
      own: this.#identity.evidence,
      peerSpki: certificate.publicKey.export({ type: 'spki', format: 'der' }),
      atMs: Date.now(),
    });
    this.#trusted = true;
  }

  #handOn(message: ChannelToWorker): void {
    try {
      this.#events.onMessage(message);
    } catch (error) {
      this.#giveUp(error as Error);
      // What a foreign error says may be data of a client: its stack goes the way of all bugs.
      if (!(error instanceof CodedError)) throw error;
    }
  }

  /** Tells the manager why this worker cannot go on: else it would see a closed channel only. */
  #giveUp(error: Error): void {
    this.#failure = error;
    const message = error instanceof CodedError ? error.message.slice(0, maxReasonLength) : '';
    this.send({ kind: 'failed', code: nameOf(error).slice(0, maxNameLength), message });
    this.#connection.end();
    setTimeout(() => this.#connection.close(), lastWordsMs).unref();
  }
}

const dialRetryMs = 50;
const dialAttempts = 1_200;

/**
 * Connects to the manager's bridge socket; it may not listen yet, being started at the same time.
 * Undefined when `ended` settles first.
 * @throws WorkerError CONNECTION_LOST after about a minute; whatever `ended` rejects with
 */
export async function dialManager(
  socketPath: string,
  ended: Promise<void>,
): Promise<Socket | undefined> {
  for (let attempt = 0; attempt < dialAttempts; attempt++) {
    const socket = connect(socketPath);
    const connected = await new Promise<boolean>((resolve) => {
      socket.once('connect', () => resolve(true));
      socket.once('error', () => resolve(false));
    });
    if (connected) return socket;
    const over = await Promise.race([ended.then(() => true), sleep(dialRetryMs, false)]);
    if (over) return undefined;
  }
  throw new WorkerError('CONNECTION_LOST', 'the manager does not listen');
}

function selfSigned(key: SigningKey): Uint8Array {
  const nowMs = Date.now();
  return issueCertificate({
    subject: { commonName: 'worker enclave' },
    publicKeySpki: key.publicKeySpki,
    issuer: { key },
    serial: Uint8Array.of(1),
    notBeforeMs: nowMs - 3_600_000,
    notAfterMs: nowMs + yearMs,
    isCa: false,
    usages: ['clientAuth', 'serverAuth'],
  });
}
