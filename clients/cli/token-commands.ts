import { createPublicKey } from 'node:crypto';
import { type TokenKey, tokensOf } from '@concordat/pkcs11';
import { certifyOrganisation } from '@concordat/sdk';
import { type Command, required } from './command.ts';
import { CliError } from './errors.ts';
import { requireFree, writeNewPrivateFile } from './private-file.ts';
import { renderTable } from './terminal.ts';
import { tokenKeyOf, tokenOf, tokenOptions, tokenUsage } from './token-options.ts';

const tokenList: Command = {
  name: 'token list',
  summary: 'list the tokens that a PKCS#11 module shows',
  usage: '--pkcs11-module library.so [--json]',
  options: {
    'pkcs11-module': tokenOptions['pkcs11-module'],
    json: { type: 'boolean', default: false },
  },
  examples: ['token list --pkcs11-module softhsm2.so'],
  run: async (invocation) => {
    const { terminal, options } = invocation;
    const tokens = tokensOf(required(invocation, 'pkcs11-module'));
    if (options.json === true) {
      terminal.write(`${JSON.stringify(tokens)}\n`);
      return 0;
    }
    const rows = tokens.map(({ label, manufacturer, model, serial }) => {
      return [label, manufacturer, model, serial];
    });
    terminal.write(`${renderTable(['token', 'maker', 'model', 'serial'], rows)}\n`);
    return 0;
  },
};

const uses = { signing: 'sign', copies: 'agree' } as const;

const tokenGenerate: Command = {
  name: 'token generate',
  summary: 'make a key pair in a token that never leaves it: an organisation’s, or for copies',
  usage: `${tokenUsage} --pkcs11-key label --for signing|copies [--out public.pem]`,
  options: {
    ...tokenOptions,
    'pkcs11-key': { type: 'string' },
    for: { type: 'string' },
    out: { type: 'string' },
  },
  examples: ['token generate --pkcs11-module softhsm2.so --pkcs11-key organisation --for signing'],
  run: async (invocation) => {
    const { terminal, options } = invocation;
    const label = required(invocation, 'pkcs11-key');
    const purpose = required(invocation, 'for');
    if (purpose !== 'signing' && purpose !== 'copies') {
      throw new CliError('USAGE', '--for takes signing, or copies');
    }
    if (typeof options.out === 'string') requireFree(options.out);
    const token = await tokenOf(invocation);
    const pem = publicPem(token.generateKey(label, uses[purpose]));
    if (typeof options.out === 'string') await writeNewPrivateFile(options.out, pem);
    else terminal.write(pem);
    terminal.write(`Key "${label}" is in token "${token.info.label}".\n`);
    return 0;
  },
};

const tokenOrganisation: Command = {
  name: 'token organisation',
  summary: 'make the certificate of an organisation whose key is in a token',
  usage: `${tokenUsage} --pkcs11-key key --name name --out certificate.pem`,
  options: {
    ...tokenOptions,
    'pkcs11-key': { type: 'string' },
    name: { type: 'string' },
    out: { type: 'string' },
  },
  examples: [
    'token organisation --pkcs11-module softhsm2.so --pkcs11-key organisation --name dune-logistics --out dune.pem',
  ],
  run: async (invocation) => {
    const name = required(invocation, 'name');
    const out = required(invocation, 'out');
    requireFree(out);
    const key = await tokenKeyOf(invocation, 'pkcs11-key');
    await writeNewPrivateFile(out, certifyOrganisation(key, { name }));
    invocation.terminal.write(
      `Wrote ${out}. It goes into the membership list; its holder signs with --pkcs11-key.\n`,
    );
    return 0;
  },
};

function publicPem({ publicKey }: TokenKey): string {
  const [x = '', y = ''] = [publicKey.subarray(1, 33), publicKey.subarray(33)].map((half) =>
    Buffer.from(half).toString('base64url'),
  );
  const key = createPublicKey({ key: { kty: 'EC', crv: 'P-256', x, y }, format: 'jwk' });
  return key.export({ format: 'pem', type: 'spki' }) as string;
}

/** Commands about keys in tokens. */
export const tokenCommands: readonly Command[] = [tokenList, tokenGenerate, tokenOrganisation];
