/**
 * The worker image for JavaScript applications: the adapter, and, started again as a child process
 * of its own, the program that holds the application.
 */
import { dirname } from 'node:path';
import { fileURLToPath } from 'node:url';
import {
  applicationArgument,
  createJavascriptAdapter,
  serveApplication,
} from '@concordat/javascript';
import { runWorker } from '@concordat/worker-enclave';

const file = fileURLToPath(import.meta.url);
const args = process.argv.slice(2);

if (args.includes(applicationArgument)) serveApplication(args);
else {
  const profiling = process.execArgv.filter((flag) => flag.startsWith('--cpu-prof'));
  const program = {
    file,
    args: [applicationArgument],
    readable: [dirname(file)],
    // In an image that is built to be profiled, which is another by its measurement.
    ...(profiling.length > 0 && { profiling }),
  };
  await runWorker([createJavascriptAdapter({ program })]);
}
