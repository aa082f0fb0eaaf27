/** Packs the folder `GeneralStateTests` of `ethereum/tests` into the one file that tests read. */
import { globSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { brotliCompressSync, constants } from 'node:zlib';

type Json = Record<string, unknown>;
interface Packed {
  _info?: unknown;
  readonly transaction: Json;
  readonly post: Record<string, Json[]>;
}

const [folder, output] = process.argv.slice(2);
if (folder === undefined || output === undefined) {
  process.stderr.write('usage: pack-state-tests.ts <GeneralStateTests> <output>\n');
  process.exit(1);
}
const lines: string[] = [];
for (const path of globSync('**/*.json', { cwd: folder }).sort()) {
  const tests = JSON.parse(readFileSync(join(folder, path), 'utf8')) as Record<string, Packed>;
  for (const name of Object.keys(tests).sort()) {
    const test = tests[name] as Packed;
    delete test._info;
    delete test.transaction.secretKey;
    for (const one of Object.values(test.post).flat()) {
      if (!`${one.expectException}`.includes('RLP_INVALID_VALUE')) delete one.txbytes;
    }
    lines.push(JSON.stringify([path.slice(0, -'.json'.length), name, test]));
  }
}
const text = Buffer.from(lines.join('\n'));
const params = {
  [constants.BROTLI_PARAM_LGWIN]: constants.BROTLI_MAX_WINDOW_BITS,
  [constants.BROTLI_PARAM_SIZE_HINT]: text.length,
};
writeFileSync(output, brotliCompressSync(text, { params }));
