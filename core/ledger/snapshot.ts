import { sha256 } from '@concordat/crypto';
import {
  assert,
  BinaryReader,
  BinaryWriter,
  DecodeError,
  type Digest,
  type Epoch,
  equalBytes,
  fromHex,
  type Height,
  isHex64,
  type Seqno,
  toDigest,
  toHex,
  type View,
} from '@concordat/std';
import { LedgerError } from './errors.ts';
import { heightLimit, viewLimit } from './header.ts';

// A snapshot is the state after a block, as chunks: the manifest, the history summary, the public
// governance, then the section of each store (docs/format/snapshot.md). Its digest is recorded in the ledger.

/** Most bytes of a snapshot's chunk. Every chunk but the last of its part has just this many. */
export const snapshotChunkBytes = 1_048_576;
/** Most chunks of a snapshot, so that the manifest, with a digest for each, is one chunk itself. */
export const maxSnapshotChunks = 30_000;
/** Longest configuration a manifest carries, bytes. */
export const maxConfigurationBytes = 65_536;

/** The state of one store in a snapshot. */
export interface SnapshotSection {
  /** 0 = administrative, k = worker k; below 2^16. */
  readonly source: number;
  /** SHA-256 of each chunk in order; at least one. */
  readonly chunks: readonly Digest[];
}

/** What a snapshot is of and what it consists of. */
export interface SnapshotManifest {
  /** 64 lowercase hex digits. */
  readonly networkId: string;
  /** Height of the last block the snapshot includes. */
  readonly height: Height;
  /** View of that block. */
  readonly view: View;
  /** Seqno of the first transaction after it. */
  readonly nextSeqno: Seqno;
  /** Epoch of that block. */
  readonly epoch: Epoch;
  /** Header hash of that block: what the next one names as `previous`. */
  readonly headerHash: Digest;
  /** Root of the history up to and with that block. */
  readonly historyRoot: Digest;
  /** The configuration of consensus at that block, opaque here. */
  readonly configuration: Uint8Array;
  /** SHA-256 of each chunk of the history summary; at least one. */
  readonly history: readonly Digest[];
  /** SHA-256 of each chunk of the public tables of governance; at least one. */
  readonly public: readonly Digest[];
  /** In increasing order of source; of the public tables nothing; the administrative store, 0, comes first. */
  readonly sections: readonly SnapshotSection[];
}

const magic = Buffer.from('CCDTSNP2', 'latin1');

/** The manifest's bytes, which are chunk 0 of the snapshot; one encoding for each manifest. */
export function encodeManifest(manifest: SnapshotManifest): Buffer {
  const { networkId, configuration, history, public: inTheOpen, sections } = manifest;
  assert(isHex64(networkId), 'network id is not 64 lowercase hex digits');
  assert(configuration.length <= maxConfigurationBytes, 'configuration too long');
  assert(snapshotChunks(manifest) <= maxSnapshotChunks, 'snapshot too large');
  const writer = new BinaryWriter(1024)
    .raw(magic)
    .raw(fromHex(networkId) as Uint8Array)
    .u64(manifest.height)
    .u64(manifest.view)
    .u64(manifest.nextSeqno)
    .u64(manifest.epoch)
    .raw(manifest.headerHash)
    .raw(manifest.historyRoot)
    .bytes(configuration);
  writeDigests(writer, history);
  writeDigests(writer, inTheOpen);
  writer.u16(sections.length);
  let least = 0;
  for (const { source, chunks } of sections) {
    assert(source >= least && (least > 0 || source === 0), 'sections out of order');
    least = source + 1;
    writer.u16(source);
    writeDigests(writer, chunks);
  }
  return writer.take();
}

function writeDigests(writer: BinaryWriter, digests: readonly Digest[]): void {
  assert(digests.length > 0, 'a part of a snapshot without chunks');
  writer.u32(digests.length);
  for (const digest of digests) writer.raw(digest);
}

/** What identifies a snapshot wherever it is made: SHA-256 of its manifest's bytes. */
export const snapshotDigest = (manifestBytes: Uint8Array): Digest => sha256(manifestBytes);

/** What a manifest must be of. */
export interface ExpectedSnapshot {
  readonly networkId: string;
  /** The snapshot's digest, where it is known. */
  readonly digest?: Digest;
}

/**
 * Reads a manifest strictly.
 * @throws LedgerError WRONG_SNAPSHOT, MALFORMED, WRONG_NETWORK
 */
export function decodeManifest(bytes: Uint8Array, expected: ExpectedSnapshot): SnapshotManifest {
  if (expected.digest !== undefined && !equalBytes(snapshotDigest(bytes), expected.digest)) {
    throw new LedgerError('WRONG_SNAPSHOT', 'a manifest does not have the digest asked for');
  }
  if (bytes.length > snapshotChunkBytes) throw malformed(`has ${bytes.length} bytes`);
  const manifest = readManifest(bytes);
  if (manifest.networkId !== expected.networkId) {
    throw new LedgerError('WRONG_NETWORK', `a snapshot of network ${manifest.networkId}`, {
      height: manifest.height,
      networkId: manifest.networkId,
    });
  }
  return manifest;
}

function readManifest(bytes: Uint8Array): SnapshotManifest {
  const reader = new BinaryReader(bytes);
  try {
    if (!equalBytes(reader.raw(8), magic)) throw malformed('is of no version known here');
    const manifest = {
      networkId: toHex(reader.raw(32)),
      height: within(reader.u64(), 1, heightLimit) as Height,
      view: within(reader.u64(), 1, viewLimit) as View,
      nextSeqno: within(reader.u64(), 2, 2 ** 53) as Seqno,
      epoch: within(reader.u64(), 1, 2 ** 53) as Epoch,
      headerHash: toDigest(reader.raw(32)),
      historyRoot: toDigest(reader.raw(32)),
      configuration: reader.bytes(maxConfigurationBytes),
      history: readDigests(reader),
      public: readDigests(reader),
      sections: readSections(reader),
    };
    reader.end();
    if (snapshotChunks(manifest) > maxSnapshotChunks) throw malformed('counts too many chunks');
    return manifest;
  } catch (error) {
    if (!(error instanceof DecodeError)) throw error;
    throw malformed(error.message);
  }
}

function readSections(reader: BinaryReader): SnapshotSection[] {
  const count = reader.u16();
  const sections: SnapshotSection[] = [];
  for (let i = 0; i < count; i++) {
    const source = reader.u16();
    const last = sections.at(-1);
    if (last === undefined ? source !== 0 : source <= last.source) {
      throw malformed('has sections out of order');
    }
    sections.push({ source, chunks: readDigests(reader) });
  }
  if (count === 0) throw malformed('has no section');
  return sections;
}

function readDigests(reader: BinaryReader): Digest[] {
  const count = reader.u32();
  if (count === 0) throw malformed('has a part without chunks');
  // Asked before anything is made of it: a count cannot make a reader allocate.
  if (count > reader.remaining / 32) throw malformed('ends within a list of chunks');
  const digests: Digest[] = [];
  for (let i = 0; i < count; i++) digests.push(toDigest(reader.raw(32)));
  return digests;
}

function within(value: number, least: number, limit: number): number {
  if (value < least || value >= limit) throw malformed(`has a field out of range: ${value}`);
  return value;
}

const malformed = (what: string): LedgerError =>
  new LedgerError('MALFORMED', `a snapshot's manifest ${what}`);

/** Number of chunks of a snapshot, its manifest included. */
export function snapshotChunks({
  history,
  public: inTheOpen,
  sections,
}: Pick<SnapshotManifest, 'history' | 'public' | 'sections'>): number {
  let count = 1 + history.length + inTheOpen.length;
  for (const { chunks } of sections) count += chunks.length;
  return count;
}

/** What a chunk of a snapshot belongs to. */
export interface ChunkPlace {
  /** The store whose section it is of; `history` for the summary, `public` for public governance. */
  readonly part: 'history' | 'public' | number;
  /** Its index within that part, from 0. */
  readonly index: number;
  /** Number of chunks of that part. */
  readonly count: number;
  /** SHA-256 of the chunk. */
  readonly digest: Digest;
}

/**
 * What the chunk at an index of the whole snapshot belongs to, from 1: 0 is the manifest itself.
 * Undefined beyond the last.
 */
export function chunkPlace(manifest: SnapshotManifest, index: number): ChunkPlace | undefined {
  assert(index >= 1, 'chunk 0 is the manifest');
  let at = index - 1;
  const parts = [
    { part: 'history' as const, chunks: manifest.history },
    { part: 'public' as const, chunks: manifest.public },
    ...manifest.sections.map(({ source, chunks }) => ({ part: source, chunks })),
  ];
  for (const { part, chunks } of parts) {
    const digest = chunks[at];
    if (digest !== undefined) return { part, index: at, count: chunks.length, digest };
    at -= chunks.length;
  }
  return undefined;
}

/**
 * Checks an opened chunk against its snapshot's manifest.
 * @param index of the whole snapshot, from 1
 * @throws LedgerError WRONG_CHUNK
 */
export function requireChunk(
  manifest: SnapshotManifest,
  index: number,
  bytes: Uint8Array,
): ChunkPlace {
  const place = chunkPlace(manifest, index);
  const { height } = manifest;
  // A manifest can name digests of chunks that no node makes: they are sealed and sent like others.
  const fits = bytes.length > 0 && bytes.length <= snapshotChunkBytes;
  if (place === undefined || !fits || !equalBytes(sha256(bytes), place.digest)) {
    throw new LedgerError('WRONG_CHUNK', `snapshot ${height}: chunk ${index} is another one`, {
      height,
      index,
    });
  }
  return place;
}

/** Cuts a part that is made in one piece into its chunks, views of it. */
export function chunksOf(part: Uint8Array): Uint8Array[] {
  assert(part.length > 0, 'an empty part of a snapshot');
  const chunks: Uint8Array[] = [];
  for (let from = 0; from < part.length; from += snapshotChunkBytes) {
    chunks.push(part.subarray(from, from + snapshotChunkBytes));
  }
  return chunks;
}
