import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { freePort, type LocalNetwork } from './local-network.ts';
import { LocalNode } from './local-node.ts';

/** How a node that wants into a network differs from an ordinary one. */
export interface GuestOptions {
  readonly name: string;
  /** Actor that runs it, for clients made for it. */
  readonly organisation: string;
  /** Image of its manager; default the network's. */
  readonly managerImage?: string;
  /** Node ports it asks; default those of the whole network. */
  readonly peers?: readonly string[];
  /** What of its configuration is about the constitution it goes on with; default any. */
  readonly approval?: Readonly<Record<string, string>>;
  /** Ports to take; default free ones. */
  readonly ports?: LocalNode['ports'];
}

/** Prepares a node outside the sandbox that will try to join; `start()` launches it. */
export async function guestNode(network: LocalNetwork, options: GuestOptions): Promise<LocalNode> {
  const { name, organisation } = options;
  const directory = join(network.directory, 'guests');
  const dataDirectory = join(directory, name);
  const configFile = join(directory, `${name}.json`);
  mkdirSync(directory, { recursive: true });
  const ports = options.ports ?? {
    node: await freePort(),
    admin: await freePort(),
    application: await freePort(),
  };
  const config = {
    version: 1,
    name,
    mode: 'join',
    networkCertificateFile: network.sandbox.layout.networkCertificate,
    ...(options.approval ?? { approve: 'any' }),
    peers: options.peers ?? network.nodes.map((node) => `127.0.0.1:${node.ports.node}`),
    dataDirectory,
    listen: { node: `127.0.0.1:${ports.node}`, admin: `127.0.0.1:${ports.admin}` },
    manager: { image: options.managerImage ?? network.images.manager },
    workers: [{ image: network.images.worker, listen: `127.0.0.1:${ports.application}` }],
  };
  writeFileSync(configFile, JSON.stringify(config));
  const node = new LocalNode({
    name,
    organisation,
    ports,
    configFile,
    logFile: join(directory, `${name}.log`),
    dataDirectory,
  });
  network.addGuest(node);
  return node;
}
