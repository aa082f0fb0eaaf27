import {
  createSigningKey,
  issueCertificate,
  nodeIdOf,
  type SigningKey,
  toPem,
} from '@concordat/crypto';
import {
  type Digest,
  type Epoch,
  type Height,
  type Seqno,
  toDigest,
  type View,
} from '@concordat/std';
import {
  HistoryTree,
  type OpenedBlock,
  openBlock,
  type SealedBlock,
  type SessionKey,
  sealBlock,
  type TransactionRecord,
} from '../index.ts';

const seed = (n: number): Uint8Array => Buffer.alloc(32, n);
const day = 86_400_000;

/** A network with one node that seals, and what a verifier needs to know of it. */
export class Ledger {
  nodeKey: SigningKey;
  readonly networkKey: SigningKey;
  readonly sessionKey: SessionKey;
  readonly networkCertificatePem: string;
  nodeCertificatePem: string;
  history = new HistoryTree();
  readonly blocks: SealedBlock[] = [];
  previous: Digest = toDigest(new Uint8Array(32));
  nextSeqno = 1;
  view = 1;

  constructor(n = 1) {
    this.nodeKey = createSigningKey(seed(n));
    this.sessionKey = { epoch: 1 as Epoch, key: seed(n + 100) };
    const networkKey = createSigningKey(seed(n + 50));
    this.networkKey = networkKey;
    const network = issueCertificate({
      subject: { commonName: 'network' },
      publicKeySpki: networkKey.publicKeySpki,
      issuer: { key: networkKey },
      serial: Uint8Array.of(1),
      notBeforeMs: 0,
      notAfterMs: 1000 * day,
      isCa: true,
      usages: ['keyCertSign'],
    });
    const node = issueCertificate({
      subject: { commonName: 'node' },
      publicKeySpki: this.nodeKey.publicKeySpki,
      issuer: { key: networkKey, certificateDer: network },
      serial: Uint8Array.of(2),
      notBeforeMs: day,
      notAfterMs: 2 * day,
      isCa: false,
      usages: ['clientAuth', 'serverAuth'],
    });
    this.networkCertificatePem = toPem(network);
    this.nodeCertificatePem = toPem(node);
  }

  seal(transactions: readonly TransactionRecord[], flags = 0): SealedBlock {
    const sealed = sealBlock({
      view: this.view as View,
      height: (this.history.size + 1) as Height,
      firstSeqno: this.nextSeqno as Seqno,
      epoch: 1 as Epoch,
      timeMs: 1_700_000_000_000,
      leader: nodeIdOf(this.nodeKey.publicKeySpki),
      source: 1,
      flags,
      previous: this.previous,
      transactions,
      sessionKey: this.sessionKey,
      history: this.history,
      sign: (bytes) => this.nodeKey.sign(bytes),
    });
    this.previous = sealed.headerHash;
    this.nextSeqno += transactions.length;
    this.blocks.push(sealed);
    return sealed;
  }

  /** Seals blocks of 1, 2, 3 ... transactions. */
  grow(blocks: number): this {
    for (let i = 0; i < blocks; i++) {
      this.seal(Array.from({ length: (i % 5) + 1 }, (_, j) => record(`${i}.${j}`, j)));
    }
    return this;
  }
}

/** A transaction with private writes, and with public writes or claims by its number. */
export function record(text: string, n = 0): TransactionRecord {
  return {
    publicWrites: Buffer.from(n % 3 === 1 ? `public ${text}` : ''),
    privateWrites: Buffer.from(n % 4 === 3 ? '' : `private ${text}`),
    ...(n % 2 === 1 ? { claimsDigest: Buffer.alloc(32, n) } : {}),
  };
}

/** A node that reads blocks of a ledger in order. */
export class Follower {
  readonly history = new HistoryTree();
  previous: Digest = toDigest(new Uint8Array(32));
  nextSeqno = 1;
  view = 0;
  readonly #ledger: Ledger;

  constructor(ledger: Ledger) {
    this.#ledger = ledger;
  }

  open(block: Uint8Array): OpenedBlock {
    const opened = openBlock(block, {
      sessionKey: (epoch) => (epoch === 1 ? this.#ledger.sessionKey : undefined),
      history: this.history,
      previous: this.previous,
      expectedHeight: this.history.size + 1,
      expectedFirstSeqno: this.nextSeqno,
      previousView: this.view,
      nodeKey: (leader) =>
        leader === nodeIdOf(this.#ledger.nodeKey.publicKeySpki)
          ? this.#ledger.nodeKey.publicKeySpki
          : undefined,
    });
    this.previous = opened.headerHash;
    this.nextSeqno += opened.header.count;
    this.view = opened.header.view;
    return opened;
  }
}

/** Runs a step that must be refused and returns the code of the refusal. */
export function refusal(step: () => unknown): string {
  try {
    step();
  } catch (error) {
    const { name, code } = error as { name: string; code?: string };
    if (name === 'LedgerError' && code !== undefined) return code;
    throw error;
  }
  return 'accepted';
}
