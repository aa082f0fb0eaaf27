import { readFile } from 'node:fs/promises';
import {
  checkGateway,
  createGateway,
  type GatewayOptions,
  loadConfiguration,
} from '@concordat/gateway';
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

/** `concordat gateway`: HTTP for wallets, tools and end users, mutual TLS to the network. */
export const gatewayCommand: Command = {
  name: 'gateway',
  summary: 'offer a participant’s access to wallets and tools here, or to end users who sign in',
  usage:
    '--config file [--check] | [--linearizable] [--listen 127.0.0.1:8545] --directory sandbox | --target host:port[,...] --network-certificate file --certificate file --key file',
  options: {
    config: { type: 'string' },
    check: { type: 'boolean', default: false },
    directory: { type: 'string' },
    listen: { type: 'string' },
    target: { type: 'string' },
    'network-certificate': { type: 'string' },
    certificate: { type: 'string' },
    key: { type: 'string' },
    linearizable: { type: 'boolean', default: false },
  },
  examples: [
    'gateway --directory .concordat/sandbox',
    'gateway --config gateway.json --check',
    'gateway --config gateway.json',
    'gateway --target vn1.aurora.example:7201 --network-certificate network.pem --certificate shop.pem --key shop-key.pem',
  ],
  details:
    'Without --config whoever reaches the port acts as the participant. With it end users sign in by OpenID Connect, and requests go on for them: docs/gateway.md has the file. --check reads it and everything it names, and starts nothing.',
  run: async (invocation) => {
    const { config, check } = invocation.options;
    const options = config ? await configured(String(config), invocation) : await plain(invocation);
    if (check === true) {
      checkGateway(options);
      invocation.terminal.write(`${String(config)} is in order\n`);
      return 0;
    }
    const gateway = await createGateway(options);
    invocation.terminal.write(`gateway at ${gateway.url} for ${options.targets.join(', ')}\n`);
    await new Promise<void>((resolve) => {
      for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const)
        process.on(signal, () => resolve());
    });
    await gateway.close();
    return 0;
  },
};

/** A front-end system for end users; what it tells goes out a JSON object a line. */
async function configured(file: string, { terminal }: Invocation): Promise<GatewayOptions> {
  const log: GatewayOptions['log'] = (event, fields) => {
    const time = new Date().toISOString();
    terminal.write(`${JSON.stringify({ time, event, ...fields })}\n`);
  };
  return { ...(await loadConfiguration(file)), log };
}

/** A plain local endpoint: whoever reaches it acts as the participant. */
async function plain(invocation: Invocation): Promise<GatewayOptions> {
  const { directory, target, listen, linearizable, check } = invocation.options;
  if (check === true) throw new CliError('USAGE', '--check goes with --config');
  if (directory === undefined && target === undefined) {
    throw new CliError(
      'USAGE',
      'say for whom: --directory (a sandbox), --target (a network) or --config (end users who sign in)',
    );
  }
  const { files, ...route } = directory
    ? await sandboxRoute(String(directory))
    : await givenRoute(invocation);
  const identity = await readIdentity(files);
  const consistency = linearizable === true ? 'linearizable' : 'committed';
  return { ...route, ...(listen && { listen: String(listen) }), identity, consistency };
}

async function sandboxRoute(directory: string): Promise<Route> {
  const layout = new SandboxLayout(directory);
  const record = await layout.read();
  if (!record) {
    throw new CliError(
      'SANDBOX_MISSING',
      `there is no sandbox in ${layout.directory}: start one with "npm start"`,
    );
  }
  return {
    listen: `127.0.0.1:${record.gatewayPort}`,
    targets: record.nodes.map(({ ports }) => `127.0.0.1:${ports.application}`),
    networkCertificate: record.networkCertificate ?? '',
    files: layout.identity(frontOffice),
  };
}

async function givenRoute(invocation: Invocation): Promise<Route> {
  return {
    listen: '127.0.0.1:8545',
    targets: required(invocation, 'target').split(','),
    networkCertificate: await readFile(required(invocation, 'network-certificate'), 'utf8'),
    files: {
      certificateFile: required(invocation, 'certificate'),
      keyFile: required(invocation, 'key'),
    },
  };
}
