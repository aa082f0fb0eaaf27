import { spawn } from 'node:child_process';
import { access, constants, realpath } from 'node:fs/promises';
import { delimiter, join } from 'node:path';
import { HostError } from './errors.ts';

/** How enclaves are confined on this machine. */
export interface Sandbox {
  /** Path of bubblewrap; absent where it cannot be used. */
  readonly bubblewrap?: string;
  /** Give each enclave a user id of its own. */
  readonly separateUsers: boolean;
  /** Give enclaves a /proc with nothing but themselves. */
  readonly proc: boolean;
  /** Why the confinement is less than it could be. */
  readonly weakness?: string;
}

/** What a launch inside bubblewrap needs. */
export interface SandboxPaths {
  /** The runtime binary. */
  readonly runtime: string;
  /** Directory of the image; seen inside as {@link insideImage}. */
  readonly image: string;
  /** Directory of the sockets; seen inside as {@link insideBridge}. */
  readonly bridge: string;
}

/** Where an enclave in its sandbox sees its image. */
export const insideImage = '/enclave';
/** Where an enclave in its sandbox sees the bridge sockets. */
export const insideBridge = '/bridge';
const insideRuntime = '/runtime/node';

/** The arguments of bubblewrap up to and including the runtime's path. */
export function bubblewrapArguments(
  { runtime, image, bridge }: SandboxPaths,
  { proc, infoFd }: { readonly proc: boolean; readonly infoFd?: number },
): string[] {
  const isolation = ['--unshare-all', '--unshare-user', '--cap-drop', 'ALL', '--clearenv'];
  const lifetime = ['--as-pid-1', '--die-with-parent', '--new-session'];
  return [
    ...isolation,
    ...lifetime,
    ...(infoFd === undefined ? [] : ['--info-fd', String(infoFd)]),
    ...sharedLibraries().flatMap((path) => ['--ro-bind', path, path]),
    ...(proc ? ['--proc', '/proc'] : []),
    ...['--dev-bind', '/dev/null', '/dev/null', '--dev-bind', '/dev/urandom', '/dev/urandom'],
    ...['--ro-bind', runtime, insideRuntime, '--ro-bind', image, insideImage],
    ...['--bind', bridge, insideBridge, '--remount-ro', '/', '--chdir', '/', '--', insideRuntime],
  ];
}

let libraries: string[] | undefined;

/** Files the runtime was linked with: enclaves run on the same runtime binary as the host. */
function sharedLibraries(): string[] {
  if (!libraries) {
    const report = process.report.getReport() as unknown as { readonly sharedObjects: string[] };
    libraries = report.sharedObjects.filter(
      (path) => path.startsWith('/') && !path.endsWith('.node') && path !== process.execPath,
    );
  }
  return libraries;
}

/**
 * Finds out, by trying, how well enclaves can be confined here.
 * @throws HostError SANDBOX_UNAVAILABLE when it is required and does not work
 */
export async function probeSandbox(
  wanted: 'auto' | 'required' | 'none',
  paths: SandboxPaths,
  uid: number,
): Promise<Sandbox> {
  const none: Sandbox = { separateUsers: false, proc: false };
  if (wanted === 'none') return { ...none, weakness: 'switched off in the configuration' };
  const bubblewrap = await findProgram('bwrap');
  if (bubblewrap === undefined) {
    return orRefuse(wanted, { ...none, weakness: 'bubblewrap is not installed' });
  }
  const asRoot = process.getuid?.() === 0;
  let reason = '';
  for (const separateUsers of asRoot ? [true, false] : [false]) {
    for (const proc of [true, false]) {
      const failure = await tryOut(bubblewrap, paths, {
        proc,
        uid: separateUsers ? uid : undefined,
      });
      if (failure === undefined) {
        const weakness =
          asRoot && !separateUsers ? `enclaves share the host's user: ${reason}` : '';
        return { bubblewrap, separateUsers, proc, ...(weakness ? { weakness } : {}) };
      }
      reason = failure;
    }
  }
  return orRefuse(wanted, { ...none, weakness: `bubblewrap does not work here: ${reason}` });
}

function orRefuse(wanted: string, sandbox: Sandbox): Sandbox {
  if (wanted !== 'required') return sandbox;
  throw new HostError('SANDBOX_UNAVAILABLE', sandbox.weakness ?? 'no sandbox');
}

async function findProgram(name: string): Promise<string | undefined> {
  for (const directory of (process.env.PATH ?? '').split(delimiter)) {
    const path = join(directory, name);
    try {
      await access(path, constants.X_OK);
      return await realpath(path);
    } catch {
      // Not in this directory; the next one may have it.
    }
  }
  return undefined;
}

/** Runs the runtime with --version in the sandbox; returns why it failed, if it did. */
function tryOut(
  bubblewrap: string,
  paths: SandboxPaths,
  { proc, uid }: { readonly proc: boolean; readonly uid: number | undefined },
): Promise<string | undefined> {
  return new Promise((resolve) => {
    const child = spawn(bubblewrap, [...bubblewrapArguments(paths, { proc }), '--version'], {
      env: {},
      stdio: ['ignore', 'ignore', 'pipe'],
      timeout: 10_000,
      ...(uid === undefined ? {} : { uid, gid: uid }),
    });
    let complaint = '';
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      complaint = (complaint + text).slice(0, 300);
    });
    child.on('error', (error) => resolve(error.message));
    child.on('close', (code) => {
      resolve(code === 0 ? undefined : complaint.trim() || `exit status ${code}`);
    });
  });
}
