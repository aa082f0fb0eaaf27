import { appendFileSync, cpSync, readFileSync, realpathSync } from 'node:fs';
import { join } from 'node:path';
import { endProcesses, frontOffice, SandboxLayout } from '@concordat/cli';
import { bundleName, measureImage } from '@concordat/host';
import { readIdentity } from '@concordat/sdk';
import { Load } from './load.ts';
import { Machine, type MachineStatus, until } from './machine.ts';
import type { CommandOptions, Stage } from './stage.ts';

/** The members that begin the network, in the order of their nodes. */
export const founders = ['aurora-bank', 'borealis-trade', 'cumulus-insurance'] as const;

/** The organisations of the story with their machines, and what they do again and again. */
export class Consortium {
  readonly stage: Stage;
  readonly layout: SandboxLayout;
  /** Nodes by name; those of the sandbox first. */
  readonly machines = new Map<string, Machine>();
  members: string[] = [...founders];
  /** The newest image of the manager, once there is another than the sandbox's. */
  managerImage: string | undefined;
  /** The proposal that the members decided last. */
  #decided: string | undefined;

  constructor(stage: Stage) {
    this.stage = stage;
    this.layout = new SandboxLayout(join(stage.directory, '.concordat/sandbox'));
  }

  /** Ends every process that the story began. */
  async end(): Promise<void> {
    for (const machine of this.machines.values()) await machine.stop();
    await this.stage.concordat(['sandbox', 'down'], { quiet: true });
  }

  /** What is shown: chapters, what happens beside the command line, and commands. */
  get shown() {
    const stage = this.stage;
    return {
      chapter: (title: string) => stage.chapter(title),
      tell: (text: string) => stage.tell(text),
      concordat: (words: readonly string[], options?: CommandOptions) =>
        stage.concordat(words, { show: isNews, ...options }),
    };
  }

  /** Makes an organisation's key and certificate. */
  async organisation(name: string, file: string): Promise<void> {
    const words = ['key', 'organisation', '--name', name];
    await this.stage.concordat([
      ...words,
      '--certificate',
      `${file}.pem`,
      '--key',
      `${file}-key.pem`,
    ]);
  }

  /** Prepares and starts a machine that is to join. */
  async machine(name: string, owner: string, file: string): Promise<Machine> {
    const machine = await Machine.prepare({
      name,
      owner,
      directory: join(this.stage.directory, file),
      networkCertificateFile: this.layout.networkCertificate,
      peers: this.peersOf(name),
      images: {
        manager: this.managerImage ?? this.layout.image('manager'),
        worker: this.layout.image('worker'),
      },
    });
    this.machines.set(name, machine);
    machine.start();
    return machine;
  }

  /** Node addresses of the other machines. */
  peersOf(name: string): string[] {
    const others = [...this.machines.values()].filter((machine) => machine.name !== name);
    return others.map(({ config }) => (config.listen as { node: string }).node);
  }

  /** Waits until the machine waits for approval, and looks at what it is shown. */
  async shownTerms(machine: Machine, file: string): Promise<{ readonly terms: string }> {
    await machine.waitFor('waits for approval', ({ phase }) => phase === 'awaiting-approval');
    const words = ['constitution', 'show', '--from', `${file}/data`];
    // The whole of it is two screens: the transcript has its identity, who votes, and how.
    const heads = /network |constitution|terms|vote\)|default|downloads|concordat node/;
    await this.stage.concordat(words, { show: (line) => heads.test(line) });
    return this.stage.ask<{ terms: string }>(words);
  }

  /** Waits until the network has refused the machine, which no vote has listed yet. */
  async tooEarly(machine: Machine): Promise<void> {
    const isRefused = ({ reason = '' }: MachineStatus): boolean => /NODE_NOT_ADMITTED/.test(reason);
    await machine.waitFor('is refused as too early', isRefused);
  }

  /** Has the operator look at the constitution that the machine is shown, and approve it. */
  async approve(machine: Machine, file: string): Promise<void> {
    const { terms } = await this.shownTerms(machine, file);
    await this.stage.concordat(['node', 'approve', terms, '--data', `${file}/data`]);
  }

  /** Has members accept the newest proposal; it must stand as the story says then. */
  async acceptLast(voters: readonly string[], expected = 'accepted'): Promise<void> {
    const id = await this.last();
    for (const voter of voters)
      await this.stage.concordat(['vote', 'accept', id, ...this.as(voter)]);
    let state = '';
    const isAsExpected = async (): Promise<boolean> => {
      ({ state } = await this.newest());
      return state === expected;
    };
    // Who is asked may not have heard of the last vote yet.
    await until(isAsExpected, `proposal ${id} is ${expected}`, () => state);
    if (expected === 'accepted') this.#decided = id;
  }

  /** The newest proposal. */
  async newest(): Promise<{ readonly proposalId: string; readonly state: string }> {
    const { proposals } = await this.stage.ask<{
      proposals: { proposalId: string; state: string }[];
    }>(['proposal', 'list', ...this.somebody]);
    return proposals.at(-1) as { proposalId: string; state: string };
  }

  /** The beginning of the newest proposal's id: another one than the members decided last. */
  async last(): Promise<string> {
    let id = '';
    const isAnother = async (): Promise<boolean> => {
      id = (await this.newest()).proposalId.slice(0, 12);
      return id !== this.#decided;
    };
    await until(isAnother, 'there is another proposal', () => id);
    return id;
  }

  /** A founder whose node is up: it asks for the script. */
  get somebody(): string[] {
    const machine = ['vn3', 'vn1'].map((name) => this.machines.get(name));
    const up = machine.find((one) => one?.status?.phase === 'running');
    return ['--as', up?.owner ?? 'cumulus-insurance'];
  }

  /** Id of the actor of that name. */
  async actorId(name: string): Promise<string> {
    const { actors } = await this.stage.ask<{ actors: { name: string; actorId: string }[] }>([
      'member',
      'list',
      ...this.somebody,
    ]);
    return actors.find((actor) => actor.name === name)?.actorId as string;
  }

  /** The node of that name in the node list. */
  async entry(name: string): Promise<{ readonly nodeId: string }> {
    const { nodes } = await this.stage.ask<{
      nodes: { name: string; nodeId: string; status: string }[];
    }>(['node', 'list', ...this.somebody]);
    const entry = nodes.find((node) => node.name === name && node.status === 'trusted');
    if (entry) return entry;
    throw new Error(`${name} is not in the node list`);
  }

  /** Options by which a member acts: at its own node. */
  as(member: string): string[] {
    const vn5 = this.machines.get('vn5');
    return member === 'dune-logistics' && vn5 ? this.with(vn5, 'dune') : ['--as', member];
  }

  /** Options of who holds these files, at a node. */
  with(machine: Machine, file: string): string[] {
    const network = '.concordat/sandbox/network.pem';
    const place = ['--address', machine.adminAddress, '--network-certificate', network];
    return [...place, '--certificate', `${file}.pem`, '--key', `${file}-key.pem`];
  }

  /** Certificate and key of the owner of a node. */
  ownerFiles(owner: string): string[] {
    const files = new Map([
      ['harbour-authority', 'harbour'],
      ['dune-logistics', 'dune'],
    ]);
    const file = files.get(owner);
    if (file) return ['--certificate', `${file}.pem`, '--key', `${file}-key.pem`];
    const { certificateFile, keyFile } = this.layout.identity(owner);
    return ['--certificate', certificateFile, '--key', keyFile];
  }

  /** Waits until the machine has its part in the network. */
  async running(machine: Machine): Promise<void> {
    await machine.waitFor('runs', ({ phase }) => phase === 'running');
    this.stage.tell(`${machine.name} runs: attested, caught up, and votes in consensus`);
  }

  /** Waits until so many members share the key that opens the ledger, and nothing of it is due. */
  async shared(holders: number): Promise<void> {
    const isShared = (): boolean => {
      const all = [...this.machines.values()].map(({ status }) => status);
      const running = all.filter((status) => status?.phase === 'running');
      return running.some(
        ({ keys } = {} as never) => keys?.holders.length === holders && !keys.ceremony && !keys.due,
      );
    };
    await until(isShared, `${holders} members share the key`);
  }

  /** Ends the host of a node that the sandbox started. */
  async stopSandboxNode(name: string): Promise<void> {
    const processes = await this.layout.readProcesses();
    const host = processes.find((one) => one.name === name);
    if (host) await endProcesses([host.pid]);
  }

  /** The next version of the manager's image: other code by its measurement, by a comment. */
  async newImage(): Promise<{ image: string; measurement: string; old: string }> {
    const before = this.layout.image('manager');
    const image = join(this.stage.directory, 'images/manager-0.1.1');
    cpSync(before, image, { recursive: true });
    appendFileSync(join(image, bundleName), '\n// 0.1.1\n');
    const runtime = realpathSync(process.execPath);
    const [{ measurement }, { measurement: old }] = await Promise.all([
      measureImage(image, runtime),
      measureImage(before, runtime),
    ]);
    this.managerImage = image;
    return { image, measurement, old };
  }

  /** Begins an application's ordinary work. */
  async load(): Promise<Load> {
    return new Load({
      nodes: [...this.machines.values()].map(({ adminAddress }) => adminAddress),
      networkCertificate: readFileSync(this.layout.networkCertificate, 'utf8'),
      identity: await readIdentity(this.layout.identity(frontOffice)),
    });
  }
}

/** What a command says goes on next is the same each time. */
const isNews = (line: string): boolean => !/^ {2}concordat (proposal show|vote accept) /.test(line);

/** Signs the node of a machine with its owner's key. */
export const tupleOf = (file: string): string[] => [
  'node',
  'tuple',
  `${file}/data/status.json`,
  '--certificate',
  `${file}.pem`,
  '--key',
  `${file}-key.pem`,
];
