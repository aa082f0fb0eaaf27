import { chmod, chown, lstat, mkdir, readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { HostError } from './errors.ts';

/** Who may use the bridge directory. */
export interface BridgeOwner {
  readonly uid: number;
  readonly gid: number;
}

/**
 * Creates the bridge directory with mode 0700, or checks that an existing one is ours.
 * @throws HostError BRIDGE_DIRECTORY
 */
export async function prepareBridgeDirectory(path: string): Promise<void> {
  try {
    await mkdir(path, { recursive: true, mode: 0o700 });
    const stat = await lstat(path);
    const root = process.getuid?.() === 0;
    if (!stat.isDirectory() || !(root || stat.uid === process.getuid?.())) {
      throw new HostError('BRIDGE_DIRECTORY', `${path} is not a directory of this user`);
    }
    await chmod(path, 0o700);
  } catch (error) {
    if (error instanceof HostError) throw error;
    throw new HostError('BRIDGE_DIRECTORY', `${path}: ${(error as Error).message}`);
  }
}

/** Hands the directory to the manager enclave's user; workers, in its group, may pass through. */
export async function giveBridgeDirectory(path: string, { uid, gid }: BridgeOwner): Promise<void> {
  await chown(path, uid, gid);
  await chmod(path, 0o710);
}

/** Takes the directory back for the host's own user alone. */
export async function takeBridgeDirectory(path: string): Promise<void> {
  await chown(path, process.getuid?.() ?? 0, process.getgid?.() ?? 0);
  await chmod(path, 0o700);
}

/** Removes the sockets of an earlier launch. */
export async function clearSockets(path: string): Promise<void> {
  for (const name of await readdir(path)) {
    if (name.endsWith('.sock')) await rm(join(path, name), { force: true });
  }
}
