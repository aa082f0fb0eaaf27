import { encodeEndUser } from '@concordat/api';
import { isLoopback } from '../door-guard.ts';
import type { ConfigurationPart } from './configuration-part.ts';
import type { BrowserSettings, ClaimPath, ProviderSettings, ServiceSettings } from './settings.ts';

/** Finds a secret by where it is: a file, an environment variable. @throws GatewayError */
export type SecretSource = (part: ConfigurationPart) => string;

/** Signatures by a private key (RFC 7518, 3.1; RFC 8037; RFC 9864): never `none`, never a shared secret. */
const algorithms = [
  'RS256',
  'RS384',
  'RS512',
  'PS256',
  'PS384',
  'PS512',
  'ES256',
  'ES384',
  'ES512',
  'EdDSA',
  'Ed25519',
] as const;

const template = '{tenantid}';
const maxTenants = 100;
/** Parameters that the gateway itself sets (OpenID Connect Core 1.0, 3.1.2.1; RFC 7636). */
const ownParameters = [
  'client_id',
  'redirect_uri',
  'response_type',
  'response_mode',
  'scope',
  'state',
  'nonce',
  'code_challenge',
  'code_challenge_method',
  'request',
  'request_uri',
];

/** Reads one provider: as many as it has tenants. @throws GatewayError INVALID_CONFIGURATION */
export function readProvider(
  name: string,
  part: ConfigurationPart,
  secretOf: SecretSource,
): readonly ProviderSettings[] {
  const given = part.members([
    'issuer',
    'tenants',
    'algorithms',
    'claims',
    'roles',
    'everyone',
    'browsers',
    'services',
  ]);
  if (!/^[A-Za-z0-9_-]{1,40}$/.test(name)) part.fail('names have 1 to 40 letters, digits, - and _');
  if (given.browsers.isAbsent && given.services.isAbsent) {
    part.fail('has browsers, services or both');
  }
  const named = given.claims.or(undefined, (claims) =>
    claims.members(['subject', 'name', 'groups']),
  );
  const claim = (key: 'subject' | 'name' | 'groups', usual: string): ClaimPath =>
    named?.[key].or([usual], readClaim) ?? [usual];
  const shared = {
    algorithms: given.algorithms.or(['RS256', 'PS256', 'ES256'], (list) =>
      list.items({ min: 1, max: algorithms.length }).map((item) => item.oneOf(algorithms)),
    ),
    claims: {
      subject: claim('subject', 'sub'),
      name: claim('name', 'name'),
      groups: claim('groups', 'groups'),
    },
    roles: given.roles.or(new Map(), readRoles),
    everyone: given.everyone.or([], readRoleNames),
    ...given.browsers.or({}, (one) => ({ browsers: readBrowsers(one, secretOf) })),
    ...given.services.or({}, (one) => ({ services: readServices(one) })),
  };
  return readIssuers(given.issuer, given.tenants).map(({ issuer, tenant }) => {
    const settings = { name: tenant ? `${name}:${tenant}` : name, issuer, ...shared };
    checkRoles(settings, given.roles);
    return { ...settings, ...(tenant !== undefined && { tenant }) };
  });
}

function readIssuers(
  issuer: ConfigurationPart,
  tenants: ConfigurationPart,
): readonly { readonly issuer: string; readonly tenant?: string }[] {
  const text = issuer.text();
  const url = URL.parse(text.replaceAll(template, 'tenant'));
  const isPlain = url?.protocol === 'http:' && isLoopback(url.hostname);
  if (!url || (url.protocol !== 'https:' && !isPlain) || url.search !== '' || url.hash !== '') {
    issuer.fail('is the https address of an OpenID provider (http on this machine alone)');
  }
  if (url.username !== '' || url.password !== '') issuer.fail('holds no user and no password');
  if (!text.includes(template)) {
    if (!tenants.isAbsent) tenants.fail(`there is no ${template} in the issuer`);
    return [{ issuer: text }];
  }
  return tenants.texts({ min: 1, max: maxTenants }).map((tenant) => {
    if (
      !/^[A-Za-z0-9][A-Za-z0-9.-]{0,63}$/.test(tenant) ||
      /^(common|organizations|consumers)$/.test(tenant)
    ) {
      tenants.fail('each is the id of one tenant');
    }
    return { issuer: text.replaceAll(template, tenant), tenant };
  });
}

function readClaim(part: ConfigurationPart): ClaimPath {
  return part.isText ? [part.text()] : part.texts({ min: 1, max: 5 });
}

function readRoles(part: ConfigurationPart): ReadonlyMap<string, readonly string[]> {
  const entries = part.entries({ min: 1, max: 1_000 });
  return new Map(entries.map(([group, roles]) => [group, readRoleNames(roles)]));
}

/** Names of roles. @throws GatewayError INVALID_CONFIGURATION */
export function readRoleNames(part: ConfigurationPart): readonly string[] {
  const names = part.texts({ min: 1, max: 64 });
  if (!names.every((name) => /^[\x21-\x7e]{1,128}$/.test(name))) {
    part.fail('the name of a role has 1 to 128 visible ASCII characters');
  }
  return names;
}

/** Whoever has all of them still fits into the header. */
function checkRoles(
  { issuer, roles, everyone }: Pick<ProviderSettings, 'issuer' | 'roles' | 'everyone'>,
  part: ConfigurationPart,
): void {
  const all = [...new Set([...everyone, ...[...roles.values()].flat()])];
  try {
    encodeEndUser({ issuer, subject: 'x'.repeat(255), name: 'x'.repeat(256), roles: all });
  } catch (error) {
    part.fail(`an end user with all roles is too large: ${(error as Error).message}`);
  }
}

function readBrowsers(part: ConfigurationPart, secretOf: SecretSource): BrowserSettings {
  const given = part.members([
    'clientId',
    'clientSecret',
    'clientAuthentication',
    'scopes',
    'userInfo',
    'parameters',
  ]);
  const scopes = given.scopes.or(['openid', 'profile'], (list) => list.texts({ min: 1, max: 50 }));
  if (!scopes.every((scope) => /^[\x21\x23-\x5b\x5d-\x7e]+$/.test(scope))) {
    given.scopes.fail('a scope has visible ASCII characters without " and \\');
  }
  if (!scopes.includes('openid')) given.scopes.fail('openid must be among them');
  const isPublic = given.clientSecret.isAbsent;
  const ways = isPublic
    ? (['none'] as const)
    : (['client_secret_basic', 'client_secret_post'] as const);
  return {
    clientId: given.clientId.text(),
    ...(!isPublic && { clientSecret: secretOf(given.clientSecret) }),
    clientAuthentication: given.clientAuthentication.or(ways[0], (one) => one.oneOf(ways)),
    scopes,
    userInfo: given.userInfo.or(false, (one) => one.boolean()),
    parameters: given.parameters.or({}, readParameters),
  };
}

function readParameters(part: ConfigurationPart): Readonly<Record<string, string>> {
  const parameters = part.entries({ min: 1, max: 20 }).map(([name, value]): [string, string] => {
    if (ownParameters.includes(name)) value.fail('is set by the gateway');
    return [name, value.text()];
  });
  return Object.fromEntries(parameters);
}

function readServices(part: ConfigurationPart): ServiceSettings {
  const given = part.members(['audiences', 'tokenType', 'forwardToken']);
  return {
    audiences: given.audiences.texts({ min: 1, max: 20 }),
    ...given.tokenType.or({}, (one) => ({ tokenType: one.text() })),
    forwardToken: given.forwardToken.or(false, (one) => one.boolean()),
  };
}
