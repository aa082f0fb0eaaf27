import { randomBytes } from 'node:crypto';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { ManagerStart } from '@concordat/bridge';
import {
  createEncryptionKey,
  type EncryptionKey,
  fromPem,
  importSigningKey,
  toPem,
} from '@concordat/crypto';
import {
  buildProposal,
  buildVote,
  nodeJoins,
  nodeTrusted,
  type ProposedAction,
  signNodeTuple,
  submitMessage,
} from '@concordat/governance';
import type { TransactionSet } from '@concordat/kv';
import {
  buildReceipt,
  chunkName,
  encodeChunkHeader,
  encodeFrameHeader,
  HistoryTree,
  type ReceiptJson,
  type SealedBlock,
  type SessionKey,
  sealBlock,
  type TransactionRecord,
} from '@concordat/ledger';
import { createOrganisation, type Identity } from '@concordat/sdk';
import {
  type Digest,
  fromUtf8,
  type Height,
  type Seqno,
  toDigest,
  toHex,
  utf8,
  type View,
} from '@concordat/std';
import { Administration, networkKeyRecord } from '../../../node/manager-enclave/administration.ts';
import { startsEpoch } from '../../../node/manager-enclave/administrative-queue.ts';
import { keyRecipientsOf, prepareGenesis } from '../../../node/manager-enclave/network-genesis.ts';
import {
  createNodeIdentity,
  endorseNode,
  type NodeIdentity,
} from '../../../node/manager-enclave/node-identity.ts';
import { SessionKeys } from '../../../node/manager-enclave/session-keys.ts';

const measurement = 'aa'.repeat(32);
const verdict = {
  platform: 'virtual',
  measurement,
  reportData: toDigest(new Uint8Array(32)),
  tcb: '',
  debug: false,
  platformKey: 'bb'.repeat(32),
};

const entropy = (bytes: number): Uint8Array => randomBytes(bytes);

/** A ledger written with the very parts a leading manager enclave writes with. */
export class WrittenLedger {
  readonly alpha: Identity = createOrganisation({ name: 'Alpha' });
  readonly holderKey: EncryptionKey = createEncryptionKey(randomBytes(32));
  readonly first: NodeIdentity = createNodeIdentity(entropy, Date.now());
  leader: NodeIdentity = this.first;
  view = 1;
  readonly blocks: SealedBlock[] = [];
  readonly administration = new Administration();
  readonly history = new HistoryTree();
  readonly #sessionKeys = new SessionKeys(this.first.nodeId, this.first.encryption);
  networkId = '';
  networkCertificate = '';
  #previous: Digest = toDigest(new Uint8Array(32));
  #nextSeqno = 1;

  constructor(overrides: Record<string, unknown> = {}) {
    const genesis = prepareGenesis({
      start: this.#start(overrides),
      identity: this.first,
      verdict,
      entropy,
      nowMs: Date.now(),
    });
    this.networkId = genesis.networkId;
    this.networkCertificate = genesis.networkCertificate;
    this.#sessionKeys.networkId = genesis.networkId;
    this.administer((set) => genesis.write(set, this.#sessionKeys));
  }

  #start(overrides: Record<string, unknown>): ManagerStart {
    return {
      role: 'manager',
      mode: 'genesis',
      node: { name: 'first', actorCertificatePem: this.alpha.certificatePem },
      addresses: { node: 'a:1', admin: 'a:2', applications: ['a:3'] },
      genesis: {
        version: 1,
        name: 'Written network',
        actors: [{ kind: ['member'], name: 'Alpha', certificate: this.alpha.certificatePem }],
        codeManifest: [{ measurement, role: 'manager', name: 'manager', version: '1' }],
        teeManifest: [{ platform: 'virtual', rank: 0 }],
        votingPolicies: { default: { kind: 'majority' } },
        policies: { maxBatchDelayMs: 7 },
        adapters: { keyvalue: { maxKeyBytes: 100 } },
        keyHolders: [{ name: 'owner / Alpha', publicKey: toHex(this.holderKey.publicKey) }],
        ...overrides,
      },
      peers: [],
      lastHeight: 0,
      firstHeight: 1,
      missing: [],
      snapshots: [],
      tickMs: 100,
      workers: [],
      genesisData: [],
      restarts: 0,
    };
  }

  get #key(): SessionKey {
    return this.#sessionKeys.current(this.administration.head);
  }

  /** One administrative block; one that starts an epoch is sealed under the epoch before it. */
  administer(body: (set: TransactionSet) => void): void {
    const before = this.blocks.length > 0 ? this.#key : undefined;
    const height = (this.blocks.length + 1) as Height;
    const { transactions } = this.administration.execute(height, body);
    this.#seal(transactions, { source: 0, key: before ?? this.#key });
  }

  /** A block of a worker. */
  execute(...values: string[]): void {
    const transactions = values.map((value) => ({
      publicWrites: new Uint8Array(0),
      privateWrites: utf8(value),
    }));
    this.#seal(transactions, { source: 1, key: this.#key });
  }

  /** Proposes as the only member, and votes where the proposal alone decides nothing. */
  govern(...actions: ProposedAction[]): void {
    const options = {
      key: this.alpha.signingKey as NonNullable<Identity['signingKey']>,
      certificateDer: this.alpha.certificateDer,
      networkId: this.networkId,
      createdAtSeconds: Math.floor(Date.now() / 1000),
    };
    const nowSeconds = options.createdAtSeconds;
    this.administer((set) => {
      const proposal = submitMessage(set, buildProposal({ ...options, actions }), { nowSeconds });
      const { proposalId } = proposal;
      const decided =
        proposal.state === 'open'
          ? submitMessage(set, buildVote({ ...options, proposalId, accept: true }), { nowSeconds })
          : proposal;
      if (decided.state !== 'accepted') throw new Error(`the proposal is ${decided.state}`);
      if (!startsEpoch(decided.effects)) return;
      const constitution = this.administration.constitutionOf(set);
      this.#sessionKeys.begin(set, keyRecipientsOf(constitution), entropy);
    });
  }

  /** A second node is admitted, joins and becomes trusted. */
  join(): NodeIdentity {
    const identity = createNodeIdentity(entropy, Date.now());
    const publicKey = identity.signing.publicKeySpki;
    const { signingKey } = this.alpha;
    const node = {
      actorId: this.alpha.actorId,
      name: 'second',
      address: 'b:1',
      adminAddress: 'b:2',
      applicationAddresses: ['b:3'],
      publicKey: toHex(publicKey),
      encryptionKey: toHex(identity.encryption.publicKey),
      signature: signNodeTuple(signingKey as NonNullable<typeof signingKey>, {
        address: 'b:1',
        publicKey,
      }),
    };
    this.govern({ name: 'add_node', args: node });
    const certificate = this.endorse(identity);
    this.administer((set) => {
      nodeJoins(set, {
        nodeId: identity.nodeId,
        certificate,
        verdict,
        encryptionKey: node.encryptionKey,
      });
    });
    this.administer((set) => void nodeTrusted(set, identity.nodeId));
    return identity;
  }

  /** PEM of a certificate this network issues. */
  endorse(identity: NodeIdentity): string {
    const stored = this.administration.head.table(networkKeyRecord.table).get(networkKeyRecord.key);
    return endorseNode({
      networkKey: importSigningKey(fromUtf8(stored as Uint8Array)),
      networkCertificate: fromPem(this.networkCertificate)[0] as Uint8Array,
      nodePublicKey: identity.signing.publicKeySpki,
      hosts: ['127.0.0.1'],
      serial: randomBytes(15),
      nowMs: Date.now(),
    });
  }

  #seal(
    transactions: readonly TransactionRecord[],
    { source, key }: { readonly source: number; readonly key: SessionKey },
  ): void {
    const sealed = sealBlock({
      view: this.view as View,
      height: (this.blocks.length + 1) as Height,
      firstSeqno: this.#nextSeqno as Seqno,
      epoch: key.epoch,
      timeMs: Date.now(),
      leader: this.leader.nodeId,
      source,
      previous: this.#previous,
      transactions,
      sessionKey: key,
      history: this.history,
      sign: (bytes) => this.leader.signing.sign(bytes),
    });
    this.#previous = sealed.headerHash;
    this.#nextSeqno += transactions.length;
    this.blocks.push(sealed);
  }

  /** The receipt of the first transaction of a block the first node led. */
  receipt(height: number): ReceiptJson {
    const block = this.blocks[height - 1] as SealedBlock;
    return buildReceipt({
      block: block.bytes,
      seqno: block.header.firstSeqno,
      sessionKey: (epoch) => this.#sessionKeys.get(epoch),
      history: this.history,
      nodeCertificatePem: this.administration.node(this.first.nodeId)?.certificate ?? '',
    });
  }

  /** Writes chunks of so many blocks each; all but the last are committed. Returns their names. */
  async write(directory: string, blocksPerChunk = 4): Promise<string[]> {
    await mkdir(directory, { recursive: true });
    const names: string[] = [];
    for (let at = 0; at < this.blocks.length; at += blocksPerChunk) {
      const part = this.blocks.slice(at, at + blocksPerChunk);
      const isLast = at + blocksPerChunk >= this.blocks.length;
      const firstHeight = (at + 1) as Height;
      const lastHeight = (at + part.length) as Height;
      const name = chunkName(isLast ? { firstHeight } : { firstHeight, lastHeight });
      const frames = part.flatMap(({ bytes }) => [encodeFrameHeader(bytes), bytes]);
      await writeFile(join(directory, name), Buffer.concat([encodeChunkHeader(at + 1), ...frames]));
      names.push(name);
    }
    return names;
  }
}

/** PEM of the certificate a node presents by itself. */
export const selfSigned = (identity: NodeIdentity): string =>
  toPem(fromPem(identity.selfSignedCertificate)[0] as Uint8Array);
