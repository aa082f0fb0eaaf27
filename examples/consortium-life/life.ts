import { readFileSync, writeFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import { type Constitution, constitutionTerms } from '@concordat/governance';
import { Consortium, founders, tupleOf } from './consortium.ts';
import { Machine, until } from './machine.ts';
import type { Stage } from './stage.ts';

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
  readonly #consortium: Consortium;

  constructor(stage: Stage) {
    this.#consortium = new Consortium(stage);
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
  end(): Promise<void> {
    return this.#consortium.end();
  }

  async #genesis(): Promise<void> {
    const { chapter, concordat } = this.#consortium.shown;
    chapter('Three members begin');
    await concordat(['sandbox', 'up', '--nodes', '3'], {
      show: (line) => /began|voted|caught/.test(line),
    });
    await concordat(['member', 'list']);
    for (const [at, owner] of founders.entries()) {
      const name = `vn${at + 1}`;
      const configFile = this.#consortium.layout.nodeConfig(name);
      const dataDirectory = this.#consortium.layout.nodeData(name);
      this.#consortium.machines.set(name, new Machine({ name, owner, configFile, dataDirectory }));
    }
    await this.#consortium.shared(3);
  }

  async #participant(): Promise<void> {
    const { chapter, concordat, tell } = this.#consortium.shown;
    chapter('A participant, and its validating node');
    await this.#consortium.organisation('harbour-authority', 'harbour');
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
    await this.#consortium.acceptLast(['borealis-trade']);
    tell('its machine starts; too early: it asks again until the members have voted');
    const machine = await this.#consortium.machine('vn4', 'harbour-authority', 'harbour');
    await this.#consortium.tooEarly(machine);
    await concordat([...tupleOf('harbour'), '--output', 'harbour/tuple.json']);
    await concordat(['node', 'add', 'harbour/tuple.json', '--vote', '--as', 'aurora-bank']);
    await this.#consortium.acceptLast(['borealis-trade']);
    tell('now it is shown the constitution, and downloads nothing before that is approved');
    await this.#consortium.approve(machine, 'harbour');
    await this.#consortium.running(machine);
    tell('a participant transacts and runs a node; it does not vote');
    await concordat(
      ['proposal', 'create', 'begin_epoch', '{}', ...this.#consortium.with(machine, 'harbour')],
      { status: refused },
    );
  }

  async #newMember(): Promise<void> {
    const { chapter, concordat, tell } = this.#consortium.shown;
    chapter('A new member, who refuses the constitution, then approves it');
    await this.#consortium.organisation('dune-logistics', 'dune');
    const machine = await this.#consortium.machine('vn5', 'dune-logistics', 'dune');
    await this.#consortium.tooEarly(machine);
    await concordat([...tupleOf('dune'), '--output', 'dune/tuple.json']);
    tell('actor and node in one proposal');
    const file = (name: string) => join(this.#consortium.stage.directory, name);
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
    await this.#consortium.acceptLast(['cumulus-insurance']);
    this.#consortium.members.push('dune-logistics');
    const { terms } = await this.#consortium.shownTerms(machine, 'dune');
    await concordat(['node', 'refuse', terms, '--data', 'dune/data']);
    await until(() => !machine.runs, 'the refused node has ended');
    tell('its host has ended, and downloaded nothing; dune-logistics thinks again');
    const refusedNode = machine.status?.nodeId as string;
    machine.start();
    await this.#consortium.tooEarly(machine);
    tell('a node that starts again is a new one: it takes the place of the first by vote');
    await concordat([...tupleOf('dune'), '--output', 'dune/tuple.json'], { quiet: true });
    const [again] = JSON.parse(readFileSync(file('dune/tuple.json'), 'utf8')) as [unknown];
    const instead = [{ name: 'remove_node', args: { nodeId: refusedNode } }, again];
    writeFileSync(file('dune/again.json'), JSON.stringify(instead));
    await concordat(['proposal', 'create', 'dune/again.json', '--vote', '--as', 'aurora-bank']);
    await this.#consortium.acceptLast(['borealis-trade', 'cumulus-insurance']);
    await this.#consortium.approve(machine, 'dune');
    await this.#consortium.running(machine);
    await this.#consortium.shared(4);
    tell(
      'as a member it acknowledges the constitution in force with its signature, for the record',
    );
    const shown = await this.#consortium.stage.ask<Constitution>([
      'constitution',
      'show',
      ...this.#consortium.somebody,
    ]);
    const own = this.#consortium.as('dune-logistics');
    await concordat(['constitution', 'acknowledge', constitutionTerms(shown), ...own]);
    await concordat(['node', 'list']);
  }

  async #upgrade(): Promise<Life> {
    const { chapter, concordat, tell } = this.#consortium.shown;
    chapter('New code, node by node, under load');
    const { image, measurement, old } = await this.#consortium.newImage();
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
    await this.#consortium.acceptLast(['borealis-trade', 'cumulus-insurance']);
    const load = await this.#consortium.load();
    for (const machine of this.#consortium.machines.values()) await this.#replace(machine, image);
    await load.end();
    const longestGapMs = Math.round(load.longestGapMs);
    tell(
      `${load.written.size} writes meanwhile: none failed, none is lost; longest wait ${longestGapMs} ms`,
    );
    await concordat(['code', 'remove', old, '--vote', '--as', 'borealis-trade']);
    await this.#consortium.acceptLast(['aurora-bank', 'cumulus-insurance']);
    await concordat(['code', 'list']);
    return { writes: load.written.size, longestGapMs };
  }

  /** One node is stopped, started with another image, and voted in its own place. */
  async #replace(machine: Machine, image: string): Promise<void> {
    const { concordat, tell } = this.#consortium.shown;
    const { name, owner } = machine;
    const others = this.#consortium.members.filter((member) => member !== owner);
    tell(`${owner} stops ${name} and starts it with the new image`);
    const { nodeId } = await this.#consortium.entry(name);
    if (founders.includes(owner as never)) await this.#consortium.stopSandboxNode(name);
    await machine.stop();
    machine.configure({
      mode: 'join',
      approve: 'any',
      networkCertificateFile: this.#consortium.layout.networkCertificate,
      peers: this.#consortium.peersOf(name),
      manager: { image },
    });
    machine.start();
    await machine.waitFor(
      'has a node',
      (status) => status.nodeId !== nodeId && /NODE_NOT_ADMITTED/.test(status.reason ?? ''),
    );
    const identity = this.#consortium.ownerFiles(owner);
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
      readFileSync(join(this.#consortium.stage.directory, `${name}.json`), 'utf8'),
    ) as [unknown];
    const actions = [{ name: 'remove_node', args: { nodeId } }, node];
    writeFileSync(
      join(this.#consortium.stage.directory, `${name}-upgrade.json`),
      JSON.stringify(actions),
    );
    const [proposer, ...voters] = others;
    await concordat([
      'proposal',
      'create',
      `${name}-upgrade.json`,
      '--vote',
      ...this.#consortium.as(proposer as string),
    ]);
    await this.#consortium.acceptLast(voters.slice(0, 2));
    await this.#consortium.running(machine);
    // The new code could not read the member's old share: it is dealt anew before the next one goes.
    await this.#consortium.shared(this.#consortium.members.length);
  }

  async #votingPolicy(): Promise<void> {
    const { chapter, concordat, tell } = this.#consortium.shown;
    chapter('Another voting policy, and the next vote judged by it');
    const aurora = await this.#consortium.actorId('aurora-bank');
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
    await this.#consortium.acceptLast(['cumulus-insurance', 'dune-logistics']);
    await concordat([
      'constitution',
      'set',
      'maxBatchDelayMs',
      '3',
      '--vote',
      '--as',
      'borealis-trade',
    ]);
    await this.#consortium.acceptLast(['cumulus-insurance', 'dune-logistics'], 'open');
    tell('three of four are 75 %, and aurora-bank is not among them');
    await this.#consortium.acceptLast(['aurora-bank']);
  }

  async #automaticAdmission(): Promise<void> {
    const { chapter, concordat, tell } = this.#consortium.shown;
    chapter('A second node, admitted without a vote by hand');
    const rules = await Promise.all(
      this.#consortium.members.map(async (member) => ({
        name: 'set_automation_rule',
        args: {
          name: `own-nodes-${member}`,
          member: await this.#consortium.actorId(member),
          kinds: ['add_node'],
          ownNodes: true,
          maxNodes: 2,
        },
      })),
    );
    writeFileSync(join(this.#consortium.stage.directory, 'rules.json'), JSON.stringify(rules));
    tell('each member lets a rule vote for it: own nodes of a member, two at most');
    await concordat(['proposal', 'create', 'rules.json', '--vote', '--as', 'aurora-bank']);
    await this.#consortium.acceptLast(['borealis-trade', 'cumulus-insurance', 'dune-logistics']);
    const machine = await this.#consortium.machine('vn6', 'aurora-bank', 'aurora');
    await this.#consortium.tooEarly(machine);
    const { certificateFile, keyFile } = this.#consortium.layout.identity('aurora-bank');
    const first = this.#consortium.machines.get('vn1') as Machine;
    await concordat([
      'node',
      'add',
      'aurora/data/status.json',
      '--address',
      first.adminAddress,
      '--network-certificate',
      '.concordat/sandbox/network.pem',
      '--certificate',
      relative(this.#consortium.stage.directory, certificateFile),
      '--key',
      relative(this.#consortium.stage.directory, keyFile),
    ]);
    await this.#consortium.approve(machine, 'aurora');
    await this.#consortium.running(machine);
    await concordat(['proposal', 'show', await this.#consortium.last()]);
  }

  async #rollOver(): Promise<void> {
    const { chapter, concordat, tell } = this.#consortium.shown;
    chapter('borealis-trade rolls its certificate over');
    const { certificateFile, keyFile } = this.#consortium.layout.identity('borealis-trade');
    const [certificate, key] = [certificateFile, keyFile].map((file) =>
      relative(this.#consortium.stage.directory, file),
    ) as [string, string];
    await concordat([
      ...['key', 'renew', '--certificate', certificate, '--key', key],
      ...['--new-certificate', 'borealis-2.pem', '--new-key', 'borealis-2-key.pem'],
    ]);
    const renewal = ['member', 'renew', 'borealis-trade', 'borealis-2.pem'];
    await concordat([...renewal, '--vote', '--as', 'borealis-trade']);
    await this.#consortium.acceptLast(['aurora-bank', 'cumulus-insurance']);
    tell('both certificates are good; with the new one it takes the old one out');
    const own = this.#consortium.with(
      this.#consortium.machines.get('vn2') as Machine,
      'borealis-2',
    );
    await concordat(['member', 'retire', 'borealis-trade', certificate, '--vote', ...own]);
    await this.#consortium.acceptLast(['aurora-bank', 'cumulus-insurance']);
    tell('the old one is nobody’s now');
    await concordat(['network', 'show', '--as', 'borealis-trade'], { status: refused });
    await concordat(['network', 'show', ...own], { show: (line) => /network|view/.test(line) });
  }

  async #removal(): Promise<void> {
    const { chapter, concordat, tell } = this.#consortium.shown;
    chapter('A member is removed, and cut off');
    const machine = this.#consortium.machines.get('vn5') as Machine;
    const before = this.#consortium.with(this.#consortium.machines.get('vn1') as Machine, 'dune');
    await concordat(['node', 'list', ...before], { quiet: true });
    await concordat(['member', 'remove', 'dune-logistics', '--vote', '--as', 'aurora-bank']);
    const own = this.#consortium.with(
      this.#consortium.machines.get('vn2') as Machine,
      'borealis-2',
    );
    await this.#consortium.acceptLast(['cumulus-insurance'], 'open');
    await concordat(['vote', 'accept', await this.#consortium.last(), ...own]);
    this.#consortium.members = this.#consortium.members.filter(
      (member) => member !== 'dune-logistics',
    );
    tell('its certificate is refused from the deciding vote on, and its node has no part any more');
    await concordat(['network', 'show', ...before], { status: refused });
    await machine.waitFor('has no part any more', ({ phase }) => phase !== 'running');
    await this.#consortium.shared(3);
    await concordat(['member', 'list']);
  }

  async #audit(): Promise<void> {
    const { chapter, concordat } = this.#consortium.shown;
    chapter('An auditor replays and counts all of it again, from the files of one node');
    // The report has a table of every organisation, node, epoch, ceremony and proposal as well.
    await concordat(['audit', 'verify', 'vn3'], {
      show: (line) => /^ {2}(blocks|transactions|epochs|proposals) |✓|examined|defect/.test(line),
    });
  }
}
