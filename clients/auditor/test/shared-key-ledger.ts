import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { createSigningKey } from '@concordat/crypto';
import {
  currentSharedKey,
  epochTables,
  networkInfo,
  recordEpoch,
  recordedSharing,
  thresholdKeyOf,
} from '@concordat/governance';
import {
  encodeCiphertext,
  encryptToThreshold,
  publicKeyOf,
  type RecoveryShare,
  type Scalar,
  sealRecoveryShare,
  sessionKeyLabel,
} from '@concordat/keys';
import { Store } from '@concordat/kv';
import {
  chunkName,
  encodeChunkHeader,
  encodeFrameHeader,
  HistoryTree,
  type SealedBlock,
  type SessionKey,
  sealBlock,
  type TransactionRecord,
} from '@concordat/ledger';
import {
  type Digest,
  emptyBytes,
  fromHex,
  type Height,
  type Seqno,
  toDigest,
  toEpoch,
  toHex,
  utf8,
  type View,
} from '@concordat/std';
import {
  action,
  machine,
  measurement,
  organisation,
  platformKey,
  seed,
} from '../../../core/governance/test/network.ts';
import {
  type Enclave,
  founders,
  SharedKeyNetwork,
} from '../../../core/governance/test/shared-key-network.ts';

export { founders } from '../../../core/governance/test/shared-key-network.ts';

const blocksPerChunk = 8;
/** The node that leads: of Ada, there from the beginning. */
const leaderNumber = 90;

function firstNode() {
  const { nodeId, tuple, joining } = machine(organisation('ada'), leaderNumber);
  const { signature: _, ...rest } = tuple;
  const { certificate } = joining;
  const attested = { measurement, platform: 'virtual', platformKey };
  return { ...rest, ...attested, nodeId, certificate, status: 'trusted' };
}

/**
 * A whole ledger of a network that shares its keys: ceremonies as members' enclaves hold them, epochs
 * encrypted to the shared key of the time, application writes, all in signed blocks.
 */
export class SharedKeyLedger {
  readonly network: SharedKeyNetwork;
  readonly blocks: SealedBlock[] = [];
  readonly sessionKeys: SessionKey[] = [];
  /** Value by key, as the application wrote them. */
  readonly written = new Map<string, string>();
  readonly #history = new HistoryTree();
  readonly #epochs = new Store(epochTables);
  readonly #set = this.#epochs.begin(1);
  #previous: Digest = toDigest(new Uint8Array(32));
  #nextSeqno = 1;
  #placed = 0;

  constructor(
    members: readonly string[] = founders,
    policies: Record<string, unknown> = {},
    name = 'Shared',
  ) {
    this.network = new SharedKeyNetwork(members, { policies, name, nodes: [firstNode()] });
    this.sessionKeys.push({ epoch: toEpoch(1), key: this.network.entropy(32) });
    this.network.transact(() => undefined);
    for (const member of members) this.network.bringUp(member, members);
    this.network.ceremonyOf();
    this.#place();
    this.#publish(1);
  }

  get networkId(): string {
    return this.network.networkId;
  }

  /** PEM. */
  get networkCertificate(): string {
    return networkInfo(this.network.set).networkCertificate;
  }

  /** Puts what governance did since into blocks. */
  #place(): void {
    for (; this.#placed < this.network.writeSets.length; this.#placed++) {
      const publicWrites = this.network.writeSets[this.#placed] as Uint8Array;
      this.seal([{ publicWrites, privateWrites: emptyBytes }], 0);
    }
  }

  /** Runs steps of governance, each of which is a transaction. */
  govern(steps: (network: SharedKeyNetwork) => void): void {
    steps(this.network);
    this.#place();
  }

  /** A member's shares are dealt anew: another sharing of every key. */
  reshare(member: string): void {
    this.govern((network) => {
      const enclave = network.enclaves.get(member) as Enclave;
      enclave.holderKey = network.registrationKey();
      network.register(enclave);
      network.ceremonyOf();
    });
  }

  /** Removes a member, after which there is a fresh key, and older ones are shared anew. */
  remove(member: string, ceremonies: number): void {
    this.govern((network) => {
      const { actorId } = organisation(member);
      const voters = network.memberNames.filter((name) => name !== member);
      network.transact(() => network.pass(voters, action('remove_actor', { actorId })));
      for (let count = 0; count < ceremonies; count++) network.ceremonyOf();
    });
  }

  /** Begins the next epoch, under the newest shared key. */
  beginEpoch(): void {
    const epoch = toEpoch(this.sessionKeys.length + 1);
    const key = this.network.entropy(32);
    this.#publish(epoch, key);
    this.sessionKeys.push({ epoch, key });
  }

  #publish(epoch: number, key = this.sessionKeys[epoch - 1]?.key as Uint8Array): void {
    const shared = currentSharedKey(this.network.set);
    if (!shared) throw new Error('there is no shared key');
    const label = sessionKeyLabel({
      networkId: this.networkId,
      epoch: toEpoch(epoch),
      keyId: shared.key.id,
    });
    const ciphertext = encryptToThreshold({
      publicKey: publicKeyOf(shared.key),
      label,
      message32: key,
      entropy128: this.network.entropy(128),
    });
    this.publishRow(epoch, shared.number, encodeCiphertext(ciphertext));
  }

  /** Writes an epoch's row, whatever it says. */
  publishRow(epoch: number, keyNumber: number, ciphertext: Uint8Array): void {
    const height = this.blocks.length + 1;
    const begun = { epoch, height, reason: epoch === 1 ? 'genesis' : 'time', timeMs: 0 } as const;
    recordEpoch(this.#set, begun, { keyNumber, ciphertext });
    const { publicWrites } = this.#set.takeWriteSet();
    this.seal([{ publicWrites, privateWrites: emptyBytes }], 0);
  }

  /** A block of an application, with so many writes. */
  write(...pairs: readonly (readonly [string, string])[]): void {
    const records = pairs.map(([key, value]) => {
      this.written.set(key, value);
      return { publicWrites: emptyBytes, privateWrites: writeSetOf('keyvalue/values', key, value) };
    });
    this.seal(records, 1);
  }

  /** Seals a block under the newest epoch, or another. */
  seal(
    transactions: readonly TransactionRecord[],
    source: number,
    sessionKey = this.sessionKeys.at(-1) as SessionKey,
  ): void {
    const leaderKey = createSigningKey(seed(50_000 + leaderNumber));
    const sealed = sealBlock({
      view: 1 as View,
      height: (this.blocks.length + 1) as Height,
      firstSeqno: this.#nextSeqno as Seqno,
      epoch: sessionKey.epoch,
      timeMs: 1_700_000_000_000 + this.blocks.length,
      leader: machine(organisation('ada'), leaderNumber).nodeId,
      source,
      flags: 0,
      previous: this.#previous,
      transactions,
      sessionKey,
      history: this.#history,
      sign: (bytes) => leaderKey.sign(bytes),
    });
    this.#previous = sealed.headerHash;
    this.#nextSeqno += transactions.length;
    this.blocks.push(sealed);
  }

  /** A member's recovery copy of its share of a sharing. */
  copyOf(
    member: string,
    sharing: number,
    to: { readonly publicKey: Uint8Array } | { readonly passphrase: string },
  ): RecoveryShare {
    const { actorId } = organisation(member);
    const { row, key } = this.sharing(sharing);
    const holder = row.holders.find((one) => one.actorId === actorId);
    const secret = this.network.enclaves.get(member)?.shares.get(sharing) as Scalar;
    return sealRecoveryShare({
      name: {
        networkId: this.networkId,
        keyId: key,
        ceremonyId: toDigest(fromHex(row.ceremonyId) as Uint8Array),
        actor: actorId,
        index: holder?.index as number,
      },
      secret,
      to,
      entropy: this.network.entropy('publicKey' in to ? 32 : 16),
    });
  }

  /** A sharing of the record, with the identity of its key. */
  sharing(number: number) {
    const row = recordedSharing(this.network.set, number);
    if (!row) throw new Error(`there is no sharing ${number}`);
    return { row, key: thresholdKeyOf(row).id };
  }

  /** All blocks. */
  get bytes(): readonly Uint8Array[] {
    return this.blocks.map(({ bytes }) => bytes);
  }

  /** Writes chunks of eight blocks each, all but the last committed; their names. */
  async store(directory: string, blocks: readonly Uint8Array[] = this.bytes): Promise<string[]> {
    await mkdir(directory, { recursive: true });
    const names: string[] = [];
    for (let at = 0; at < blocks.length; at += blocksPerChunk) {
      const part = blocks.slice(at, at + blocksPerChunk);
      const firstHeight = (at + 1) as Height;
      const lastHeight = (at + part.length) as Height;
      const isLast = at + blocksPerChunk >= blocks.length;
      const name = chunkName(isLast ? { firstHeight } : { firstHeight, lastHeight });
      const frames = part.flatMap((bytes) => [encodeFrameHeader(bytes), bytes]);
      await writeFile(join(directory, name), Buffer.concat([encodeChunkHeader(at + 1), ...frames]));
      names.push(name);
    }
    return names;
  }
}

/** One write, encoded. */
export function writeSetOf(table: string, key: string, value: string): Uint8Array {
  const store = new Store([{ name: table, kind: 'hash' }]);
  const set = store.begin(1);
  set.table(table).set(key, utf8(value));
  const { publicWrites, privateWrites } = set.takeWriteSet();
  return table.startsWith('public:') ? publicWrites : privateWrites;
}

/** Hex of the session keys, by epoch. */
export const keysOf = (keys: readonly SessionKey[]): readonly (readonly [number, string])[] =>
  keys.map(({ epoch, key }) => [epoch, toHex(key)]);
