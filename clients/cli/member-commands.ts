import { certificateFingerprint, subjectOf } from '@concordat/crypto';
import type { Actor } from '@concordat/governance';
import { isHex64 } from '@concordat/std';
import { readCertificateFile } from './certificate-file.ts';
import type { Command, Invocation } from './command.ts';
import { connect, connectionOptions, connectionUsage } from './connection-options.ts';
import { CliError } from './errors.ts';
import { actorTable } from './network-tables.ts';
import { print } from './output.ts';
import {
  type ProposingContext,
  propose,
  proposingDetails,
  proposingOptions,
  proposingUsage,
} from './proposing.ts';

const list: Command = {
  name: 'member list',
  summary: 'list the members and participants',
  usage: connectionUsage,
  options: connectionOptions,
  examples: ['member list', 'member list --json'],
  run: async (invocation) => {
    const { admin } = await connect(invocation);
    const { constitution } = await admin.constitution().finally(() => admin.close());
    print(invocation, { actors: constitution.actors }, [actorTable(constitution)]);
    return 0;
  },
};

const add: Command = {
  name: 'member add',
  summary: 'propose an organisation as a member, a participant, or both',
  usage: `<certificate.pem> [--name name] [--kind member,participant] [--role role ...] ${proposingUsage}`,
  positionals: 1,
  options: {
    ...proposingOptions,
    name: { type: 'string' },
    kind: { type: 'string', default: 'member,participant' },
    role: { type: 'string', multiple: true },
  },
  details: `Without --name it is named as its certificate is. ${proposingDetails}`,
  examples: [
    'member add dune.pem --vote --as aurora-bank',
    'member add shop.pem --name corner-shop --kind participant --as aurora-bank',
  ],
  run: async (invocation) => {
    const { options, positionals } = invocation;
    const [file] = positionals;
    if (file === undefined) throw new CliError('USAGE', 'name the file of its certificate');
    const { pem: certificate, der } = await readCertificateFile(file);
    const kind = String(options.kind).split(',').sort();
    if (kind.some((one) => one !== 'member' && one !== 'participant')) {
      throw new CliError('USAGE', '--kind takes member, participant, or both with a comma');
    }
    const { commonName } = subjectOf(der);
    const name = typeof options.name === 'string' ? options.name : commonName;
    const roles = [...((options.role as readonly string[] | undefined) ?? [])].sort();
    const args = { kind, name, certificate, roles };
    return propose(invocation, async () => [{ name: 'add_actor', args }]);
  },
};

const remove: Command = {
  name: 'member remove',
  summary: 'propose to remove an organisation and its nodes; it is cut off when the vote commits',
  usage: `<name | id or its beginning> ${proposingUsage}`,
  positionals: 1,
  options: proposingOptions,
  details: proposingDetails,
  examples: ['member remove corner-shop --vote --as aurora-bank'],
  run: async (invocation) => {
    const given = nameGiven(invocation, 'the organisation');
    return propose(invocation, async (context) => {
      const actorId = isHex64(given) ? given : (await actorNamed(context, given)).actorId;
      return [{ name: 'remove_actor', args: { actorId } }];
    });
  },
};

const renew: Command = {
  name: 'member renew',
  summary:
    'propose another certificate for an organisation: both are good until the earlier one ends',
  usage: `<name | id> <certificate.pem> [--until 2027-01-31] ${proposingUsage}`,
  positionals: 2,
  options: { ...proposingOptions, until: { type: 'string' } },
  details: `The organisation keeps its id, and whoever connects with the earlier certificate goes on. Once nobody uses
it any more "member retire" takes it out; --until does so by itself, at the beginning of that day (UTC). ${proposingDetails}`,
  examples: ['member renew aurora-bank aurora-2027.pem --until 2027-01-31 --vote --as aurora-bank'],
  run: async (invocation) => {
    const given = nameGiven(invocation, 'the organisation');
    const [, file] = invocation.positionals;
    if (file === undefined) throw new CliError('USAGE', 'name the file of its new certificate');
    const { pem: certificate } = await readCertificateFile(file);
    const earlierUntilSeconds = untilOf(invocation);
    return propose(invocation, async (context) => {
      const actorId = isHex64(given) ? given : (await actorNamed(context, given)).actorId;
      const until = earlierUntilSeconds !== undefined && { earlierUntilSeconds };
      return [{ name: 'add_actor_certificate', args: { actorId, certificate, ...until } }];
    });
  },
};

function untilOf({ options: { until } }: Invocation): number | undefined {
  if (until === undefined) return undefined;
  const atMs = Date.parse(String(until));
  if (Number.isFinite(atMs)) return Math.floor(atMs / 1_000);
  throw new CliError('USAGE', '--until takes a day, like 2027-01-31, or a time in ISO 8601');
}

const retire: Command = {
  name: 'member retire',
  summary: 'propose that a certificate of an organisation be good no more; it has others',
  usage: `<name | id> <certificate.pem | fingerprint> ${proposingUsage}`,
  positionals: 2,
  options: proposingOptions,
  details: proposingDetails,
  examples: ['member retire aurora-bank aurora-2026.pem --vote --as aurora-bank'],
  run: async (invocation) => {
    const given = nameGiven(invocation, 'the organisation');
    const [, which] = invocation.positionals;
    if (which === undefined) throw new CliError('USAGE', 'name the certificate');
    const fingerprint = isHex64(which)
      ? which
      : certificateFingerprint((await readCertificateFile(which)).der);
    return propose(invocation, async (context) => {
      const actorId = isHex64(given) ? given : (await actorNamed(context, given)).actorId;
      return [{ name: 'remove_actor_certificate', args: { actorId, fingerprint } }];
    });
  },
};

/** What a command is about. @throws CliError USAGE */
export function nameGiven({ positionals: [given] }: Invocation, what: string): string {
  if (given) return given;
  throw new CliError('USAGE', `name ${what}: its name, or its id`);
}

/** The actor of that name, or whose id begins so. @throws CliError USAGE */
export async function actorNamed(
  { constitution }: ProposingContext,
  given: string,
): Promise<Actor> {
  const { actors } = await constitution();
  return oneNamed(actors, given, {
    what: 'actor',
    nameOf: ({ name }) => name,
    idOf: ({ actorId }) => actorId,
  });
}

/** The one entry of that name, else the one whose id begins so. @throws CliError USAGE */
export function oneNamed<Entry>(
  entries: readonly Entry[],
  given: string,
  how: {
    readonly what: string;
    readonly nameOf: (entry: Entry) => string;
    readonly idOf: (entry: Entry) => string;
  },
): Entry {
  const { what, nameOf, idOf } = how;
  const named = entries.filter((entry) => nameOf(entry) === given);
  const begun = entries.filter((entry) => idOf(entry).startsWith(given));
  const found = named.length > 0 ? named : given === '' ? [] : begun;
  if (found.length === 1) return found[0] as Entry;
  if (found.length > 1) {
    const ids = found.map((entry) => idOf(entry)).join(', ');
    throw new CliError('USAGE', `more than one ${what} is "${given}": give the id, one of ${ids}`);
  }
  const names = entries.map(nameOf).join(', ');
  throw new CliError('USAGE', `there is no ${what} "${given}", only ${names}`);
}

/** Commands about the membership list. */
export const memberCommands: readonly Command[] = [list, add, renew, retire, remove];
