import { connect } from 'node:net';
import { controlSocket, FrameConnection, rejoinExitStatus } from '@concordat/bridge';
import type { ControlLink } from './control-link.ts';
import { Launch } from './launch.ts';
import type { Manager } from './manager.ts';
import { socketWays } from './ways.ts';

/** Time for the last log line to reach the host. */
const lastWordsMs = 50;

/** Ends after a failure with this code. */
const endSoon = (code?: string): void => {
  const status = code === 'NETWORK_LIVE' ? rejoinExitStatus : 1;
  setTimeout(() => process.exit(status), lastWordsMs);
};

/** Runs the manager enclave of one validating node over its bridge directory. */
export async function runManager(bridgeDirectory: string): Promise<void> {
  const path = controlSocket(bridgeDirectory);
  const launch: Launch = new Launch({
    connect: (options) => new FrameConnection(connect(path), options),
    bridgeDirectory,
    ways: socketWays,
    exit: endSoon,
    onShutdown: () => void shutdown(launch.manager),
    onClose: () => process.exit(0),
  });
  endOnBugs(launch.control);
  await launch.run();
}

/** A broken invariant ends the process, after saying which; the host starts a pristine one. */
function endOnBugs(control: ControlLink): void {
  const end = (error: unknown): void => {
    const stack = error instanceof Error ? error.stack : undefined;
    control.log('manager.crashed', { level: 'error', why: String(error), stack });
    control.flush();
    endSoon();
  };
  process.on('uncaughtException', end);
  process.on('unhandledRejection', end);
}

let stopping = false;

async function shutdown(manager: Manager | undefined): Promise<void> {
  if (stopping) return;
  stopping = true;
  try {
    await manager?.shutdown();
  } finally {
    process.exit(0);
  }
}
