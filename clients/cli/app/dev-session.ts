import { explain } from '../errors.ts';
import type { Sandbox } from '../sandbox/sandbox.ts';
import { formatMs, paint, type Terminal } from '../terminal.ts';
import { type BuiltApplication, buildApplication } from './build.ts';
import { deployToDevNetwork, hasApplication } from './dev-deployment.ts';
import { ensureActors, writeCurlFiles } from './dev-network.ts';
import { type Project, readProject } from './project.ts';
import { changesIn } from './source-watch.ts';
import { describeFault, type SourceFault } from './type-check.ts';

/** Lines of faults that are shown; more of them say nothing more. */
const maxFaults = 20;

/** An application under development on its network: built and deployed again with each save. */
export class DevSession {
  readonly #sandbox: Sandbox;
  readonly #terminal: Terminal;
  #project: Project;
  #deployed: BuiltApplication | undefined;
  /** A version of an earlier session is one, too. */
  #hasVersion = false;
  #beside: readonly SourceFault[] = [];

  constructor(project: Project, sandbox: Sandbox, terminal: Terminal) {
    this.#project = project;
    this.#sandbox = sandbox;
    this.#terminal = terminal;
  }

  /** What runs now; undefined until there was a version without faults. */
  get deployed(): BuiltApplication | undefined {
    return this.#deployed;
  }

  /** Builds what lies in the directory and deploys it; what is wrong with it, if anything is. */
  async deploy(signal: AbortSignal): Promise<readonly SourceFault[]> {
    const built = await buildApplication(this.#project, signal);
    this.#hasVersion ||= await hasApplication(this.#sandbox);
    if (signal.aborted) return [];
    if ('faults' in built) return built.faults;
    this.#beside = built.beside;
    if (built.version === this.#deployed?.version) return [];
    const refused = await deployToDevNetwork(this.#sandbox, built.bundle);
    if (refused) return [refused];
    this.#deployed = built;
    return [];
  }

  /** Follows the directory until the signal; what fails is told and waits for the next save. */
  async follow(signal: AbortSignal): Promise<void> {
    for await (const changed of changesIn(this.#project.directory, signal)) {
      const startedMs = performance.now();
      const before = this.#deployed?.version;
      try {
        if (changed.includes('package.json')) await this.#renew();
        const faults = await this.deploy(signal);
        if (signal.aborted) return;
        if (faults.length > 0) {
          this.tell(faults);
          continue;
        }
      } catch (error) {
        if (signal.aborted) return;
        this.#say(`${paint(this.#terminal, 'red', '✗')} ${explain(error)}`);
        continue;
      }
      const same = before === this.#deployed?.version;
      const took = formatMs(performance.now() - startedMs);
      const what = changed.length === 1 ? changed[0] : `${changed.length} files`;
      const mark = paint(this.#terminal, 'green', '✓');
      this.#say(`${mark} ${what}: ${same ? 'nothing to deploy' : 'reloaded'} in ${took}`);
      this.tellBeside();
    }
  }

  /** The actors of its package.json may be others now. */
  async #renew(): Promise<void> {
    this.#project = await readProject(this.#project.directory);
    const added = await ensureActors(this.#sandbox, this.#project.actors);
    await writeCurlFiles(this.#project, this.#sandbox);
    if (added.length > 0) this.#say(`  ${added.join(', ')} may call now`);
  }

  /** Says what is wrong, as `file:line:column`, and what runs meanwhile. */
  tell(faults: readonly SourceFault[]): void {
    const rest = this.#hasVersion ? 'the version before goes on' : 'nothing is deployed yet';
    this.#list(`${paint(this.#terminal, 'red', '✗')} ${countOf(faults)}; ${rest}`, faults);
  }

  /** Says what is wrong with files that are no part of the application. */
  tellBeside(): void {
    if (this.#beside.length === 0) return;
    this.#list(`  ${countOf(this.#beside)} in files beside the application`, this.#beside);
  }

  #list(heading: string, faults: readonly SourceFault[]): void {
    const shown = faults.slice(0, maxFaults).map((fault) => `    ${describeFault(fault)}`);
    if (faults.length > maxFaults) shown.push(`    … and ${faults.length - maxFaults} more`);
    this.#say([heading, ...shown].join('\n'));
  }

  #say(text: string): void {
    const time = paint(this.#terminal, 'dim', new Date().toTimeString().slice(0, 8));
    this.#terminal.write(`  ${time} ${text}\n`);
  }
}

const countOf = ({ length }: readonly SourceFault[]): string =>
  length === 1 ? 'one fault' : `${length} faults`;
