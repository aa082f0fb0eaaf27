import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  acknowledgementOf,
  buildAcknowledgement,
  constitutionTerms,
  eventsOfWrites,
  messageIdOf,
} from '@concordat/governance';
import { Network, organisation } from './network.ts';

const termsOf = (network: Network): string => constitutionTerms(network.constitution);

test('a member acknowledges the constitution in force, and that is on record', () => {
  const network = new Network(['ada', 'bob']);
  const terms = termsOf(network);
  network.set.takeWriteSet();
  const message = buildAcknowledgement({ ...network.options('ada'), terms });
  const { state, effects } = network.submit(message);
  const { actorId } = organisation('ada');
  assert.equal(state, 'accepted');
  assert.deepEqual(effects, [{ kind: 'constitution-acknowledged', actorId }]);
  const kept = acknowledgementOf(network.set, actorId);
  assert.deepEqual([kept?.terms, kept?.message], [terms, messageIdOf(message)]);
  assert.equal(acknowledgementOf(network.set, organisation('bob').actorId), undefined);
  const events = eventsOfWrites(network.set.takeWriteSet().publicWrites);
  assert.deepEqual(events, [{ event: 'constitution-acknowledged', actorId, terms }]);
});

test('nobody acknowledges rules that are not in force, or that changed since it looked', () => {
  const network = new Network(['ada', 'bob']);
  const before = termsOf(network);
  const change = { name: 'set_policy', args: { name: 'maxBatchDelayMs', value: 9 } } as const;
  const { proposalId } = network.propose('ada', change);
  for (const name of ['ada', 'bob']) network.vote(name, proposalId);
  assert.notEqual(termsOf(network), before);
  const say = (name: string, terms: string) => () =>
    network.submit(buildAcknowledgement({ ...network.options(name), terms }));
  network.refuses('CONSTITUTION_NOT_IN_FORCE', say('bob', before));
  network.refuses('MALFORMED_MESSAGE', say('bob', 'these'));
  say('bob', termsOf(network))();
  assert.equal(acknowledgementOf(network.set, organisation('ada').actorId), undefined);
});
