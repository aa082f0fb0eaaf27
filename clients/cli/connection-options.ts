import { readdir, readFile } from 'node:fs/promises';
import {
  AdminClient,
  createIdentityElsewhere,
  gateTo,
  type Identity,
  type NodeGate,
  NodeVerifier,
  parsePinnedCode,
  readIdentity,
} from '@concordat/sdk';
import { type Invocation, required } from './command.ts';
import { CliError } from './errors.ts';
import { defaultSandboxDirectory, SandboxLayout, type SandboxNode } from './sandbox/layout.ts';
import { tokenKeyOf, tokenOptions } from './token-options.ts';

/** Options that say who one is. */
export const identityOptions = {
  certificate: { type: 'string' },
  key: { type: 'string' },
  ...tokenOptions,
  'pkcs11-key': { type: 'string' },
} as const;

/** How the usage line shows them. */
export const identityUsage =
  '--certificate file (--key file | --pkcs11-key key --pkcs11-module library.so)';

/** Options of commands that talk to a network: a sandbox here, or any node anywhere. */
export const connectionOptions = {
  directory: { type: 'string', default: defaultSandboxDirectory },
  as: { type: 'string' },
  node: { type: 'string' },
  address: { type: 'string' },
  'network-certificate': { type: 'string' },
  'pinned-code': { type: 'string' },
  ...identityOptions,
  json: { type: 'boolean', default: false },
} as const;

/** How the usage line shows them. */
export const connectionUsage = `[--as organisation] [--node vn1] | --address host:port --network-certificate file [--pinned-code file] ${identityUsage}`;

/** A connection to the administrative channel, and who uses it. */
export interface AdminConnection {
  readonly admin: AdminClient;
  readonly identity: Identity;
}

/**
 * Connects as the options say: to the sandbox of this directory as one of its organisations (the
 * first by default), or to a node given by address.
 * @throws CliError SANDBOX_MISSING, USAGE; SdkError
 */
export async function connect(invocation: Invocation): Promise<AdminConnection> {
  const { options } = invocation;
  if (options.address !== undefined) {
    const identity = await identityOf(invocation);
    const networkCertificate = await readFile(required(invocation, 'network-certificate'), 'utf8');
    const address = required(invocation, 'address');
    const options = { address, networkCertificate, identity };
    const gate = await gateOf(invocation, { adminAddress: address, networkCertificate });
    return { identity, admin: new AdminClient({ ...options, ...gate }) };
  }
  const { layout, node } = await sandboxNode(invocation);
  const record = await layout.read();
  const actor = typeof options.as === 'string' ? options.as : node.organisation;
  const actors = await readdir(layout.actors);
  if (!actors.includes(actor)) {
    throw new CliError(
      'USAGE',
      `this sandbox keeps no keys of ${actor}: --as takes one of ${actors.join(', ')}; for others give --address, --certificate and --key`,
    );
  }
  const identity = await readIdentity(layout.identity(actor));
  return {
    identity,
    admin: new AdminClient({
      address: `127.0.0.1:${node.ports.admin}`,
      networkCertificate: record?.networkCertificate ?? '',
      identity,
    }),
  };
}

/** Lets only a node through that proves to run code of a file, when one is given. @throws SdkError */
async function gateOf(
  { options }: Invocation,
  node: { readonly adminAddress: string; readonly networkCertificate: string },
): Promise<{ readonly gate?: NodeGate }> {
  const file = options['pinned-code'];
  if (typeof file !== 'string') return {};
  const pinned = parsePinnedCode(await readFile(file, 'utf8'));
  return { gate: gateTo({ ...node, verifier: new NodeVerifier({ pinned }) }) };
}

/** Who one is, by certificate and a key in a file or in a token. @throws CliError USAGE; SdkError; Pkcs11Error */
export async function identityOf(
  invocation: Invocation,
  named: { readonly certificate: string; readonly key: string } = {
    certificate: 'certificate',
    key: 'key',
  },
): Promise<Identity> {
  const { options } = invocation;
  const certificateFile = required(invocation, named.certificate);
  if (options['pkcs11-key'] === undefined) {
    return readIdentity({ certificateFile, keyFile: required(invocation, named.key) });
  }
  if (options[named.key] !== undefined) {
    throw new CliError('USAGE', `give --${named.key} or --pkcs11-key, not both`);
  }
  const certificatePem = await readFile(certificateFile, 'utf8');
  return createIdentityElsewhere(certificatePem, await tokenKeyOf(invocation, 'pkcs11-key'));
}

/** The sandbox of this directory and the node the options name (the first by default). */
export async function sandboxNode({
  options,
}: Invocation): Promise<{ readonly layout: SandboxLayout; readonly node: SandboxNode }> {
  const layout = new SandboxLayout(String(options.directory));
  const record = await layout.read();
  if (!record?.complete) {
    throw new CliError(
      'SANDBOX_MISSING',
      `there is no sandbox in ${layout.directory}: start one with "npm start", or name a node with --address`,
    );
  }
  const { as: actor, node: name } = options;
  const node =
    typeof name === 'string'
      ? record.nodes.find((candidate) => candidate.name === name)
      : (record.nodes.find(({ organisation }) => organisation === actor) ?? record.nodes[0]);
  if (!node) {
    const names = record.nodes.map((candidate) => candidate.name).join(', ');
    throw new CliError('USAGE', `this sandbox has no node ${String(name)}, only ${names}`);
  }
  return { layout, node };
}
