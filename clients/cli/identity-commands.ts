import { readFile } from 'node:fs/promises';
import { CryptoError, parseRevocationList, type RevocationList } from '@concordat/crypto';
import {
  issueOrganisationRevocations,
  renewOrganisation,
  revocationAction,
  saveIdentity,
  serialOf,
} from '@concordat/sdk';
import { fromBase64, isHex64, toBase64 } from '@concordat/std';
import { readCertificateFile } from './certificate-file.ts';
import { type Command, type Invocation, required } from './command.ts';
import { identityOf } from './connection-options.ts';
import { CliError } from './errors.ts';
import { actorNamed, nameGiven } from './member-commands.ts';
import { print } from './output.ts';
import { requireFree, writeNewPrivateFile } from './private-file.ts';
import { propose, proposingDetails, proposingOptions, proposingUsage } from './proposing.ts';
import { tokenOptions, tokenUsage } from './token-options.ts';

const renew: Command = {
  name: 'key renew',
  summary: 'make an organisation’s next certificate, over a new key or the one it has',
  usage: '--certificate file --key file --new-certificate file [--new-key file]',
  options: {
    certificate: { type: 'string' },
    key: { type: 'string' },
    'new-certificate': { type: 'string' },
    'new-key': { type: 'string' },
  },
  details: `Without --new-key the key stays, and so do the certificates of staff below the earlier one. Bring it in by
"member renew". A key in a token is certified anew by "token organisation".`,
  examples: [
    'key renew --certificate aurora.pem --key aurora-key.pem --new-certificate aurora-2027.pem --new-key aurora-2027-key.pem',
  ],
  run: async (invocation) => {
    const organisation = await identityOf(invocation);
    const certificateFile = required(invocation, 'new-certificate');
    const { 'new-key': keyFile } = invocation.options;
    requireFree(certificateFile);
    const renewed = renewOrganisation(organisation, { sameKey: keyFile === undefined });
    if (typeof keyFile === 'string') await saveIdentity(renewed, { certificateFile, keyFile });
    else await writeNewPrivateFile(certificateFile, renewed.certificatePem);
    const about = typeof keyFile === 'string' ? ` and ${keyFile} (keep it secret)` : '';
    invocation.terminal.write(
      `Wrote ${certificateFile}${about}.\n  concordat member renew ${organisation.name} ${certificateFile}\n`,
    );
    return 0;
  },
};

const revoke: Command = {
  name: 'key revoke',
  summary: 'write an organisation’s revocation list: certificates of staff it takes back',
  usage: `<certificate.pem | serial number>... [--previous list.crl] [--days 30] --issuer-certificate file (--issuer-key file | --pkcs11-key key ${tokenUsage}) --out list.crl [--json]`,
  positionals: 256,
  options: {
    'issuer-certificate': { type: 'string' },
    'issuer-key': { type: 'string' },
    ...tokenOptions,
    'pkcs11-key': { type: 'string' },
    previous: { type: 'string' },
    days: { type: 'string', default: '30' },
    out: { type: 'string' },
    json: { type: 'boolean', default: false },
  },
  details: `A list replaces the one before: --previous takes over whom that names, and its number plus one. It is in
force once members have voted for it ("member revoke").`,
  examples: [
    'key revoke ann.pem --previous dune-6.crl --issuer-certificate dune.pem --issuer-key dune-key.pem --out dune-7.crl',
  ],
  run: async (invocation) => {
    const { positionals, options } = invocation;
    const out = required(invocation, 'out');
    requireFree(out);
    const issuer = { certificate: 'issuer-certificate', key: 'issuer-key' };
    const organisation = await identityOf(invocation, issuer);
    const given = await Promise.all(positionals.map(serialGiven));
    const { previous } = options;
    const before = typeof previous === 'string' ? (await readList(previous)).list : undefined;
    const serials = [...new Set([...(before?.revoked ?? []), ...given])];
    const der = issueOrganisationRevocations(organisation, {
      serials,
      validDays: daysOf(invocation),
      ...(before && { number: before.number + 1n }),
    });
    await writeNewPrivateFile(out, pemOf(der));
    const { number, nextUpdateMs } = parseRevocationList(der);
    const due = new Date(nextUpdateMs).toISOString();
    print(invocation, { file: out, number: String(number), revoked: serials.length, due }, [
      `Wrote ${out}: list ${number}, ${serials.length} revoked; the next is due by ${due}.`,
      `  concordat member revoke ${organisation.name} ${out}`,
    ]);
    return 0;
  },
};

const bringIn: Command = {
  name: 'member revoke',
  summary: 'propose the revocation list of an organisation: whom it names is cut off at the commit',
  usage: `<name | id> <list.crl> [--authority chain.pem] ${proposingUsage}`,
  positionals: 2,
  options: { ...proposingOptions, authority: { type: 'string' } },
  details: `The list is PEM or DER. Where an authority below the organisation's certificate signed it, --authority gives
its certificate and those between. ${proposingDetails}`,
  examples: ['member revoke dune-logistics dune-7.crl --vote --as aurora-bank'],
  run: async (invocation) => {
    const given = nameGiven(invocation, 'the organisation');
    const [, file] = invocation.positionals;
    if (file === undefined) throw new CliError('USAGE', 'name the file of the list');
    const { list } = await readList(file);
    const { authority } = invocation.options;
    const chain = typeof authority === 'string' ? await readFile(authority, 'utf8') : undefined;
    return propose(invocation, async (context) => {
      const actorId = isHex64(given) ? given : (await actorNamed(context, given)).actorId;
      const { name, args } = revocationAction(actorId, list.der);
      return [{ name, args: { ...args, ...(chain !== undefined && { authority: chain }) } }];
    });
  },
};

/** A serial number in hex, or that of a certificate in a file. */
async function serialGiven(given: string): Promise<string> {
  if (/^([0-9a-f]{2}:?){1,20}$/i.test(given)) return given.replaceAll(':', '').toLowerCase();
  return serialOf((await readCertificateFile(given)).der);
}

function daysOf({ options: { days } }: Invocation): number {
  const count = Number(days);
  if (Number.isInteger(count) && count >= 1 && count <= 3_650) return count;
  throw new CliError('USAGE', '--days takes a number from 1 to 3650');
}

const [begin, end] = ['-----BEGIN X509 CRL-----', '-----END X509 CRL-----'];

const pemOf = (der: Uint8Array): string =>
  `${begin}\n${(toBase64(der).match(/.{1,64}/g) ?? []).join('\n')}\n${end}\n`;

async function readList(file: string): Promise<{ readonly list: RevocationList }> {
  const bytes = await readFile(file);
  const text = bytes.toString('latin1');
  const body = text.includes(begin) ? text.split(begin)[1]?.split(end)[0] : undefined;
  const der = body === undefined ? bytes : fromBase64(body.replaceAll(/\s/g, ''));
  try {
    if (der) return { list: parseRevocationList(der) };
  } catch (error) {
    if (!(error instanceof CryptoError)) throw error;
    throw new CliError('USAGE', `${file} is no revocation list: ${error.message}`);
  }
  throw new CliError('USAGE', `${file} holds no revocation list`);
}

/** Commands about the certificates of organisations and their staff. */
export const identityCommands: readonly Command[] = [renew, revoke, bringIn];
