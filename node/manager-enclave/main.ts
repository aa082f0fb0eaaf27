import { parseEnclaveArguments } from '@concordat/bridge';
import { runManager } from './run-manager.ts';

await runManager(parseEnclaveArguments(process.argv.slice(2)).bridgeDirectory);
