import { createRequire } from 'node:module';
import { fileURLToPath } from 'node:url';

const require = createRequire(import.meta.url);

/** Path of a file of an installed package. @throws Error when the package is not there */
export const packageFile = (name: string, path: string): string =>
  fileURLToPath(new URL(path, `file://${require.resolve(`${name}/package.json`)}`));

/** Path of the script that starts Anvil. @throws Error when the package is not there */
export function anvilProgram(): string {
  const { bin } = require('@foundry-rs/anvil/package.json') as {
    bin: string | Readonly<Record<string, string>>;
  };
  return packageFile('@foundry-rs/anvil', typeof bin === 'string' ? bin : (bin.anvil as string));
}
