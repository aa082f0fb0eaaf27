import { appendFileSync, cpSync, readFileSync, realpathSync, writeFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import { endProcesses, frontOffice, SandboxLayout } from '@concordat/cli';
import { type Constitution, constitutionTerms } from '@concordat/governance';
import { bundleName, measureImage } from '@concordat/host';
import { readIdentity } from '@concordat/sdk';
import { Load } from './load.ts';
import { Machine, type MachineStatus, until } from './machine.ts';
import type { CommandOptions, Stage } from './stage.ts';

/** The members that begin the network, in the order of their nodes. */
const founders = ['aurora-bank', 'borealis-trade', 'cumulus-insurance'] as const;

/** Exit status of a command that the network refused. */
const refused = 3;

/** What the story comes to. */
export interface Life {
  /** Writes that were acknowledged while five nodes were upgraded, one after the other. */
  readonly writes: number;
  /** The longest time in which no write was answered meanwhile, milliseconds. */
  readonly longestGapMs: number;
}

/** The life of a consortium, from its genesis to an auditor's report, as its members type it. */
export class ConsortiumLife {
  readonly #stage: Stage;
  readonly #layout: SandboxLayout;
  /** Nodes by name; those of the sandbox first. */
  readonly #machines = new Map<string, Machine>();
  #members: string[] = [...founders];
  /** The newest image of the manager, once there is another than the sandbox's. */
  #managerImage: string | undefined;

  constructor(stage: Stage) {
    this.#stage = stage;
    this.#layout = new SandboxLayout(join(stage.directory, '.concordat/sandbox'));
  }

  /** Tells it all. @throws Error when anything comes out otherwise */
  async play(): Promise<Life> {
    await this.#genesis();
    await this.#participant();
    await this.#newMember();
    const life = await this.#upgrade();
    await this.#votingPolicy();
    await this.#automaticAdmission();
    await this.#rollOver();
    await this.#removal();
    await this.#audit();
    return life;
  }

  /** Ends every process that the story began. */
  async end(): Promise<void> {
    for (const machine of this.#machines.values()) await machine.stop();
    await this.#stage.concordat(['sandbox', 'down'], { quiet: true });
  }

  async #genesis(): Promise<void> {
    const { chapter, concordat } = this.#shown;
    chapter('Three members begin');
    await concordat(['sandbox', 'up', '--nodes', '3'], {
      show: (line) => /began|voted|caught/.test(line),
    });
    await concordat(['member', 'list']);
    for (const [at, owner] of founders.entries()) {
      const name = `vn${at + 1}`;
      const configFile = this.#layout.nodeConfig(name);
      const dataDirectory = this.#layout.nodeData(name);
      this.#machines.set(name, new Machine({ name, owner, configFile, dataDirectory }));
    }
    await this.#shared(3);
  }

  async #participant(): Promise<void> {
    const { chapter, concordat, tell } = this.#shown;
    chapter('A participant, and its validating node');
    await this.#organisation('harbour-authority', 'harbour');
    await concordat([
      'member',
      'add',
      'harbour.pem',
      '--kind',
      'participant',
      '--vote',
      '--as',
      'aurora-bank',
    ]);
    await this.#acceptLast(['borealis-trade']);
    tell('its machine starts; too early: it asks again until the members have voted');
    const machine = await this.#machine('vn4', 'harbour-authority', 'harbour');
    await this.#tooEarly(machine);
    await concordat([...tupleOf('harbour'), '--output', 'harbour/tuple.json']);
    await concordat(['node', 'add', 'harbour/tuple.json', '--vote', '--as', 'aurora-bank']);
    await this.#acceptLast(['borealis-trade']);
    tell('now it is shown the constitution, and downloads nothing before that is approved');
    await this.#approve(machine, 'harbour');
    await this.#running(machine);
    tell('a participant transacts and runs a node; it does not vote');
    await concordat(
      ['proposal', 'create', 'begin_epoch', '{}', ...this.#with(machine, 'harbour')],
      { status: refused },
    );
  }

  async #newMember(): Promise<void> {
    const { chapter, concordat, tell } = this.#shown;
    chapter('A new member, who refuses the constitution, then approves it');
    await this.#organisation('dune-logistics', 'dune');
    const machine = await this.#machine('vn5', 'dune-logistics', 'dune');
    await this.#tooEarly(machine);
    await concordat([...tupleOf('dune'), '--output', 'dune/tuple.json']);
    tell('actor and node in one proposal');
    const file = (name: string) => join(this.#stage.directory, name);
    const certificate = readFileSync(file('dune.pem'), 'utf8');
    const actor = {
      kind: ['member', 'participant'],
      name: 'dune-logistics',
      certificate,
      roles: [],
    };
    const [node] = JSON.parse(readFileSync(file('dune/tuple.json'), 'utf8')) as [unknown];
    const both = [{ name: 'add_actor', args: actor }, node];
    writeFileSync(file('dune/both.json'), JSON.stringify(both));
    await concordat(['proposal', 'create', 'dune/both.json', '--vote', '--as', 'aurora-bank']);
    await this.#acceptLast(['cumulus-insurance']);
    this.#members.push('dune-logistics');
    const { terms } = await this.#shownTerms(machine, 'dune');
    await concordat(['node', 'refuse', terms, '--data', 'dune/data']);
    await until(() => !machine.runs, 'the refused node has ended');
    tell('its host has ended, and downloaded nothing; dune-logistics thinks again');
    const refusedNode = machine.status?.nodeId as string;
    machine.start();
    await this.#tooEarly(machine);
    tell('a node that starts again is a new one: it takes the place of the first by vote');
    await concordat([...tupleOf('dune'), '--output', 'dune/tuple.json'], { quiet: true });
    const [again] = JSON.parse(readFileSync(file('dune/tuple.json'), 'utf8')) as [unknown];
    const instead = [{ name: 'remove_node', args: { nodeId: refusedNode } }, again];
    writeFileSync(file('dune/again.json'), JSON.stringify(instead));
    await concordat(['proposal', 'create', 'dune/again.json', '--vote', '--as', 'aurora-bank']);
    await this.#acceptLast(['borealis-trade', 'cumulus-insurance']);
    await this.#approve(machine, 'dune');
    await this.#running(machine);
    await this.#shared(4);
    tell(
      'as a member it acknowledges the constitution in force with its signature, for the record',
    );
    const shown = await this.#stage.ask<Constitution>(['constitution', 'show', ...this.#somebody]);
    const own = this.#as('dune-logistics');
    await concordat(['constitution', 'acknowledge', constitutionTerms(shown), ...own]);
    await concordat(['node', 'list']);
  }

  async #upgrade(): Promise<Life> {
    const { chapter, concordat, tell } = this.#shown;
    chapter('New code, node by node, under load');
    const { image, measurement, old } = await this.#newImage();
    await concordat([
      'code',
      'add',
      measurement,
      '--role',
      'manager',
      '--name',
      'manager',
      '--version',
      '0.1.1',
      '--vote',
      '--as',
      'aurora-bank',
    ]);
    await this.#acceptLast(['borealis-trade', 'cumulus-insurance']);
    const load = await this.#load();
    for (const machine of this.#machines.values()) await this.#replace(machine, image);
    await load.end();
    const longestGapMs = Math.round(load.longestGapMs);
    tell(
      `${load.written.size} writes meanwhile: none failed, none is lost; longest wait ${longestGapMs} ms`,
    );
    await concordat(['code', 'remove', old, '--vote', '--as', 'borealis-trade']);
    await this.#acceptLast(['aurora-bank', 'cumulus-insurance']);
    await concordat(['code', 'list']);
    return { writes: load.written.size, longestGapMs };
  }

  /** One node is stopped, started with another image, and voted in its own place. */
  async #replace(machine: Machine, image: string): Promise<void> {
    const { concordat, tell } = this.#shown;
    const { name, owner } = machine;
    const others = this.#members.filter((member) => member !== owner);
    tell(`${owner} stops ${name} and starts it with the new image`);
    const { nodeId } = await this.#entry(name);
    if (founders.includes(owner as never)) await this.#stopSandboxNode(name);
    await machine.stop();
    machine.configure({
      mode: 'join',
      approve: 'any',
      networkCertificateFile: this.#layout.networkCertificate,
      peers: this.#peersOf(name),
      manager: { image },
    });
    machine.start();
    await machine.waitFor(
      'has a node',
      (status) => status.nodeId !== nodeId && /NODE_NOT_ADMITTED/.test(status.reason ?? ''),
    );
    const identity = this.#ownerFiles(owner);
    await concordat(
      [
        'node',
        'tuple',
        join(machine.dataDirectory, 'status.json'),
        ...identity,
        '--output',
        `${name}.json`,
      ],
      { quiet: true },
    );
    const [node] = JSON.parse(
      readFileSync(join(this.#stage.directory, `${name}.json`), 'utf8'),
    ) as [unknown];
    const actions = [{ name: 'remove_node', args: { nodeId } }, node];
    writeFileSync(join(this.#stage.directory, `${name}-upgrade.json`), JSON.stringify(actions));
    const [proposer, ...voters] = others;
    await concordat([
      'proposal',
      'create',
      `${name}-upgrade.json`,
      '--vote',
      ...this.#as(proposer as string),
    ]);
    await this.#acceptLast(voters.slice(0, 2));
    await this.#running(machine);
    // The new code could not read the member's old share: it is dealt anew before the next one goes.
    await this.#shared(this.#members.length);
  }

  async #votingPolicy(): Promise<void> {
    const { chapter, concordat, tell } = this.#shown;
    chapter('Another voting policy, and the next vote judged by it');
    const aurora = await this.#actorId('aurora-bank');
    const policy = {
      kind: 'all-of',
      policies: [
        { kind: 'percentage', percent: 75 },
        { kind: 'subset', members: [aurora], policy: { kind: 'unanimous' } },
      ],
    };
    const words = ['constitution', 'voting', 'default', JSON.stringify(policy)];
    await concordat([...words, '--vote', '--as', 'borealis-trade']);
    tell('a majority was agreed at the genesis, and judges its own end');
    await this.#acceptLast(['cumulus-insurance', 'dune-logistics']);
    await concordat([
      'constitution',
      'set',
      'maxBatchDelayMs',
      '3',
      '--vote',
      '--as',
      'borealis-trade',
    ]);
    await this.#acceptLast(['cumulus-insurance', 'dune-logistics'], 'open');
    tell('three of four are 75 %, and aurora-bank is not among them');
    await this.#acceptLast(['aurora-bank']);
  }

  async #automaticAdmission(): Promise<void> {
    const { chapter, concordat, tell } = this.#shown;
    chapter('A second node, admitted without a vote by hand');
    const rules = await Promise.all(
      this.#members.map(async (member) => ({
        name: 'set_automation_rule',
        args: {
          name: `own-nodes-${member}`,
          member: await this.#actorId(member),
          kinds: ['add_node'],
          ownNodes: true,
          maxNodes: 2,
        },
      })),
    );
    writeFileSync(join(this.#stage.directory, 'rules.json'), JSON.stringify(rules));
    tell('each member lets a rule vote for it: own nodes of a member, two at most');
    await concordat(['proposal', 'create', 'rules.json', '--vote', '--as', 'aurora-bank']);
    await this.#acceptLast(['borealis-trade', 'cumulus-insurance', 'dune-logistics']);
    const machine = await this.#machine('vn6', 'aurora-bank', 'aurora');
    await this.#tooEarly(machine);
    const { certificateFile, keyFile } = this.#layout.identity('aurora-bank');
    const first = this.#machines.get('vn1') as Machine;
    await concordat([
      'node',
      'add',
      'aurora/data/status.json',
      '--address',
      first.adminAddress,
      '--network-certificate',
      '.concordat/sandbox/network.pem',
      '--certificate',
      relative(this.#stage.directory, certificateFile),
      '--key',
      relative(this.#stage.directory, keyFile),
    ]);
    await this.#approve(machine, 'aurora');
    await this.#running(machine);
    await concordat(['proposal', 'show', await this.#last()]);
  }

  async #rollOver(): Promise<void> {
    const { chapter, concordat, tell } = this.#shown;
    chapter('borealis-trade rolls its certificate over');
    const { certificateFile, keyFile } = this.#layout.identity('borealis-trade');
    const [certificate, key] = [certificateFile, keyFile].map((file) =>
      relative(this.#stage.directory, file),
    ) as [string, string];
    await concordat([
      ...['key', 'renew', '--certificate', certificate, '--key', key],
      ...['--new-certificate', 'borealis-2.pem', '--new-key', 'borealis-2-key.pem'],
    ]);
    const renewal = ['member', 'renew', 'borealis-trade', 'borealis-2.pem'];
    await concordat([...renewal, '--vote', '--as', 'borealis-trade']);
    await this.#acceptLast(['aurora-bank', 'cumulus-insurance']);
    tell('both certificates are good; with the new one it takes the old one out');
    const own = this.#with(this.#machines.get('vn2') as Machine, 'borealis-2');
    await concordat(['member', 'retire', 'borealis-trade', certificate, '--vote', ...own]);
    await this.#acceptLast(['aurora-bank', 'cumulus-insurance']);
    tell('the old one is nobody’s now');
    await concordat(['network', 'show', '--as', 'borealis-trade'], { status: refused });
    await concordat(['network', 'show', ...own], { show: (line) => /network|view/.test(line) });
  }

  async #removal(): Promise<void> {
    const { chapter, concordat, tell } = this.#shown;
    chapter('A member is removed, and cut off');
    const machine = this.#machines.get('vn5') as Machine;
    const before = this.#with(this.#machines.get('vn1') as Machine, 'dune');
    await concordat(['node', 'list', ...before], { quiet: true });
    await concordat(['member', 'remove', 'dune-logistics', '--vote', '--as', 'aurora-bank']);
    const own = this.#with(this.#machines.get('vn2') as Machine, 'borealis-2');
    await this.#acceptLast(['cumulus-insurance'], 'open');
    await concordat(['vote', 'accept', await this.#last(), ...own]);
    this.#members = this.#members.filter((member) => member !== 'dune-logistics');
    tell('its certificate is refused from the deciding vote on, and its node has no part any more');
    await concordat(['network', 'show', ...before], { status: refused });
    await machine.waitFor('has no part any more', ({ phase }) => phase !== 'running');
    await this.#shared(3);
    await concordat(['member', 'list']);
  }

  async #audit(): Promise<void> {
    const { chapter, concordat } = this.#shown;
    chapter('An auditor replays and counts all of it again, from the files of one node');
    // The report has a table of every organisation, node, epoch, ceremony and proposal as well.
    await concordat(['audit', 'verify', 'vn3'], {
      show: (line) => /^ {2}(blocks|transactions|epochs|proposals) |✓|examined|defect/.test(line),
    });
  }

  get #shown() {
    const stage = this.#stage;
    return {
      chapter: (title: string) => stage.chapter(title),
      tell: (text: string) => stage.tell(text),
      concordat: (words: readonly string[], options?: CommandOptions) =>
        stage.concordat(words, { show: isNews, ...options }),
    };
  }

  /** Makes an organisation's key and certificate. */
  async #organisation(name: string, file: string): Promise<void> {
    const words = ['key', 'organisation', '--name', name];
    await this.#stage.concordat([
      ...words,
      '--certificate',
      `${file}.pem`,
      '--key',
      `${file}-key.pem`,
    ]);
  }

  /** Prepares and starts a machine that is to join. */
  async #machine(name: string, owner: string, file: string): Promise<Machine> {
    const machine = await Machine.prepare({
      name,
      owner,
      directory: join(this.#stage.directory, file),
      networkCertificateFile: this.#layout.networkCertificate,
      peers: this.#peersOf(name),
      images: {
        manager: this.#managerImage ?? this.#layout.image('manager'),
        worker: this.#layout.image('worker'),
      },
    });
    this.#machines.set(name, machine);
    machine.start();
    return machine;
  }

  /** Node addresses of the other machines. */
  #peersOf(name: string): string[] {
    const others = [...this.#machines.values()].filter((machine) => machine.name !== name);
    return others.map(({ config }) => (config.listen as { node: string }).node);
  }

  /** Waits until the machine waits for approval, and looks at what it is shown. */
  async #shownTerms(machine: Machine, file: string): Promise<{ readonly terms: string }> {
    await machine.waitFor('waits for approval', ({ phase }) => phase === 'awaiting-approval');
    const words = ['constitution', 'show', '--from', `${file}/data`];
    // The whole of it is two screens: the transcript has its identity, who votes, and how.
    const heads = /network |constitution|terms|vote\)|default|downloads|concordat node/;
    await this.#stage.concordat(words, { show: (line) => heads.test(line) });
    return this.#stage.ask<{ terms: string }>(words);
  }

  async #tooEarly(machine: Machine): Promise<void> {
    const isRefused = ({ reason = '' }: MachineStatus): boolean => /NODE_NOT_ADMITTED/.test(reason);
    await machine.waitFor('is refused as too early', isRefused);
  }

  async #approve(machine: Machine, file: string): Promise<void> {
    const { terms } = await this.#shownTerms(machine, file);
    await this.#stage.concordat(['node', 'approve', terms, '--data', `${file}/data`]);
  }

  /** Has members accept the newest proposal; it must stand as the story says then. */
  async #acceptLast(voters: readonly string[], expected = 'accepted'): Promise<void> {
    const id = await this.#last();
    for (const voter of voters)
      await this.#stage.concordat(['vote', 'accept', id, ...this.#as(voter)]);
    const { state } = await this.#newest();
    if (state !== expected) throw new Error(`proposal ${id} is ${state}, not ${expected}`);
  }

  async #newest(): Promise<{ readonly proposalId: string; readonly state: string }> {
    const { proposals } = await this.#stage.ask<{
      proposals: { proposalId: string; state: string }[];
    }>(['proposal', 'list', ...this.#somebody]);
    return proposals.at(-1) as { proposalId: string; state: string };
  }

  /** The beginning of the newest proposal's id. */
  async #last(): Promise<string> {
    return (await this.#newest()).proposalId.slice(0, 12);
  }

  /** A founder whose node is up: it asks for the script. */
  get #somebody(): string[] {
    const machine = ['vn3', 'vn1'].map((name) => this.#machines.get(name));
    const up = machine.find((one) => one?.status?.phase === 'running');
    return ['--as', up?.owner ?? 'cumulus-insurance'];
  }

  async #actorId(name: string): Promise<string> {
    const { actors } = await this.#stage.ask<{ actors: { name: string; actorId: string }[] }>([
      'member',
      'list',
      ...this.#somebody,
    ]);
    return actors.find((actor) => actor.name === name)?.actorId as string;
  }

  /** The node of that name in the node list. */
  async #entry(name: string): Promise<{ readonly nodeId: string }> {
    const { nodes } = await this.#stage.ask<{
      nodes: { name: string; nodeId: string; status: string }[];
    }>(['node', 'list', ...this.#somebody]);
    const entry = nodes.find((node) => node.name === name && node.status === 'trusted');
    if (entry) return entry;
    throw new Error(`${name} is not in the node list`);
  }

  /** Options by which a member acts: at its own node. */
  #as(member: string): string[] {
    const vn5 = this.#machines.get('vn5');
    return member === 'dune-logistics' && vn5 ? this.#with(vn5, 'dune') : ['--as', member];
  }

  /** Options of who holds these files, at a node. */
  #with(machine: Machine, file: string): string[] {
    const network = '.concordat/sandbox/network.pem';
    const place = ['--address', machine.adminAddress, '--network-certificate', network];
    return [...place, '--certificate', `${file}.pem`, '--key', `${file}-key.pem`];
  }

  /** Certificate and key of the owner of a node. */
  #ownerFiles(owner: string): string[] {
    const files = new Map([
      ['harbour-authority', 'harbour'],
      ['dune-logistics', 'dune'],
    ]);
    const file = files.get(owner);
    if (file) return ['--certificate', `${file}.pem`, '--key', `${file}-key.pem`];
    const { certificateFile, keyFile } = this.#layout.identity(owner);
    return ['--certificate', certificateFile, '--key', keyFile];
  }

  async #running(machine: Machine): Promise<void> {
    await machine.waitFor('runs', ({ phase }) => phase === 'running');
    this.#stage.tell(`${machine.name} runs: attested, caught up, and votes in consensus`);
  }

  /** Waits until so many members share the key that opens the ledger, and nothing of it is due. */
  async #shared(holders: number): Promise<void> {
    const isShared = (): boolean => {
      const all = [...this.#machines.values()].map(({ status }) => status);
      const running = all.filter((status) => status?.phase === 'running');
      return running.some(
        ({ keys } = {} as never) => keys?.holders.length === holders && !keys.ceremony && !keys.due,
      );
    };
    await until(isShared, `${holders} members share the key`);
  }

  /** Ends the host of a node that the sandbox started. */
  async #stopSandboxNode(name: string): Promise<void> {
    const processes = await this.#layout.readProcesses();
    const host = processes.find((one) => one.name === name);
    if (host) await endProcesses([host.pid]);
  }

  /** The next version of the manager's image: other code by its measurement, by a comment. */
  async #newImage(): Promise<{ image: string; measurement: string; old: string }> {
    const before = this.#layout.image('manager');
    const image = join(this.#stage.directory, 'images/manager-0.1.1');
    cpSync(before, image, { recursive: true });
    appendFileSync(join(image, bundleName), '\n// 0.1.1\n');
    const runtime = realpathSync(process.execPath);
    const [{ measurement }, { measurement: old }] = await Promise.all([
      measureImage(image, runtime),
      measureImage(before, runtime),
    ]);
    this.#managerImage = image;
    return { image, measurement, old };
  }

  async #load(): Promise<Load> {
    return new Load({
      nodes: [...this.#machines.values()].map(({ adminAddress }) => adminAddress),
      networkCertificate: readFileSync(this.#layout.networkCertificate, 'utf8'),
      identity: await readIdentity(this.#layout.identity(frontOffice)),
    });
  }
}

/** What a command says goes on next is the same each time. */
const isNews = (line: string): boolean => !/^ {2}concordat (proposal show|vote accept) /.test(line);

/** Signs the node of a machine with its owner's key. */
const tupleOf = (file: string): string[] => [
  'node',
  'tuple',
  `${file}/data/status.json`,
  '--certificate',
  `${file}.pem`,
  '--key',
  `${file}-key.pem`,
];
