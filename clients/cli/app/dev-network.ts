import { mkdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Actor, ProposedAction } from '@concordat/governance';
import { createOrganisation, readIdentity, saveIdentity } from '@concordat/sdk';
import { CliError } from '../errors.ts';
import { defaultSandboxDirectory, loopback, type SandboxNode } from '../sandbox/layout.ts';
import { frontOffice, type Sandbox } from '../sandbox/sandbox.ts';
import { asMember, passProposal } from './dev-deployment.ts';
import type { Project, ProjectActor } from './project.ts';

/**
 * Where the network of `app dev` lies: where every other command looks for a sandbox by default, so
 * that all of them work on it in the application's directory.
 */
export const devDirectory = (project: Project): string =>
  join(project.directory, defaultSandboxDirectory);

/** Where an actor's curl configuration lies. */
export const curlFile = (project: Project, actor: string): string =>
  join(project.directory, '.concordat', `${actor}.curl`);

/** Base URL of a node's application port. */
export const urlOf = ({ host = loopback, ports }: SandboxNode): string =>
  `https://${host}:${ports.application}`;

/**
 * Sees to it that the network has the project's actors with their roles, and returns the names of
 * those it had not. Whoever is not named any more stays: its data does, too.
 */
export async function ensureActors(
  sandbox: Sandbox,
  actors: readonly ProjectActor[],
): Promise<readonly string[]> {
  const organisations = new Set(sandbox.nodes.map(({ organisation }) => organisation));
  const { constitution } = await asMember(sandbox, sandbox.first, (admin) => admin.constitution());
  const present = new Map(constitution.actors.map((actor) => [actor.name, actor]));
  const actions: ProposedAction[] = [];
  const added: string[] = [];
  for (const actor of actors) {
    const known = present.get(actor.name);
    if (known && hasRoles(known, actor.roles)) continue;
    const kind = organisations.has(actor.name) ? ['member', 'participant'] : ['participant'];
    if (known && organisations.has(actor.name)) {
      throw new CliError(
        'NOT_AN_APPLICATION',
        `${actor.name} is an organisation that runs a node here, so it has no roles of the application's: name the actor otherwise`,
      );
    }
    if (known) actions.push({ name: 'remove_actor', args: { actorId: known.actorId } });
    const certificate = known?.certificate ?? (await newActor(sandbox, actor.name));
    actions.push({
      name: 'add_actor',
      args: { kind, name: actor.name, certificate, roles: [...actor.roles] },
    });
    added.push(actor.name);
  }
  // A proposal has at most 64 actions, so it goes by halves of that.
  for (let at = 0; at < actions.length; at += 32) {
    await passProposal(sandbox, actions.slice(at, at + 32));
  }
  return added;
}

const hasRoles = (actor: Actor, roles: readonly string[]): boolean =>
  [...new Set(roles)].sort().join() === [...actor.roles].sort().join();

async function newActor(sandbox: Sandbox, name: string): Promise<string> {
  const files = sandbox.layout.identity(name);
  const kept = await readIdentity(files).catch(() => undefined);
  if (kept) return kept.certificatePem;
  await mkdir(join(sandbox.layout.actors, name), { recursive: true, mode: 0o700 });
  // Half of an identity is none: a start that was interrupted may have left one.
  await rm(files.keyFile, { force: true });
  await saveIdentity(createOrganisation({ name }), files);
  return (await readIdentity(files)).certificatePem;
}

/** Names whose identities the development network keeps and callers may use. */
export const callersOf = (project: Project): readonly string[] =>
  project.actors.length > 0 ? project.actors.map(({ name }) => name) : [frontOffice];

/** Writes a file for each caller with which curl calls as that one (`curl -K file URL`). */
export async function writeCurlFiles(project: Project, sandbox: Sandbox): Promise<void> {
  for (const name of callersOf(project)) {
    const { certificateFile, keyFile } = sandbox.layout.identity(name);
    const lines = [
      `# calls the development network as ${name}: curl -K this-file URL`,
      'silent',
      'show-error',
      `cacert = ${quoted(sandbox.layout.networkCertificate)}`,
      `cert = ${quoted(certificateFile)}`,
      `key = ${quoted(keyFile)}`,
      'header = "content-type: application/json"',
      '',
    ];
    await writeFile(curlFile(project, name), lines.join('\n'), { mode: 0o600 });
  }
}

/** A text as curl's configuration quotes it. */
const quoted = (text: string): string => `"${text.replace(/[\\"]/g, '\\$&')}"`;
