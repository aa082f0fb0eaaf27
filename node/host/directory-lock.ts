import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { realpath } from 'node:fs/promises';
import { createServer, type Server } from 'node:net';
import { HostError } from './errors.ts';

/**
 * Makes sure that one host process at a time uses a data directory. The lock is a name in the
 * system's abstract socket space, which vanishes with the process however it ends; where there is
 * no such space (only Linux has it) there is no lock.
 * @throws HostError ALREADY_RUNNING
 */
export async function lockDirectory(directory: string): Promise<Server | undefined> {
  if (process.platform !== 'linux') return undefined;
  const digest = createHash('sha256')
    .update(await realpath(directory))
    .digest('hex');
  const server = createServer((socket) => socket.destroy());
  try {
    server.listen(`\0concordat-host-${digest}`);
    await once(server, 'listening');
    server.unref();
    return server;
  } catch {
    throw new HostError('ALREADY_RUNNING', `another host runs with ${directory}`, { directory });
  }
}
