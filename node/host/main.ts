import { parseArgs } from 'node:util';
import { type HostConfig, loadConfig } from './config.ts';
import { HostError } from './errors.ts';
import { Log } from './log.ts';
import { ValidatingNode } from './validating-node.ts';

const usage = 'usage: node node/host/main.ts --config <vn.json>';

/** Runs one validating node until a signal; returns the process's exit status. */
async function main(): Promise<number> {
  const write = (line: string): void => {
    process.stdout.write(line);
  };
  let log = new Log('unknown', write);
  try {
    const config = await readConfig();
    log = new Log(config.name, write, config.logFile);
    const node = await ValidatingNode.start(config, log);
    const signalled = new Promise<undefined>((resolve) => {
      for (const signal of ['SIGTERM', 'SIGINT'] as const) {
        process.on(signal, () => resolve(undefined));
      }
    });
    const refusal = await Promise.race([signalled, node.refused]);
    await node.stop();
    if (refusal) throw refusal;
    return 0;
  } catch (error) {
    if (!(error instanceof HostError)) throw error;
    log.error('host.refused', { code: error.code, message: error.message, ...error.details });
    return 1;
  } finally {
    await log.close();
  }
}

async function readConfig(): Promise<HostConfig> {
  try {
    const { values } = parseArgs({ options: { config: { type: 'string' } } });
    if (values.config === undefined) throw new TypeError('no configuration file was named');
    return await loadConfig(values.config, process.env);
  } catch (error) {
    if (error instanceof HostError) throw error;
    throw new HostError('INVALID_CONFIG', `${(error as Error).message}; ${usage}`);
  }
}

process.exitCode = await main();
