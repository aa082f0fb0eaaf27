import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import schemaDocument from './config.schema.json' with { type: 'json' };
import { HostError } from './errors.ts';
import { checkSchema, type Schema, schemaDefaults } from './schema-check.ts';

/** One worker of a validating node. */
export interface WorkerConfig {
  readonly image: string;
  readonly adapters?: readonly string[];
  readonly listen: string;
  readonly advertise: string;
  readonly heapMebibytes?: number;
  readonly maxRequestBytes: number;
  readonly maxPendingRequests: number;
  readonly preparingThreads?: number;
}

/** A validating node's configuration with defaults filled in and paths made absolute. */
export interface HostConfig {
  readonly name: string;
  readonly mode: 'genesis' | 'join' | 'recover';
  readonly dataDirectory: string;
  readonly bridgeDirectory: string;
  readonly platformKeyFile: string;
  readonly genesisFile?: string;
  readonly genesisData: Readonly<Record<string, string>>;
  readonly actorCertificateFile?: string;
  readonly networkCertificateFile?: string;
  /** `ask`, `any`, or the terms that are approved. */
  readonly approve: string;
  readonly approvedConstitutionFile?: string;
  readonly formerLedgerDirectory?: string;
  readonly peers: readonly string[];
  readonly listen: { readonly node: string; readonly admin: string };
  readonly advertise: { readonly node: string; readonly admin: string };
  readonly manager: { readonly image: string; readonly heapMebibytes?: number };
  readonly workers: readonly WorkerConfig[];
  readonly ledger: { readonly chunkBytes: number };
  readonly limits: {
    readonly maxConnections: number;
    readonly maxConnectionsPerAddress: number;
    readonly maxOutboundConnections: number;
    readonly dialTimeoutMs: number;
    readonly halfOpenTimeoutMs: number;
  };
  readonly restart: {
    readonly firstDelayMs: number;
    readonly maxDelayMs: number;
    readonly stableMs: number;
    readonly shutdownTimeoutMs: number;
  };
  readonly tickMs: number;
  readonly sandbox: 'auto' | 'required' | 'none';
  readonly firstUid: number;
  readonly logFile?: string;
}

type Document = Record<string, unknown>;

const schema = schemaDocument as unknown as Schema;
const overridePrefix = 'CONCORDAT_VN_';
/** The longest bridge directory that leaves room for socket names in a Unix address. */
const maxBridgePathBytes = 80;

/**
 * Reads a configuration file and applies overrides from the environment.
 * @throws HostError INVALID_CONFIG listing every fault
 */
export async function loadConfig(
  path: string,
  environment: Readonly<Record<string, string | undefined>>,
): Promise<HostConfig> {
  let document: unknown;
  try {
    document = JSON.parse(await readFile(path, 'utf8'));
  } catch (error) {
    throw new HostError('INVALID_CONFIG', `${path}: ${(error as Error).message}`);
  }
  return parseConfig(applyOverrides(document, environment), dirname(resolve(path)));
}

/**
 * Checks a configuration document, fills in defaults and resolves paths against a directory.
 * @throws HostError INVALID_CONFIG listing every fault
 */
export function parseConfig(document: unknown, base: string): HostConfig {
  const faults = checkSchema(schema, document);
  if (faults.length > 0) throw invalid(faults.map(({ path, problem }) => `${path} ${problem}`));
  const given = document as Document;
  const section = (key: string): Document => ({
    ...schemaDefaults(schema.properties![key]!),
    ...(given[key] as Document | undefined),
  });
  const path = (value: unknown): string => resolve(base, value as string);
  const dataDirectory = path(given.dataDirectory);
  const listen = given.listen as HostConfig['listen'];
  const config = {
    ...schemaDefaults(schema),
    ...given,
    dataDirectory,
    bridgeDirectory:
      given.bridgeDirectory === undefined
        ? defaultBridgeDirectory(dataDirectory)
        : path(given.bridgeDirectory),
    platformKeyFile:
      given.platformKeyFile === undefined
        ? join(dataDirectory, 'platform-key.pem')
        : path(given.platformKeyFile),
    genesisData: mapValues((given.genesisData ?? {}) as Record<string, string>, path),
    advertise: { ...listen, ...(given.advertise as object | undefined) },
    manager: { ...(given.manager as Document), image: path((given.manager as Document).image) },
    workers: (given.workers as Document[]).map((worker) => ({
      ...schemaDefaults(schema.properties!.workers!.items!),
      advertise: worker.listen,
      ...worker,
      image: path(worker.image),
    })),
    ledger: section('ledger'),
    limits: section('limits'),
    restart: section('restart'),
    firstUid: given.firstUid ?? defaultFirstUid(dataDirectory),
    ...optionalPaths(given, path),
  };
  const resolved = config as unknown as HostConfig;
  checkMeaning(resolved);
  return resolved;
}

function optionalPaths(given: Document, path: (value: unknown) => string): Document {
  const keys = [
    'genesisFile',
    'actorCertificateFile',
    'networkCertificateFile',
    'approvedConstitutionFile',
    'formerLedgerDirectory',
    'logFile',
  ];
  const present = keys.filter((key) => given[key] !== undefined);
  return Object.fromEntries(present.map((key) => [key, path(given[key])]));
}

function checkMeaning(config: HostConfig): void {
  const faults: string[] = [];
  if (config.mode === 'genesis' && config.genesisFile === undefined) {
    faults.push('genesisFile is required with mode genesis');
  }
  if (config.mode === 'recover') {
    for (const key of ['formerLedgerDirectory', 'networkCertificateFile', 'actorCertificateFile']) {
      if (!(key in config)) faults.push(`${key} is required with mode recover`);
    }
    if (config.formerLedgerDirectory === join(config.dataDirectory, 'ledger')) {
      faults.push('formerLedgerDirectory is that of the new ledger: give another dataDirectory');
    }
  }
  if (config.approvedConstitutionFile !== undefined && config.approve !== 'ask') {
    faults.push('approvedConstitutionFile and approve exclude each other');
  }
  if (config.mode === 'join' && config.peers.length === 0) {
    faults.push('peers needs at least one address with mode join');
  }
  if (Buffer.byteLength(config.bridgeDirectory) > maxBridgePathBytes) {
    faults.push(`bridgeDirectory is longer than ${maxBridgePathBytes} bytes as an absolute path`);
  }
  for (const address of [...Object.values(config.listen), ...config.workers.map((w) => w.listen)]) {
    if (parseAddress(address).port > 65_535) faults.push(`${address} has no valid port`);
  }
  if (faults.length > 0) throw invalid(faults);
}

const invalid = (faults: readonly string[]): HostError =>
  new HostError('INVALID_CONFIG', `configuration: ${faults.join('; ')}`, { faults });

/** Splits `host:port` or `[v6]:port`. */
export function parseAddress(address: string): { readonly host: string; readonly port: number } {
  const at = address.lastIndexOf(':');
  return {
    host: address.slice(0, at).replace(/^\[|\]$/g, ''),
    port: Number(address.slice(at + 1)),
  };
}

/** Applies `CONCORDAT_VN_A__B_C=value` as `a.bC = value`; values are JSON, or else text. */
export function applyOverrides(
  document: unknown,
  environment: Readonly<Record<string, string | undefined>>,
): unknown {
  const result = structuredClone(document);
  for (const [name, text] of Object.entries(environment)) {
    if (!name.startsWith(overridePrefix) || text === undefined) continue;
    const keys = name.slice(overridePrefix.length).split('__').map(toCamelCase);
    let target = result as Record<string, unknown>;
    for (const key of keys.slice(0, -1)) {
      if (typeof target[key] !== 'object' || target[key] === null) target[key] = {};
      target = target[key] as Record<string, unknown>;
    }
    target[keys.at(-1) as string] = parseOverride(text);
  }
  return result;
}

const toCamelCase = (name: string): string =>
  name.toLowerCase().replace(/_([a-z0-9])/g, (_, letter: string) => letter.toUpperCase());

function parseOverride(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}

function defaultBridgeDirectory(dataDirectory: string): string {
  const beside = join(dataDirectory, 'bridge');
  if (Buffer.byteLength(beside) <= maxBridgePathBytes) return beside;
  return join(tmpdir(), `concordat-${digestOf(dataDirectory).toString('hex', 0, 8)}`);
}

const defaultFirstUid = (dataDirectory: string): number =>
  20_000 + (digestOf(dataDirectory).readUInt32BE() % 2500) * 16;

const digestOf = (text: string): Buffer => createHash('sha256').update(text).digest();

const mapValues = (record: Record<string, string>, map: (value: string) => string) =>
  Object.fromEntries(Object.entries(record).map(([key, value]) => [key, map(value)]));
