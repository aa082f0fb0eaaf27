import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  applicationChanges,
  buildProposal,
  constitutionDigest,
  eventsOfWrites,
  maxProgramBytes,
  parseConstitution,
  programDigest,
  programOf,
  proposedApplications,
  successorConstitution,
} from '@concordat/governance';
import { utf8 } from '@concordat/std';
import { action, Network, program } from './network.ts';

const other = utf8('another program');
const digest = programDigest(program);
const args = { adapter: 'javascript', digest, bytes: program.length };

test('a program comes with its proposal and is in force once the vote is decided', () => {
  const network = new Network(['ada', 'bob']);
  const before = constitutionDigest(network.constitution);
  const { proposalId } = network.proposeProgram('ada', 'javascript');
  assert.deepEqual(Buffer.from(programOf(network.set, digest) ?? []), program);
  assert.equal(network.constitution.applications, undefined);
  network.vote('ada', proposalId);
  const { effects } = network.vote('bob', proposalId);
  assert.deepEqual(effects, [{ kind: 'application-set', adapter: 'javascript', digest }]);
  assert.deepEqual(network.constitution.applications, [args]);
  assert.notEqual(constitutionDigest(network.constitution), before);
  assert.deepEqual(parseConstitution(network.constitution), network.constitution);
});

test('a proposal holds the digest of its program, never its bytes', () => {
  const network = new Network(['ada', 'bob']);
  const long = Buffer.alloc(maxProgramBytes, 'xyz');
  const { proposalId } = network.proposeProgram('ada', 'javascript', { of: long });
  const { proposals, rest } = sizes(network);
  assert.ok(proposals < 10_000, String(proposals));
  assert.ok(rest < 20_000, String(rest));
  network.withdraw('ada', proposalId);
  assert.equal(programOf(network.set, programDigest(long)), undefined);
});

/** Bytes of the proposals, and of everything but programs. */
function sizes({ set }: Network) {
  const bytes = (table: string) =>
    Array.from(set.table(table).entries(), ([, value]) => value.length).reduce((a, b) => a + b, 0);
  const rest = ['gov.messages', 'gov.recent', 'actors'].map((name) => `public:concordat.${name}`);
  return {
    proposals: bytes('public:concordat.gov.proposals'),
    rest: rest.map(bytes).reduce((a, b) => a + b),
  };
}

test('a program is kept for as long as it is in force or proposed, and no longer', () => {
  const network = new Network(['ada', 'bob']);
  network.deploy(['ada', 'bob'], 'javascript', program);
  const { proposalId } = network.proposeProgram('ada', 'javascript', { of: other });
  const again = network.proposeProgram('bob', 'javascript', { of: other });
  network.withdraw('ada', proposalId);
  assert.ok(programOf(network.set, programDigest(other)));
  for (const name of ['ada', 'bob']) network.vote(name, again.proposalId);
  assert.equal(programOf(network.set, digest), undefined);
  network.pass(['ada', 'bob'], action('remove_application', { adapter: 'javascript' }));
  assert.equal(programOf(network.set, programDigest(other)), undefined);
  assert.equal(network.constitution.applications, undefined);
});

test('a program of the ledger need not be sent again', () => {
  const network = new Network(['ada']);
  network.deploy(['ada'], 'javascript', program);
  const { proposalId } = network.proposeProgram('ada', 'second', { attached: null });
  network.vote('ada', proposalId);
  assert.deepEqual(
    network.constitution.applications?.map(({ adapter }) => adapter),
    ['javascript', 'second'],
  );
});

test('a program that is missing, another one, or named by nothing is refused without a trace', () => {
  const network = new Network(['ada']);
  network.refuses('PROGRAM_MISSING', () =>
    network.proposeProgram('ada', 'javascript', { attached: null }),
  );
  network.refuses('PROGRAM_MISMATCH', () =>
    network.proposeProgram('ada', 'javascript', { attached: other }),
  );
  for (const actions of [
    [action('set_application', { ...args, bytes: program.length + 1 })],
    [action('begin_epoch', {})],
  ]) {
    const message = () => buildProposal({ ...network.options('ada'), actions });
    network.refuses('PROGRAM_MISMATCH', () => network.submit(message(), program));
  }
  const { proposalId } = network.proposeProgram('ada', 'javascript');
  const options = network.options('ada');
  network.refuses('PROGRAM_MISMATCH', () =>
    network.submit(
      buildProposal({ ...options, actions: [action('remove_application', { adapter: 'a' })] }),
      program,
    ),
  );
  network.withdraw('ada', proposalId);
});

test('bounds of what is put in force', () => {
  const network = new Network(['ada']);
  for (const bad of [
    { ...args, bytes: 0 },
    { ...args, bytes: maxProgramBytes + 1 },
    { ...args, bytes: 1.5 },
    { ...args, digest: digest.toUpperCase() },
    { ...args, adapter: 'A' },
    { ...args, adapter: 'a'.repeat(33) },
    { ...args, program: 'x' },
  ]) {
    const { details } = network.refuses('INVALID_ACTION', () =>
      network.propose('ada', action('set_application', bad)),
    );
    assert.match(String(details.path), /^actions\[0\]\.args/);
  }
  assert.deepEqual(proposedApplications({ actions: [action('set_application', args)] }), [args]);
  assert.deepEqual(proposedApplications({ actions: [action('begin_epoch', {})] }), []);
});

test('an application that came with the genesis can be ended, once', () => {
  const network = new Network(['ada']);
  const end = action('remove_application', { adapter: 'javascript' });
  assert.deepEqual(network.pass(['ada'], end).effects, [
    { kind: 'application-removed', adapter: 'javascript' },
  ]);
  network.refuses('APPLICATION_NOT_FOUND', () => network.propose('ada', end));
  network.deploy(['ada'], 'javascript', program);
  network.pass(['ada'], end);
});

test('a transaction tells which applications it changed', () => {
  const network = new Network(['ada']);
  network.set.takeWriteSet();
  network.deploy(['ada'], 'javascript', program);
  const put = network.set.takeWriteSet().publicWrites;
  assert.deepEqual(applicationChanges(put), [{ adapter: 'javascript', digest }]);
  const events = eventsOfWrites(put).filter(({ event }) => event === 'constitution-changed');
  assert.deepEqual(events, [{ event: 'constitution-changed', part: 'applications' }]);
  network.pass(['ada'], action('remove_application', { adapter: 'javascript' }));
  const ended = network.set.takeWriteSet().publicWrites;
  assert.deepEqual(applicationChanges(ended), [{ adapter: 'javascript' }]);
  assert.deepEqual(applicationChanges(new Uint8Array(0)), []);
});

test('votes for applications do not go over into a recovered network', () => {
  const network = new Network(['ada']);
  network.deploy(['ada'], 'javascript', program);
  const successor = successorConstitution(network.constitution);
  assert.equal(parseConstitution(successor).applications, undefined);
});

test('the program of a rejected proposal goes with it', () => {
  const network = new Network(['ada', 'bob', 'cyd']);
  const { proposalId } = network.proposeProgram('ada', 'javascript', { of: other });
  for (const name of ['bob', 'cyd']) network.vote(name, proposalId, false);
  assert.equal(programOf(network.set, programDigest(other)), undefined);
});

test('a member has few programs in open proposals, whoever else has some', () => {
  const network = new Network(['ada', 'bob']);
  const propose = (name: string, text: string) => () =>
    network.proposeProgram(name, 'javascript', { of: utf8(text) });
  const [first] = ['1', '2', '3', '4'].map((text) => propose('ada', text)());
  network.refuses('TOO_MANY_OPEN_PROPOSALS', propose('ada', '5'));
  propose('bob', '5')();
  network.propose('ada', action('begin_epoch', {}));
  network.withdraw('ada', first?.proposalId ?? '');
  propose('ada', '6')();
  const many = Array.from({ length: 5 }, (_, at) => ({
    ...action('set_application', { ...args, adapter: `a${at}` }),
  }));
  network.refuses('TOO_MANY_OPEN_PROPOSALS', () => network.propose('bob', ...many));
});

test('whatever bytes come beside a proposal, they are refused with a code or kept as they are', () => {
  const network = new Network(['ada']);
  const random = (seed: number) =>
    Uint8Array.from({ length: (seed * 37) % 200 }, (_, at) => (at * seed * 131 + at) & 0xff);
  for (let seed = 0; seed < 60; seed++) {
    const attached = random(seed);
    network.refuses('PROGRAM_MISMATCH', () =>
      network.proposeProgram('ada', 'javascript', { attached }),
    );
    const { proposalId } = network.proposeProgram('ada', 'javascript', {
      of: Uint8Array.of(...attached, 1),
    });
    network.withdraw('ada', proposalId);
  }
  assert.equal([...network.set.table('public:concordat.programs').entries()].length, 0);
});
