import {
  buildProposal,
  buildVote,
  type Proposal,
  programDigest,
  submitMessage,
} from '@concordat/governance';
import { Store } from '@concordat/kv';
import { createOrganisation, type Identity } from '@concordat/sdk';
import { emptyBytes, utf8 } from '@concordat/std';
import { forgery, policy, pretending, rowOf, seconds, submitted, tables } from './forgery.ts';

forgery(
  'a policy that changed without a vote',
  { class: 'governance', code: 'UNDECIDED_CHANGE' },
  (ledger) => ledger.administer((set) => set.table(tables.policies).set('heartbeatMs', utf8('77'))),
);

forgery(
  'a member that nobody voted in',
  { class: 'governance', code: 'UNDECIDED_CHANGE' },
  (ledger) => {
    const { actorId, name, certificatePem: certificate } = createOrganisation({ name: 'Mallory' });
    const row = { actorId, certificate, kind: ['member'], name, roles: [] };
    ledger.administer((set) => set.table(tables.actors).set(actorId, utf8(JSON.stringify(row))));
  },
);

forgery(
  'a policy that changed beside what was voted',
  { class: 'governance', code: 'WRONG_OUTCOME' },
  (ledger) => {
    const message = buildProposal({ ...ledger.signer(ledger.alpha), actions: [policy(9)] });
    ledger.administer((set) => {
      submitted(set, message);
      set.table(tables.policies).set('heartbeatMs', utf8('77'));
    });
  },
);

forgery(
  'a program in the place of the one that was proposed',
  { class: 'governance', code: 'MESSAGE_REFUSED', cause: 'PROGRAM_MISMATCH' },
  (ledger) => {
    const program = utf8('a program');
    const digest = programDigest(program);
    const args = { adapter: 'javascript', digest, bytes: program.length };
    const actions = [{ name: 'set_application', args }] as const;
    const message = buildProposal({ ...ledger.signer(ledger.alpha), actions });
    ledger.administer((set) => {
      submitMessage(set, message, { nowSeconds: seconds(), program });
      set.table('public:concordat.programs').set(digest, utf8('A program'));
    });
  },
);

forgery(
  'an application that nobody voted for',
  { class: 'governance', code: 'UNDECIDED_CHANGE' },
  (ledger) => {
    const row = { adapter: 'javascript', digest: 'ab'.repeat(32), bytes: 9 };
    ledger.administer((set) => {
      set.table('public:concordat.applications').set(row.adapter, utf8(JSON.stringify(row)));
    });
  },
);

forgery(
  'a vote of a member that was removed',
  { class: 'governance', code: 'MESSAGE_REFUSED', cause: 'UNKNOWN_ACTOR' },
  (ledger, [, gamma]) => {
    const { actorId } = gamma as Identity;
    const row = rowOf(ledger, tables.actors, actorId);
    ledger.govern({ name: 'remove_actor', args: { actorId } });
    const { proposalId } = ledger.propose(ledger.alpha, policy(9));
    const vote = buildVote({ ...ledger.signer(gamma as Identity), proposalId, accept: true });
    ledger.administer((set) =>
      pretending(set, { table: tables.actors, key: actorId, value: row }, () =>
        submitted(set, vote),
      ),
    );
  },
);

forgery(
  'a vote of a participant',
  { class: 'governance', code: 'MESSAGE_REFUSED', cause: 'NOT_A_MEMBER' },
  (ledger) => {
    const delta = createOrganisation({ name: 'Delta' });
    const { actorId: key } = delta;
    const args = { kind: ['participant'], name: 'Delta', certificate: delta.certificatePem };
    ledger.govern({ name: 'add_actor', args });
    const { proposalId } = ledger.propose(ledger.alpha, policy(9));
    const vote = buildVote({ ...ledger.signer(delta), proposalId, accept: true });
    const value = { ...rowOf<object>(ledger, tables.actors, key), kind: ['member'] };
    ledger.administer((set) =>
      pretending(set, { table: tables.actors, key, value }, () => submitted(set, vote)),
    );
  },
);

forgery(
  'a second vote of the same member',
  { class: 'governance', code: 'MESSAGE_REFUSED', cause: 'ALREADY_VOTED' },
  (ledger) => {
    const { proposalId: key } = ledger.propose(ledger.alpha, policy(9));
    ledger.vote(ledger.alpha, key);
    const again = buildVote({ ...ledger.signer(ledger.alpha), proposalId: key, accept: true });
    const row = rowOf<Proposal>(ledger, tables.proposals, key);
    ledger.administer((set) => {
      set.table(tables.proposals).set(key, utf8(JSON.stringify({ ...row, votes: [] })));
      submitted(set, again);
    });
  },
);

forgery(
  'a vote that is counted a second time',
  { class: 'governance', code: 'MESSAGE_REFUSED', cause: 'REPLAY' },
  (ledger) => {
    const { proposalId: key } = ledger.propose(ledger.alpha, policy(9));
    const vote = buildVote({ ...ledger.signer(ledger.alpha), proposalId: key, accept: true });
    ledger.submit(vote);
    const row = rowOf<Proposal>(ledger, tables.proposals, key);
    ledger.administer((set) => {
      for (const [recent] of [...set.table(tables.recent).entries()]) {
        set.table(tables.recent).delete(recent);
      }
      set.table(tables.proposals).set(key, utf8(JSON.stringify({ ...row, votes: [] })));
      submitted(set, vote);
    });
  },
);

forgery(
  'a proposal judged by another policy than that of its time',
  { class: 'governance', code: 'WRONG_OUTCOME' },
  (ledger) => {
    const message = buildProposal({ ...ledger.signer(ledger.alpha), actions: [policy(9)] });
    const value = { kind: 'm-of-n', m: 1 };
    ledger.administer((set) =>
      pretending(set, { table: tables.voting, key: 'default', value }, () =>
        submitted(set, message),
      ),
    );
  },
);

forgery(
  'a proposal that took effect before it had its votes',
  { class: 'governance', code: 'WRONG_OUTCOME' },
  (ledger) => {
    const { proposalId: key } = ledger.propose(ledger.alpha, policy(9));
    const vote = buildVote({ ...ledger.signer(ledger.alpha), proposalId: key, accept: true });
    const row = rowOf<Proposal>(ledger, tables.proposals, key);
    const requirements = [{ kind: 'set_policy', policy: { kind: 'm-of-n', m: 1 } }];
    ledger.administer((set) => {
      const weaker = utf8(JSON.stringify({ ...row, requirements }));
      set.table(tables.proposals).set(key, weaker);
      submitted(set, vote);
    });
  },
);

forgery(
  'a message whose signature was changed',
  { class: 'governance', code: 'MESSAGE_REFUSED', cause: 'BAD_SIGNATURE' },
  (ledger) => {
    const message = buildProposal({ ...ledger.signer(ledger.alpha), actions: [policy(9)] });
    ledger.administer((set) => {
      submitted(set, message);
      const table = set.table(tables.messages);
      const [[sequence, bytes] = ['', emptyBytes]] = [...table.entries()].slice(-1);
      const changed = Buffer.from(bytes);
      changed[changed.length - 1] = (changed[changed.length - 1] as number) ^ 1;
      table.set(sequence, changed);
    });
  },
);

forgery(
  'a message of another network',
  { class: 'governance', code: 'MESSAGE_REFUSED', cause: 'WRONG_NETWORK' },
  (ledger) => {
    const networkId = 'ee'.repeat(32);
    const options = { ...ledger.signer(ledger.alpha), networkId };
    const value = { ...rowOf<object>(ledger, tables.network, 'info'), networkId };
    const message = buildProposal({ ...options, actions: [policy(9)] });
    ledger.administer((set) =>
      pretending(set, { table: tables.network, key: 'info', value }, () => submitted(set, message)),
    );
  },
);

forgery(
  'a message executed at another time than its block',
  { class: 'governance', code: 'WRONG_TIME' },
  (ledger) => {
    const options = ledger.signer(ledger.alpha);
    const message = buildProposal({ ...options, actions: [policy(9)] });
    ledger.submit(message, { nowSeconds: seconds() - 60 });
  },
);

forgery(
  'an administrative block of two transactions',
  { class: 'governance', code: 'MALFORMED_BLOCK' },
  (ledger) => {
    const opening = { publicWrites: emptyBytes, privateWrites: utf8('') };
    const store = new Store([{ name: 'public:concordat.openings', kind: 'hash' }]);
    const set = store.begin(1);
    set.table('public:concordat.openings').set('height', utf8(`${ledger.blocks.length + 1}`));
    const transactions = [set.takeWriteSet(), opening];
    ledger.administration.apply((ledger.blocks.length + 1) as never, transactions as never);
    ledger.seal(transactions, { source: 0, key: ledger.sessionKey });
  },
);

forgery(
  'a table of the framework that nothing in the block asks for',
  { class: 'governance', code: 'UNDECIDED_CHANGE' },
  (ledger) => {
    const height = ledger.blocks.length + 1;
    const set = new Store([
      { name: 'public:concordat.backdoor', kind: 'hash' },
      { name: 'public:concordat.openings', kind: 'hash' },
    ]).begin(1);
    set.table('public:concordat.backdoor').set('open', utf8('yes'));
    set.table('public:concordat.openings').set('height', utf8(`${height}`));
    ledger.seal([set.takeWriteSet()], { source: 0, key: ledger.sessionKey });
    const at = ledger.blocks.length;
    ledger.administer = () => undefined;
    return at;
  },
);

forgery(
  'an application that writes to the node list',
  { class: 'governance', code: 'FOREIGN_TABLE' },
  (ledger) => {
    const set = new Store([{ name: tables.nodes, kind: 'hash' }]).begin(1);
    set.table(tables.nodes).set('aa', utf8('{}'));
    ledger.seal([set.takeWriteSet()], { source: 1, key: ledger.sessionKey });
  },
);
