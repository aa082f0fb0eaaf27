import { once } from 'node:events';
import { createServer } from 'node:net';
import { CliError } from '../errors.ts';
import type { SandboxRecord } from './layout.ts';

/** Whether nothing listens on a loopback port. */
export async function isFree(port: number): Promise<boolean> {
  const server = createServer();
  server.listen(port, '127.0.0.1');
  try {
    await once(server, 'listening');
    return true;
  } catch {
    return false;
  } finally {
    server.close();
  }
}

/**
 * Free loopback ports from a base upwards, so that they are the same from one sandbox to the next
 * where nothing else takes them.
 * @throws CliError PORT_TAKEN after a thousand ports
 */
export async function freePorts(count: number, base: number): Promise<number[]> {
  const ports: number[] = [];
  for (let port = base; ports.length < count; port++) {
    if (port >= base + 1_000) throw new CliError('PORT_TAKEN', `no ${count} free ports at ${base}`);
    if (await isFree(port)) ports.push(port);
  }
  return ports;
}

/**
 * A sandbox keeps its ports: another program on one of them would leave it waiting in vain, or, at
 * the gateway's, would answer in its place.
 * @throws CliError PORT_TAKEN
 */
export async function requireFreePorts({
  nodes,
  gatewayPort,
}: Pick<SandboxRecord, 'nodes' | 'gatewayPort'>): Promise<void> {
  const wanted = nodes.flatMap(({ name, ports }) =>
    Object.values(ports).map((port) => ({ name, port })),
  );
  const gateway = gatewayPort === 0 ? [] : [{ name: 'the gateway', port: gatewayPort }];
  for (const { name, port } of [...wanted, ...gateway]) {
    if (await isFree(port)) continue;
    throw new CliError(
      'PORT_TAKEN',
      `port ${port} of ${name} is taken by another program: end that one, or start anew with --fresh`,
      { port, node: name },
    );
  }
}
