import {
  type Constitution,
  constitutionDigest,
  constitutionTerms,
  votingPolicyText,
} from '@concordat/governance';
import { codeTable } from './code-table.ts';
import { Names } from './constitution-names.ts';
import { actorCertificateTable, actorTable, nodeTable } from './network-tables.ts';
import { paint, renderTable, type Terminal } from './terminal.ts';

/** A constitution as somebody reads it who is to approve it. */
export function constitutionLines(
  terminal: Terminal,
  constitution: Constitution,
  known: { readonly networkId?: string; readonly leader?: string; readonly terms?: string } = {},
): string[] {
  const { name, votingPolicies, policies, adapters, codeManifest, teeManifest } = constitution;
  const names = new Names(constitution);
  const heading = (text: string): string => paint(terminal, 'bold', text);
  const members = constitution.actors.filter(({ kind }) => kind.includes('member')).length;
  const rest = restOf(constitution);
  return [
    `${heading(name)}${known.networkId ? `: network ${known.networkId}` : ''}`,
    `constitution ${constitutionDigest(constitution)}`,
    `terms        ${known.terms ?? constitutionTerms(constitution)}`,
    '',
    heading(`Actors (${members} of ${constitution.actors.length} vote)`),
    actorTable(constitution),
    heading('Certificates of actors'),
    actorCertificateTable(constitution),
    heading('Nodes'),
    nodeTable(constitution, known.leader),
    heading('Code'),
    codeTable(codeManifest),
    heading('Platforms'),
    renderTable(
      ['platform', 'rank'],
      teeManifest.map(({ platform, rank }) => [platform, String(rank)]),
    ),
    heading('Voting policies'),
    rows(
      Object.entries(votingPolicies).map(([kind, policy]) => [
        kind,
        votingPolicyText(policy, (id) => names.of(id)),
      ]),
    ),
    heading('Policies'),
    rows(Object.entries(policies).map(([policy, value]) => [policy, names.text(value)])),
    ...section(heading('Adapters'), adapters, names),
    ...Object.entries(rest).flatMap(([part, value]) => section(heading(part), value, names)),
  ];
}

/** What the constitution holds beyond the parts that are told apart. */
function restOf(constitution: Constitution): Record<string, unknown> {
  const { version, name, actors, nodes, codeManifest, teeManifest, ...others } = constitution;
  const { votingPolicies, policies, adapters, ...rest } = others;
  return rest;
}

function section(heading: string, value: unknown, names: Names): string[] {
  if (typeof value !== 'object' || value === null) return [heading, `  ${names.text(value)}`, ''];
  const entries = Object.entries(value);
  if (entries.length === 0) return [];
  const isList = Array.isArray(value);
  return [heading, rows(entries.map(([id, item]) => [isList ? '' : id, names.text(item)]))];
}

function rows(entries: readonly (readonly [string, string])[]): string {
  const width = Math.max(0, ...entries.map(([name]) => name.length));
  return entries.map(([name, text]) => `  ${name.padEnd(width)}  ${text}\n`).join('');
}
