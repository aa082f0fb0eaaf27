import { fromUtf8, utf8, viewOf } from '@concordat/std';
import {
  AdapterError,
  type Admitted,
  type BatchEnvironment,
  type BatchSet,
  type LedgerAdapter,
  type Outcome,
  type Refused,
} from '@concordat/worker-enclave';
import { handleKey, handleList } from './http-endpoint.ts';
import {
  encodeRequest,
  isMisfit,
  type KeyvalueLimits,
  type KeyvalueRequest,
  operations,
  parseRequest,
} from './request.ts';
import { openStream } from './stream-endpoint.ts';
import { entriesTable, type KeyvalueResult } from './table.ts';

/** Bounds in force unless the constitution sets others; also the largest it may set. */
const largest: KeyvalueLimits = { maxKeyBytes: 1_024, maxValueBytes: 64 * 1024 };

const created: Outcome<KeyvalueResult> = { ok: true, result: { existed: false } };
const existed: Outcome<KeyvalueResult> = { ok: true, result: { existed: true } };
const absent: Refused = { ok: false, code: 'NOT_FOUND', message: 'the key has no value' };

const entriesPerGenesisTransaction = 1_000;

/** The key-value ledger: one ordered table of bytes under text keys, every write a transaction. */
export function createKeyvalueAdapter(): LedgerAdapter<KeyvalueRequest, KeyvalueResult> {
  let limits = largest;
  return {
    id: 'keyvalue',
    tables: [{ name: entriesTable, kind: 'ordered' }],
    endpoints: [
      { kind: 'http', path: '/kv/*', methods: ['PUT', 'GET', 'DELETE'], handle: handleKey },
      {
        kind: 'http',
        path: '/kv',
        methods: ['GET'],
        handle: (request, _actor, host) => handleList(request, host.committed()),
      },
      {
        kind: 'stream',
        path: '/kv/stream',
        open: (stream, actor, host) => openStream(stream, { actor, host, limits: () => limits }),
      },
    ],
    configure: (config) => {
      limits = readConfig(config);
    },
    genesis: writeGenesis,
    admit: (raw) => admit(viewOf(raw), limits),
    execute,
    encodeResult: ({ existed }) => Uint8Array.of(existed ? 1 : 0),
    decodeResult: (bytes) => ({ existed: bytes[0] === 1 }),
  };
}

function admit(raw: Buffer, limits: KeyvalueLimits): Admitted<KeyvalueRequest> | Refused {
  const request = parseRequest(raw, limits);
  if (isMisfit(request)) return { ok: false, code: request.code, message: request.message };
  if (request.operation !== operations.get) return { ok: true, transaction: request };
  return { ok: false, code: 'INVALID_TRANSACTION', message: 'a get is not a transaction' };
}

function execute(
  set: BatchSet,
  batch: readonly Admitted<KeyvalueRequest>[],
): readonly Outcome<KeyvalueResult>[] {
  const table = set.table(entriesTable);
  const outcomes: Outcome<KeyvalueResult>[] = [];
  for (const { transaction } of batch) {
    const { operation, key, value } = transaction;
    const present = table.has(key);
    if (operation === operations.put) {
      table.set(key, value);
    } else if (present) {
      table.delete(key);
    } else {
      outcomes.push(absent);
      continue;
    }
    set.endTransaction();
    outcomes.push(present ? existed : created);
  }
  return outcomes;
}

/** Genesis data: one JSON object of text values under text keys. */
function* writeGenesis(
  open: () => BatchSet,
  data: Uint8Array | undefined,
  _env: BatchEnvironment,
): Iterable<void> {
  if (data === undefined) return;
  let count = 0;
  for (const [key, value] of Object.entries(parseGenesis(data))) {
    if (typeof value !== 'string') throw invalidGenesis('every value must be a text');
    const request = parseRequest(encodeRequest(operations.put, key, utf8(value)), largest);
    if (isMisfit(request)) throw invalidGenesis(request.message);
    open().table(entriesTable).set(request.key, request.value);
    count += 1;
    if (count % entriesPerGenesisTransaction === 0) yield;
  }
}

function parseGenesis(data: Uint8Array): object {
  let value: unknown;
  try {
    value = JSON.parse(fromUtf8(data));
  } catch {
    throw invalidGenesis('it is not JSON');
  }
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value;
  throw invalidGenesis('it is not an object');
}

const invalidGenesis = (why: string): AdapterError =>
  new AdapterError('INVALID_GENESIS', `genesis data of the key-value ledger: ${why}`);

/** @throws AdapterError INVALID_CONFIGURATION */
function readConfig(config: unknown): KeyvalueLimits {
  if (config === undefined || config === null) return largest;
  if (typeof config !== 'object') throw invalidConfig('it is not an object');
  const limits = { ...largest };
  for (const [name, value] of Object.entries(config)) {
    if (name !== 'maxKeyBytes' && name !== 'maxValueBytes') throw invalidConfig(`unknown ${name}`);
    const most = largest[name];
    if (!Number.isSafeInteger(value) || value < 1 || value > most) {
      throw invalidConfig(`${name} is a whole number from 1 to ${most}`);
    }
    limits[name] = value;
  }
  return limits;
}

const invalidConfig = (why: string): AdapterError =>
  new AdapterError('INVALID_CONFIGURATION', `configuration of the key-value ledger: ${why}`);
