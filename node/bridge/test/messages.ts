import type {
  ChannelToManager,
  ChannelToWorker,
  ControlToEnclave,
  ControlToHost,
} from '../index.ts';

const small = Buffer.from([1, 2, 3]);
const long = Buffer.alloc(10_000, 7);
const none = Buffer.alloc(0);
const digest = Buffer.alloc(32, 9);
const pair = { publicWrites: none, privateWrites: small };
const longPair = { publicWrites: small, privateWrites: long };

/** One or more of each message of a direction, for round trips and fuzzing. */
export const controlToHost: readonly ControlToHost[] = [
  { kind: 'append', height: 2 ** 40, block: long },
  { kind: 'append', height: 1, block: small },
  { kind: 'truncate', after: 0 },
  { kind: 'read', request: 5, from: 1, to: 9, maxBytes: 1024 },
  { kind: 'readFormer', request: 5, from: 1, to: 9, maxBytes: 1024 },
  { kind: 'committed', height: 12 },
  { kind: 'putRecord', request: 1, name: 'node.key', bytes: long },
  { kind: 'getRecord', request: 2, name: 'node.key' },
  { kind: 'attest', request: 3, reportData: digest },
  { kind: 'sealingKey', request: 4 },
  { kind: 'log', line: Buffer.from('{"event":"x"}') },
  { kind: 'listening', which: 'app-1' },
  { kind: 'status', json: Buffer.from('{}') },
  { kind: 'durability', fsync: true },
  { kind: 'durability', fsync: false },
  { kind: 'putPage', request: 6, page: 0, bytes: long },
  { kind: 'getPage', request: 7, page: 2 ** 31 },
  { kind: 'snapshotBegin', height: 10_000 },
  { kind: 'snapshotChunk', request: 8, height: 10_000, index: 0, bytes: long },
  { kind: 'snapshotChunk', request: 9, height: 10_000, index: 1, bytes: small },
  { kind: 'snapshotFinish', request: 10, height: 10_000, chunks: 2 },
  { kind: 'snapshotRead', request: 11, height: 10_000, index: 1 },
  { kind: 'snapshotDrop', height: 2 ** 40 },
  { kind: 'ledgerBase', request: 12, height: 10_000 },
  { kind: 'appendEarlier', height: 17, block: long },
  { kind: 'chunkAt', request: 13, height: 17 },
  { kind: 'setAside', request: 14, from: 17, to: 2 ** 40 },
];

export const controlToEnclave: readonly ControlToEnclave[] = [
  { kind: 'start', json: Buffer.from('{}') },
  { kind: 'synced', height: 3 },
  { kind: 'entries', request: 1, last: false, blocks: [small, long, none] },
  { kind: 'entries', request: 1, last: true, blocks: [] },
  { kind: 'record', request: 1 },
  { kind: 'record', request: 1, bytes: small },
  { kind: 'done', request: 1 },
  { kind: 'done', request: 1, error: 'no space' },
  { kind: 'evidence', request: 1, bytes: small },
  { kind: 'sealing', request: 1, key: digest },
  { kind: 'shutdown' },
  { kind: 'genesisData', adapterId: 'ethereum', last: true, part: long },
  { kind: 'truncated', after: 7 },
  { kind: 'earlierSynced', height: 17 },
  { kind: 'chunk', request: 13, from: 17, to: 2 ** 40 },
  { kind: 'hostFault', code: 'DISK_FULL', message: 'no space left' },
];

export const channelToWorker: readonly ChannelToWorker[] = [
  { kind: 'evidence', bytes: small },
  { kind: 'streamOpen', id: 1, identity: small },
  { kind: 'streamData', id: 1, data: long },
  { kind: 'streamData', id: 2, data: small },
  { kind: 'streamEnd', id: 1 },
  { kind: 'streamReset', id: 1 },
  { kind: 'role', leader: true, view: 7, json: Buffer.from('{}') },
  { kind: 'sealed', batch: 1, view: 2, height: 3, firstSeqno: 4 },
  { kind: 'committed', height: 3 },
  { kind: 'rollback', height: 2 },
  {
    kind: 'applied',
    blocks: [
      {
        view: 1,
        height: 2,
        firstSeqno: 3,
        timeMs: 1_700_000_000_000,
        speculative: true,
        transactions: [pair, longPair, pair],
      },
      { view: 1, height: 3, firstSeqno: 6, timeMs: 0, speculative: false, transactions: [] },
    ],
  },
  { kind: 'committedByAll', height: 3 },
  { kind: 'refused', batch: 1, code: 'NOT_LEADER' },
  { kind: 'forwarded', id: 1, origin: 'ab', identity: small, request: long },
  { kind: 'forwardReply', id: 1, ok: false, height: 9, reply: small },
  { kind: 'readBarrierReply', id: 7 },
  { kind: 'readBarrierReply', id: 8, code: 'LEADER_UNKNOWN' },
  { kind: 'configure', json: Buffer.from('{}') },
  { kind: 'genesis', adapterId: 'ethereum', last: false, part: small },
  { kind: 'snapshot', request: 1, height: 10_000, timeMs: 1_700_000_000_000 },
  { kind: 'snapshotTaken', request: 1, index: 3 },
  { kind: 'snapshotCancel', request: 1 },
  { kind: 'restore', index: 0, chunks: 2, bytes: long },
  { kind: 'restore', index: 1, chunks: 2, bytes: small },
  { kind: 'start' },
  { kind: 'ping' },
];

export const channelToManager: readonly ChannelToManager[] = [
  { kind: 'evidence', bytes: small },
  { kind: 'streamData', id: 1, data: small },
  { kind: 'streamEnd', id: 1 },
  { kind: 'streamReset', id: 1 },
  { kind: 'streamPause', id: 1 },
  { kind: 'streamResume', id: 1 },
  { kind: 'batch', batch: 3, transactions: [pair, { ...longPair, claimsDigest: digest }] },
  { kind: 'genesisBatch', batch: 0, transactions: [] },
  { kind: 'forward', id: 1, identity: small, request: small },
  { kind: 'forwardedReply', id: 1, origin: 'ab', ok: true, reply: small, height: 4 },
  { kind: 'readBarrier', id: 7 },
  { kind: 'ready' },
  { kind: 'pong' },
  { kind: 'failed', code: 'AdapterError INVALID_CONFIGURATION', message: 'no such fork' },
  { kind: 'snapshotChunk', request: 1, index: 0, last: false, bytes: long },
  { kind: 'snapshotChunk', request: 1, index: 1, last: true, bytes: small },
  { kind: 'snapshotRefused', request: 1, code: 'SNAPSHOT_BUSY' },
  { kind: 'restoreRefused', code: 'MALFORMED', message: 'keys out of order' },
  { kind: 'log', line: small },
];
