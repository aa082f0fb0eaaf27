import { cpSync, mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { freePort, type LocalNetwork } from './local-network.ts';
import { LocalNode } from './local-node.ts';

/** What is left of a network: one copy of its ledger, its certificate, its actors' own keys. */
export interface Remains {
  /** Chunk files. */
  readonly ledger: string;
  /** PEM file of the lost network's certificate. */
  readonly certificateFile: string;
}

/** Ends every process, keeps the ledger of one node, and deletes all else that hosts kept. */
export async function loseAllBut(network: LocalNetwork, kept: LocalNode): Promise<Remains> {
  await network.kill();
  const remains = {
    ledger: join(network.directory, 'remains', 'ledger'),
    certificateFile: join(network.directory, 'remains', 'network.pem'),
  };
  mkdirSync(join(network.directory, 'remains'), { recursive: true });
  cpSync(kept.ledgerDirectory, remains.ledger, { recursive: true });
  writeFileSync(remains.certificateFile, network.certificate);
  for (const { dataDirectory } of network.nodes) {
    rmSync(dataDirectory, { recursive: true, force: true });
  }
  return remains;
}

/** How a node of a recovered network begins. */
export type Beginning =
  /** From a ledger directory; run by the organisation of that name. */
  | { readonly ledger: string; readonly certificateFile: string }
  /** By joining the node that recovered it. */
  | { readonly joins: LocalNode; readonly certificateFile: string };

/** Prepares a node of the network that is to go on from a lost one; `start()` launches it. */
export async function recoveredNode(
  network: LocalNetwork,
  { name, organisation }: { readonly name: string; readonly organisation: string },
  beginning: Beginning,
): Promise<LocalNode> {
  const directory = join(network.directory, 'recovered');
  mkdirSync(directory, { recursive: true });
  const ports = {
    node: await freePort(),
    admin: await freePort(),
    application: await freePort(),
  };
  const { certificateFile: networkCertificateFile } = beginning;
  const { layout } = network.sandbox;
  const how =
    'ledger' in beginning
      ? { mode: 'recover', formerLedgerDirectory: beginning.ledger }
      : { mode: 'join', approve: 'any', peers: [`127.0.0.1:${beginning.joins.ports.node}`] };
  const configFile = join(directory, `${name}.json`);
  const dataDirectory = join(directory, name);
  const config = {
    version: 1,
    name,
    ...how,
    networkCertificateFile,
    actorCertificateFile: layout.identity(organisation).certificateFile,
    dataDirectory,
    listen: { node: `127.0.0.1:${ports.node}`, admin: `127.0.0.1:${ports.admin}` },
    manager: { image: network.images.manager },
    workers: [{ image: network.images.worker, listen: `127.0.0.1:${ports.application}` }],
  };
  writeFileSync(configFile, JSON.stringify(config));
  const logFile = join(directory, `${name}.log`);
  const node = new LocalNode({ name, organisation, ports, configFile, logFile, dataDirectory });
  network.addGuest(node);
  return node;
}
