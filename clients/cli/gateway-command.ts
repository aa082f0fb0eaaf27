import { readFile } from 'node:fs/promises';
import { createGateway } from '@concordat/gateway';
import { readIdentity } from '@concordat/sdk';
import type { Command, Invocation } from './command.ts';
import { required } from './command.ts';
import { CliError } from './errors.ts';
import { SandboxLayout } from './sandbox/layout.ts';
import { frontOffice } from './sandbox/sandbox.ts';

/** What a gateway forwards to, and as whom. */
interface Route {
  readonly listen: string;
  readonly targets: readonly string[];
  readonly networkCertificate: string;
  readonly files: { readonly certificateFile: string; readonly keyFile: string };
}

/** `concordat gateway`: plain HTTP for wallets and tools, mutual TLS to the network. */
export const gatewayCommand: Command = {
  name: 'gateway',
  summary: 'offer a participant’s access as plain HTTP on this machine, for wallets and tools',
  usage:
    '[--linearizable] --directory sandbox | --listen 127.0.0.1:8545 --target host:port[,...] --network-certificate file --certificate file --key file',
  options: {
    directory: { type: 'string' },
    listen: { type: 'string', default: '127.0.0.1:8545' },
    target: { type: 'string' },
    'network-certificate': { type: 'string' },
    certificate: { type: 'string' },
    key: { type: 'string' },
    linearizable: { type: 'boolean', default: false },
  },
  examples: [
    'gateway --directory .concordat/sandbox',
    'gateway --target vn1.aurora.example:7201 --network-certificate network.pem --certificate shop.pem --key shop-key.pem',
  ],
  run: async (invocation) => {
    const { listen, targets, networkCertificate, files } = invocation.options.directory
      ? await sandboxRoute(String(invocation.options.directory))
      : await givenRoute(invocation);
    const gateway = await createGateway({
      listen,
      targets,
      networkCertificate,
      identity: await readIdentity(files),
      consistency: invocation.options.linearizable === true ? 'linearizable' : 'committed',
    });
    invocation.terminal.write(`gateway at ${gateway.url} for ${targets.join(', ')}\n`);
    await new Promise<void>((resolve) => {
      for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const)
        process.on(signal, () => resolve());
    });
    await gateway.close();
    return 0;
  },
};

async function sandboxRoute(directory: string): Promise<Route> {
  const layout = new SandboxLayout(directory);
  const record = await layout.read();
  if (!record) throw new CliError('SANDBOX_MISSING', `there is no sandbox in ${layout.directory}`);
  return {
    listen: `127.0.0.1:${record.gatewayPort}`,
    targets: record.nodes.map(({ ports }) => `127.0.0.1:${ports.application}`),
    networkCertificate: record.networkCertificate ?? '',
    files: layout.identity(frontOffice),
  };
}

async function givenRoute(invocation: Invocation): Promise<Route> {
  return {
    listen: required(invocation, 'listen'),
    targets: required(invocation, 'target').split(','),
    networkCertificate: await readFile(required(invocation, 'network-certificate'), 'utf8'),
    files: {
      certificateFile: required(invocation, 'certificate'),
      keyFile: required(invocation, 'key'),
    },
  };
}
