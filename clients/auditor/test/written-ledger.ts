import { randomBytes } from 'node:crypto';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { createVirtualEvidence, type Verdict } from '@concordat/attestation';
import type { EpochKeys } from '@concordat/auditor';
import type { ManagerStart } from '@concordat/bridge';
import { createSigningKey, fromPem, type SigningKey } from '@concordat/crypto';
import {
  buildProposal,
  buildVote,
  buildWithdrawal,
  currentEpoch,
  type EpochReason,
  nodeJoins,
  nodeTrusted,
  type ProposedAction,
  programDigest,
  recordEpochOwed,
  recordKeyGrant,
  type Submission,
  signNodeTuple,
  submitMessage,
  waitsForFreshKey,
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
  emptyBytes,
  type Height,
  type NodeId,
  type Seqno,
  toDigest,
  toHex,
  utf8,
  type View,
} from '@concordat/std';
import { Administration } from '../../../node/manager-enclave/administration.ts';
import { epochFor } from '../../../node/manager-enclave/administrative-queue.ts';
import { reportDataFor, verifiedEvidence } from '../../../node/manager-enclave/admission.ts';
import { recordEvidence } from '../../../node/manager-enclave/evidence-table.ts';
import { type Genesis, prepareGenesis } from '../../../node/manager-enclave/network-genesis.ts';
import { NetworkKey } from '../../../node/manager-enclave/network-key.ts';
import {
  createNodeIdentity,
  endorseNode,
  type NodeIdentity,
} from '../../../node/manager-enclave/node-identity.ts';
import { SessionKeys } from '../../../node/manager-enclave/session-keys.ts';
import { WrittenCeremonies } from './written-ceremonies.ts';

/** What every manager of these networks runs. */
export const measurement = 'aa'.repeat(32);
const entropy = (bytes: number): Uint8Array => randomBytes(bytes);

/** How an administrative block differs from what an honest leader makes of it. */
export interface Forgery {
  /** Put into the block instead of what was executed. */
  readonly publicWrites?: (honest: Uint8Array) => Uint8Array;
  readonly flags?: number;
  readonly timeMs?: number;
  readonly epoch?: SessionKey;
}

/** What a node shows when it joins; by default all is as it should be. */
export interface Showing {
  readonly measurement?: string;
  readonly platformKey?: SigningKey;
  /** Whose key the evidence is bound to. */
  readonly boundTo?: NodeIdentity;
  readonly verifiedAtMs?: number;
  /** Network the evidence answers. */
  readonly networkId?: string;
  /** What is recorded in its place. */
  readonly record?: 'none' | ((honest: Uint8Array) => Uint8Array);
  readonly verdict?: Partial<Verdict>;
  /** Makes room for what would be refused. */
  readonly before?: (set: TransactionSet) => void;
  /** Changes what was written. */
  readonly alter?: (set: TransactionSet) => void;
  readonly certificate?: string;
  /** To whom earlier epochs are granted instead. */
  readonly grants?: readonly string[];
}

/** A ledger written with the very parts a leading manager enclave writes with. */
export class WrittenLedger {
  readonly alpha: Identity;
  /** Members beside alpha. */
  readonly others: readonly Identity[];
  readonly platform = createSigningKey(randomBytes(32));
  readonly first: NodeIdentity = createNodeIdentity(entropy, Date.now());
  leader: NodeIdentity = this.first;
  view = 1;
  /** The leader's clock; that of the machine unless it is set. */
  nowMs: number | undefined;
  readonly blocks: SealedBlock[] = [];
  readonly administration = new Administration();
  readonly history = new HistoryTree();
  readonly networkKey = new NetworkKey(() => this.networkCertificate);
  readonly sessionKeys = new SessionKeys(() => (this.blocks.length + 1) as Height);
  readonly ceremonies = new WrittenCeremonies(this);
  networkId = '';
  networkCertificate = '';
  #previous: Digest = toDigest(new Uint8Array(32));
  #nextSeqno = 1;
  #signed = 0;
  #nodes = 1;

  /** @param members names of members beside Alpha, who is the first */
  constructor(
    overrides: Record<string, unknown> = {},
    members: readonly string[] = [],
    alterGenesis: (set: TransactionSet) => void = () => undefined,
  ) {
    this.alpha = createOrganisation({ name: 'Alpha' });
    this.others = members.map((name) => createOrganisation({ name }));
    const { verdict } = this.#show(this.first, noChallenge, {});
    const genesis = prepareGenesis({
      start: this.#start(overrides),
      identity: this.first,
      verdict,
      entropy,
      nowMs: Date.now(),
    });
    this.networkId = genesis.networkId;
    this.networkCertificate = genesis.networkCertificate;
    const { evidence } = this.#show(this.first, genesis.challenge, {});
    const { shares } = this.ceremonies.keep(this.alpha.actorId, genesis.holderKey);
    this.administer((set) => {
      const { sharing, ...share } = genesis.write(set, this, evidence);
      shares.set(sharing, share);
      alterGenesis(set);
    });
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
        actors: [this.alpha, ...this.others].map(({ name, certificatePem: certificate }) => {
          return { kind: ['member'], name, certificate };
        }),
        codeManifest: [{ measurement, role: 'manager', name: 'manager', version: '1' }],
        teeManifest: [{ platform: 'virtual', rank: 0 }],
        votingPolicies: { default: { kind: 'majority' } },
        policies: { maxBatchDelayMs: 7 },
        adapters: { keyvalue: { maxKeyBytes: 100 } },
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

  /** Evidence of a node, and what it proves. */
  #show(identity: NodeIdentity, challenge: Genesis['challenge'], showing: Showing) {
    const { signing } = showing.boundTo ?? identity;
    const answered = { ...challenge, networkId: showing.networkId ?? challenge.networkId };
    const bytes = createVirtualEvidence({
      measurement: showing.measurement ?? measurement,
      reportData: reportDataFor(signing.publicKeySpki, answered),
      platformKey: showing.platformKey ?? this.platform,
    });
    const verifiedAtMs = showing.verifiedAtMs ?? this.timeMs;
    const evidence = { ...answered, evidence: bytes, verifiedAtMs };
    return { evidence, verdict: { ...verifiedEvidence(bytes, verifiedAtMs), ...showing.verdict } };
  }

  /** What the leader's clock says. */
  get timeMs(): number {
    return this.nowMs ?? Date.now();
  }

  /** The session key of the epoch in force. */
  get sessionKey(): SessionKey {
    return this.sessionKeys.current(this.administration.head);
  }

  /** Position of the next transaction. */
  get nextSeqno(): number {
    return this.#nextSeqno;
  }

  /** Keys of these epochs; by default of all there are. */
  epochKeys(...epochs: readonly number[]): EpochKeys {
    const wanted = this.sessionKeys.epochs.filter((epoch) => {
      return epochs.length === 0 || epochs.includes(epoch);
    });
    const keys = wanted.map((epoch) => {
      const { key } = this.sessionKeys.get(epoch) as SessionKey;
      return { epoch, key: Uint8Array.from(key) };
    });
    return { networkId: this.networkId, keys };
  }

  /** One administrative block; one that starts an epoch is sealed under the epoch before it. */
  administer(body: (set: TransactionSet) => void, forgery: Forgery = {}): void {
    const before = this.blocks.length > 0 ? this.sessionKey : undefined;
    const height = (this.blocks.length + 1) as Height;
    const executed = this.administration.execute(height, body);
    let { transactions } = executed;
    if (forgery.publicWrites) {
      const [honest] = transactions;
      const publicWrites = forgery.publicWrites(honest?.publicWrites ?? emptyBytes);
      this.administration.rollback((height - 1) as Height);
      transactions = [{ publicWrites, privateWrites: honest?.privateWrites ?? emptyBytes }];
      this.administration.apply(height, transactions as never);
    }
    this.seal(transactions, {
      source: 0,
      key: forgery.epoch ?? before ?? this.sessionKey,
      flags: forgery.flags ?? (executed.configuration ? 1 : 0),
      ...(forgery.timeMs !== undefined && { timeMs: forgery.timeMs }),
    });
  }

  /** A block of a worker. */
  execute(...values: string[]): void {
    const transactions = values.map((value) => ({
      publicWrites: new Uint8Array(0),
      privateWrites: utf8(value),
    }));
    this.seal(transactions, { source: 1, key: this.sessionKey });
  }

  /** What a member signs a message with; each is of another second, so that none is a replay. */
  signer(member: Identity) {
    this.#signed += 1;
    return {
      key: member.signingKey as NonNullable<Identity['signingKey']>,
      certificateDer: member.certificateDer,
      networkId: this.networkId,
      createdAtSeconds: Math.floor(this.timeMs / 1000) - 200 + (this.#signed % 200),
    };
  }

  /** One block with one signed message, executed as a leader does. */
  submit(
    message: Uint8Array,
    forgery: Forgery & { readonly nowSeconds?: number; readonly program?: Uint8Array } = {},
  ): Submission {
    let submission: Submission | undefined;
    this.administer((set) => {
      const nowSeconds = forgery.nowSeconds ?? Math.floor(this.timeMs / 1000);
      const { program } = forgery;
      submission = submitMessage(set, message, { nowSeconds, ...(program && { program }) });
      const reason = epochFor(submission.effects);
      if (reason === 'actors' && waitsForFreshKey(set)) this.oweEpoch(set);
      else if (reason) this.beginEpoch(set, reason);
    }, forgery);
    return submission as Submission;
  }

  /** Writes that an epoch is owed. */
  oweEpoch(set: TransactionSet): void {
    recordEpochOwed(set, { height: this.blocks.length + 1, timeMs: this.timeMs });
  }

  /** Begins an epoch. */
  beginEpoch(set: TransactionSet, reason: EpochReason): void {
    this.sessionKeys.begin(set, { reason, nowMs: this.timeMs, entropy });
  }

  /** An epoch that members voted for. */
  nextEpoch(): void {
    this.govern({ name: 'begin_epoch', args: {} });
  }

  /** A member's proposal, in a block of its own. */
  propose(member: Identity, ...actions: ProposedAction[]): Submission {
    return this.submit(buildProposal({ ...this.signer(member), actions }));
  }

  /** A proposal that an adapter run a program, which comes with it. */
  deploy(member: Identity, adapter: string, program: Uint8Array): Submission {
    const args = { adapter, digest: programDigest(program), bytes: program.length };
    const actions = [{ name: 'set_application', args }] as const;
    return this.submit(buildProposal({ ...this.signer(member), actions }), { program });
  }

  /** A member's vote, in a block of its own. */
  vote(member: Identity, proposalId: string, accept = true): Submission {
    return this.submit(buildVote({ ...this.signer(member), proposalId, accept }));
  }

  /** A proposer's withdrawal, in a block of its own. */
  withdraw(member: Identity, proposalId: string): Submission {
    return this.submit(buildWithdrawal({ ...this.signer(member), proposalId }));
  }

  /** Proposes as Alpha, and has members accept until it is decided. */
  govern(...actions: ProposedAction[]): Submission {
    let last = this.propose(this.alpha, ...actions);
    for (const member of [this.alpha, ...this.others]) {
      if (last.state === 'open') last = this.vote(member, last.proposalId);
    }
    if (last.state !== 'accepted') throw new Error(`the proposal is ${last.state}`);
    return last;
  }

  /** A further node is admitted by vote. */
  admit(owner = this.alpha): { identity: NodeIdentity; encryptionKey: string } {
    const identity = createNodeIdentity(entropy, Date.now());
    const publicKey = identity.signing.publicKeySpki;
    const { signingKey } = owner;
    this.#nodes += 1;
    const address = `n${this.#nodes}:1`;
    const encryptionKey = toHex(identity.encryption.publicKey);
    const node = {
      actorId: owner.actorId,
      name: this.#nodes === 2 ? 'second' : `node ${this.#nodes}`,
      address,
      adminAddress: `n${this.#nodes}:2`,
      applicationAddresses: [`n${this.#nodes}:3`],
      publicKey: toHex(publicKey),
      encryptionKey,
      signature: signNodeTuple(signingKey as NonNullable<typeof signingKey>, {
        address,
        publicKey,
      }),
    };
    this.govern({ name: 'add_node', args: node });
    return { identity, encryptionKey };
  }

  /** A node joins, as a leader lets it. */
  learn(identity: NodeIdentity, showing: Showing = {}, replaces?: NodeId): void {
    const encryptionKey = toHex(identity.encryption.publicKey);
    const ledgerRoot = this.blocks.at(-1)?.historyRoot ?? new Uint8Array(32);
    const challenge = { networkId: this.networkId, ledgerRoot, epoch: this.sessionKey.epoch };
    const { evidence, verdict } = this.#show(identity, challenge, showing);
    const certificate = showing.certificate ?? this.endorse(identity);
    this.administer((set) => {
      showing.before?.(set);
      const joining = { nodeId: identity.nodeId, certificate, verdict, encryptionKey };
      nodeJoins(set, replaces ? { ...joining, replaces } : joining);
      if (showing.record !== 'none') recordEvidence(set, identity.nodeId, evidence);
      if (typeof showing.record === 'function') {
        const table = set.table('public:concordat.evidence');
        table.set(identity.nodeId, showing.record(table.get(identity.nodeId) as Uint8Array));
      }
      showing.alter?.(set);
      const to = showing.grants ?? [identity.nodeId];
      if (to.length > 0) {
        recordKeyGrant(set, { epochs: [1, currentEpoch(set)], reason: 'joined', to });
      }
    });
  }

  /** A learning node becomes a voter. */
  trust(identity: NodeIdentity): void {
    this.administer((set) => void nodeTrusted(set, identity.nodeId));
  }

  /** A further node is admitted, joins and becomes trusted. */
  join(showing: Showing = {}, owner = this.alpha): NodeIdentity {
    const { identity } = this.admit(owner);
    this.learn(identity, showing);
    this.trust(identity);
    return identity;
  }

  /** PEM of a certificate this network issues. */
  endorse(identity: NodeIdentity): string {
    return endorseNode({
      networkKey: this.networkKey.signing(),
      networkCertificate: fromPem(this.networkCertificate)[0] as Uint8Array,
      nodePublicKey: identity.signing.publicKeySpki,
      hosts: ['127.0.0.1'],
      serial: randomBytes(15),
      nowMs: Date.now(),
    });
  }

  /** Seals a block of any kind with the leader's key. */
  seal(
    transactions: readonly TransactionRecord[],
    how: {
      readonly source: number;
      readonly key: SessionKey;
      readonly flags?: number;
      readonly timeMs?: number;
    },
  ): void {
    const { source, key, flags = 0, timeMs = this.timeMs } = how;
    const sealed = sealBlock({
      view: this.view as View,
      height: (this.blocks.length + 1) as Height,
      firstSeqno: this.#nextSeqno as Seqno,
      epoch: key.epoch,
      timeMs,
      leader: this.leader.nodeId,
      source,
      flags,
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

  /** Takes blocks above a height back; the next ones are of a later view. */
  rollback(height: number): void {
    this.administration.rollback(height as Height);
    this.sessionKeys.align(this.administration.head);
    this.history.restore({ size: height });
    for (const { header } of this.blocks.splice(height)) this.#nextSeqno -= header.count;
    this.#previous = (this.blocks.at(-1) as SealedBlock).headerHash;
    this.view += 1;
  }

  /** The receipt of the first transaction of a block the first node led. */
  receipt(height: number): ReceiptJson {
    const block = this.blocks[height - 1] as SealedBlock;
    return buildReceipt({
      block: block.bytes,
      seqno: block.header.firstSeqno,
      sessionKey: (epoch) => this.sessionKeys.get(epoch),
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

/** What a node without a network answers. */
const noChallenge = { networkId: '0'.repeat(64), ledgerRoot: new Uint8Array(32), epoch: 0 };

/** PEM of the certificate a node presents by itself. */
export const selfSigned = (identity: NodeIdentity): string => identity.selfSignedCertificate;
