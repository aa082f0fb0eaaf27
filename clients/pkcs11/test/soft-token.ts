import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const places = [
  '/usr/lib/softhsm/libsofthsm2.so',
  '/usr/lib64/softhsm/libsofthsm2.so',
  '/usr/local/lib/softhsm/libsofthsm2.so',
  '/opt/homebrew/lib/softhsm/libsofthsm2.so',
];

/** SoftHSM's module; undefined where it is not installed. */
export const softModule = places.find((place) => existsSync(place));
/** Why tests with a token are skipped here, or false. */
export const skipTokens = softModule ? false : 'SoftHSM is not installed (softhsm2)';

/** User PIN of the tokens. */
export const pin = '7421-user';

/** A directory of tokens that this process's SoftHSM uses, with one token of each label. */
export class SoftTokens {
  readonly directory = mkdtempSync(join(tmpdir(), 'concordat-tokens-'));

  constructor(...labels: readonly string[]) {
    const tokens = join(this.directory, 'tokens');
    mkdirSync(tokens);
    const file = join(this.directory, 'softhsm2.conf');
    writeFileSync(file, `directories.tokendir = ${tokens}\nobjectstore.backend = file\n`);
    process.env.SOFTHSM2_CONF = file;
    for (const label of labels) {
      this.tool(['--init-token', '--free', '--label', label, '--pin', pin, '--so-pin', '00000000']);
    }
  }

  /** Runs SoftHSM's own tool. */
  tool(args: readonly string[]): void {
    const { status, stderr } = spawnSync('softhsm2-util', args, { encoding: 'utf8' });
    if (status !== 0) throw new Error(`softhsm2-util: ${stderr}`);
  }

  end(): void {
    rmSync(this.directory, { recursive: true, force: true });
    delete process.env.SOFTHSM2_CONF;
  }
}
