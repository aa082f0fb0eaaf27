import { toPem } from '@concordat/crypto';
import type { ReadView, TransactionSet } from '@concordat/kv';
import { readCertificate } from './actor.ts';
import type { ExternalSystem } from './constitution.ts';
import { GovernanceError } from './errors.ts';
import type { Field } from './field.ts';
import { deleteRow, readRow, readRows, tables, writeRow } from './tables.ts';

/** Systems outside of one network that its applications may call. */
export const maxExternalSystems = 64;
/** Certificates one system may be known by: two while one takes the other's place. */
const maxCertificates = 4;
const maxAdapters = 16;

/** Bounds and defaults of what one system may cost; times in milliseconds. */
export const externalSystemLimits = {
  timeoutMs: { min: 100, max: 15_000, usual: 5_000 },
  maxRequestBytes: { min: 0, max: 1_048_576, usual: 65_536 },
  maxAnswerBytes: { min: 0, max: 4_194_304, usual: 262_144 },
  maxCalls: { min: 1, max: 64, usual: 16 },
} as const;

const properties = [
  'name',
  'origin',
  'adapters',
  'certificates',
  ...(Object.keys(externalSystemLimits) as (keyof typeof externalSystemLimits)[]),
] as const;

/**
 * Reads a system as an action or a constitution gives it; what is left out has its default, so that
 * equal systems have equal rows. @throws GovernanceError of the field's code
 */
export function readExternalSystem(field: Field): ExternalSystem {
  field.only(properties);
  const adapters = field.at('adapters').list(maxAdapters).map(readAdapter);
  if (adapters.length === 0) field.at('adapters').fail('must name an adapter that may call it');
  const certificates = (field.optional('certificates')?.list(maxCertificates) ?? []).map((item) =>
    toPem(readCertificate(item)),
  );
  const limit = (name: keyof typeof externalSystemLimits): number =>
    field.optional(name)?.integer(externalSystemLimits[name]) ?? externalSystemLimits[name].usual;
  return {
    name: readExternalSystemName(field.at('name')),
    origin: readOrigin(field.at('origin')),
    adapters: [...new Set(adapters)].sort(),
    certificates: [...new Set(certificates)].sort(),
    timeoutMs: limit('timeoutMs'),
    maxRequestBytes: limit('maxRequestBytes'),
    maxAnswerBytes: limit('maxAnswerBytes'),
    maxCalls: limit('maxCalls'),
  };
}

/** Reads the name of a system. @throws GovernanceError of the field's code */
export const readExternalSystemName = (field: Field): string => field.identifier();

function readAdapter(field: Field): string {
  const id = field.identifier();
  return id.length <= 32 ? id : field.fail('is longer than 32 characters');
}

const originForm =
  /^https:\/\/(\[[0-9a-f:.]{2,45}\]|[a-z0-9](?:[a-z0-9.-]{0,251}[a-z0-9])?)(?::([1-9]\d{0,4}))?$/;

/**
 * `https://host:port` (RFC 6454), the host in lower case; without a port it is 443. Nothing else is
 * taken for what looks like it: a path, a user, another spelling of an address.
 */
function readOrigin(field: Field): string {
  const match = originForm.exec(field.text(300));
  const [, host, port = '443'] = match ?? [];
  const url = match && URL.parse(match[0]);
  // The URL standard reads `0x7f.1` as an address; whoever votes is to see where it leads.
  if (!url || host === undefined || url.hostname !== host || Number(port) > 65_535) {
    return field.fail('must be https://host:port, the host in lower case');
  }
  return `https://${host}:${port}`;
}

/** Reads systems as a constitution lists them. @throws GovernanceError of the field's code */
export function readExternalSystems(list: Field): ExternalSystem[] {
  const systems = list.list(maxExternalSystems).map((item) => readExternalSystem(item));
  if (new Set(systems.map(({ name }) => name)).size < systems.length) {
    list.fail('names a system twice');
  }
  return systems.sort((a, b) => (a.name < b.name ? -1 : 1));
}

/** What changes of systems mean for the running network. */
export interface ExternalSystemEffect {
  readonly kind: 'external-system-set' | 'external-system-removed';
  readonly system: string;
}

/** Lists a system, or changes one. @throws GovernanceError EXTERNAL_SYSTEM_LIMIT */
export function setExternalSystem(
  set: TransactionSet,
  system: ExternalSystem,
): readonly ExternalSystemEffect[] {
  const { name } = system;
  const known = readRow(set, tables.externalSystems, name);
  if (!known && listExternalSystems(set).length >= maxExternalSystems) {
    const why = `there are ${maxExternalSystems} systems already`;
    throw new GovernanceError('EXTERNAL_SYSTEM_LIMIT', why);
  }
  writeRow(set, tables.externalSystems, name, system);
  return [{ kind: 'external-system-set', system: name }];
}

/** Ends calls to a system. @throws GovernanceError EXTERNAL_SYSTEM_NOT_FOUND */
export function removeExternalSystem(
  set: TransactionSet,
  name: string,
): readonly ExternalSystemEffect[] {
  if (!readRow(set, tables.externalSystems, name)) {
    throw new GovernanceError('EXTERNAL_SYSTEM_NOT_FOUND', 'no such system is listed', { name });
  }
  deleteRow(set, tables.externalSystems, name);
  return [{ kind: 'external-system-removed', system: name }];
}

/** The systems that applications may call, sorted by name. */
export const listExternalSystems = (view: ReadView): ExternalSystem[] =>
  Array.from(readRows(view, tables.externalSystems), ([, row]) => row);
