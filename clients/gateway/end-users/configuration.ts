import type { Consistency } from '@concordat/api';
import { isLoopback } from '../door-guard.ts';
import { type PathAccess, type PathRule, pathFault, ruleMethods } from './access-rules.ts';
import type { ConfigurationPart } from './configuration-part.ts';
import { readProvider, readRoleNames, type SecretSource } from './provider-configuration.ts';
import { type EndUserSettings, type SessionSettings, sessionBounds } from './settings.ts';

/** What a configuration file says; files are named as they stand there. */
export interface GatewayConfiguration {
  readonly listen: string;
  readonly targets: readonly string[];
  readonly networkCertificateFile: string;
  readonly identity: { readonly certificateFile: string; readonly keyFile: string };
  readonly tls?: { readonly certificateFile: string; readonly keyFile: string };
  readonly consistency: Consistency;
  readonly maxConnections: number;
  readonly maxBodyBytes: number;
  readonly endUsers: EndUserSettings;
}

/** Reads a configuration, strictly. @throws GatewayError INVALID_CONFIGURATION */
export function readConfiguration(
  whole: ConfigurationPart,
  secretOf: SecretSource,
): GatewayConfiguration {
  const given = whole.members([
    'listen',
    'publicUrl',
    'tls',
    'targets',
    'networkCertificateFile',
    'identity',
    'consistency',
    'allowedOrigins',
    'providers',
    'paths',
    'returnTo',
    'sessions',
    'limits',
  ]);
  const publicUrl = readOrigin(given.publicUrl);
  const allowedOrigins = given.allowedOrigins.or([], (list) =>
    list.items({ min: 0, max: 50 }).map(readOrigin),
  );
  const limits = given.limits.or(undefined, (part) =>
    part.members(['maxConnections', 'maxBodyBytes']),
  );
  return {
    listen: given.listen.or('127.0.0.1:8545', (part) => part.text()),
    targets: given.targets.texts({ min: 1, max: 100 }),
    networkCertificateFile: given.networkCertificateFile.text(),
    identity: readFiles(given.identity),
    ...given.tls.or({}, (part) => ({ tls: readFiles(part) })),
    consistency: given.consistency.or('committed', (part) =>
      part.oneOf(['committed', 'linearizable']),
    ),
    maxConnections:
      limits?.maxConnections.or(1_024, (part) => part.integer({ min: 1, max: 65_536 })) ?? 1_024,
    maxBodyBytes:
      limits?.maxBodyBytes.or(usualBodyBytes, (part) =>
        part.integer({ min: 1_024, max: 64 * 1024 * 1024 }),
      ) ?? usualBodyBytes,
    endUsers: {
      publicUrl,
      allowedOrigins,
      providers: readProviders(given.providers, secretOf),
      paths: given.paths.items({ min: 1, max: 1_000 }).map(readRule),
      sessions: readSessions(given.sessions),
      returnTo: given.returnTo.or(['/me'], (list) =>
        list
          .items({ min: 1, max: 50 })
          .map((part) => readReturn(part, [publicUrl, ...allowedOrigins])),
      ),
    },
  };
}

/** As many as a node takes by default. */
const usualBodyBytes = 8 * 1024 * 1024;

function readFiles(part: ConfigurationPart) {
  const { certificateFile, keyFile } = part.members(['certificateFile', 'keyFile']);
  return { certificateFile: certificateFile.text(), keyFile: keyFile.text() };
}

/** An origin (RFC 6454), https unless it is of this machine. */
function readOrigin(part: ConfigurationPart): string {
  const text = part.text();
  const url = URL.parse(text);
  const isPlain = url?.protocol === 'http:' && isLoopback(url.hostname);
  if (!url || (url.protocol !== 'https:' && !isPlain) || url.origin !== text) {
    part.fail('is an origin as https://front.example, without a path (http on this machine alone)');
  }
  return text;
}

/** A path of the gateway, or an address at one of these origins. */
function readReturn(part: ConfigurationPart, origins: readonly string[]): string {
  const text = part.text();
  const isPath = /^\/(?![/\\])[\x21-\x5b\x5d-\x7e]*$/.test(text);
  if (!isPath && !origins.includes(URL.parse(text)?.origin ?? '')) {
    part.fail('is a path of the gateway, or an address at publicUrl or one of allowedOrigins');
  }
  return text;
}

function readProviders(part: ConfigurationPart, secretOf: SecretSource) {
  const entries = part.entries({ min: 1, max: 20 });
  const providers = entries.flatMap(([name, one]) => readProvider(name, one, secretOf));
  const issuers = providers.map(({ issuer }) => issuer);
  // Claims are told apart by issuer: two sets of roles for one would be a matter of luck.
  if (new Set(issuers).size !== issuers.length) part.fail('two providers have one issuer');
  return providers;
}

function readRule(part: ConfigurationPart): PathRule {
  const { path, methods, access } = part.members(['path', 'methods', 'access']);
  const text = path.text();
  const fault = pathFault(text);
  if (fault !== undefined) path.fail(fault);
  return {
    path: text,
    ...methods.or({}, (list) => ({
      methods: list.items({ min: 1, max: 10 }).map((one) => one.oneOf(ruleMethods)),
    })),
    access: readAccess(access),
  };
}

const readAccess = (part: ConfigurationPart): PathAccess =>
  part.isText ? part.oneOf(['open', 'signed-in']) : readRoleNames(part);

function readSessions(part: ConfigurationPart): SessionSettings {
  const names = Object.keys(sessionBounds) as (keyof SessionSettings)[];
  const given = part.or(undefined, (one) => one.members(names));
  const read = names.map((name) => {
    const { usual, ...bounds } = sessionBounds[name];
    return [name, given?.[name].or(usual, (one) => one.integer(bounds)) ?? usual];
  });
  return Object.fromEntries(read) as unknown as SessionSettings;
}
