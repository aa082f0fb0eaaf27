import { type Configuration, configurationFault, quorumSizesOf } from '@concordat/consensus';
import type { Arguments } from './command-line.ts';
import { numberOf } from './command-line.ts';
import { DatadrivenError } from './errors.ts';
import { configurationText, idOf, parseNames, parseQuorums } from './names.ts';
import { StoryNetwork } from './story-network.ts';

/**
 * `network voters=abc [quorums=2/2] [learners=d] [others=e] [election=10] [heartbeat=2]
 * [timeouts=a10,b12] [disk=auto|manual] [restore=auto|manual] [append=bytes] [inflight=n]
 * [memory=bytes] [gap=entries] [tree=branches]`: nodes with empty logs. Learners are fed from the
 * first leader on; others only exist.
 * @throws DatadrivenError BAD_ARGUMENT
 */
export function createNetwork(given: Arguments): StoryNetwork {
  const voters = given.named('voters');
  if (voters === undefined) throw new DatadrivenError('BAD_ARGUMENT', 'voters= is missing');
  const electionTicks = given.namedCount('election', 10, 2, 1000);
  const network = new StoryNetwork({
    electionTicks,
    heartbeatTicks: given.namedCount('heartbeat', 2, 1, electionTicks - 1),
    maxAppendBytes: given.namedCount('append', 1 << 20, 1),
    maxInflightAppends: given.namedCount('inflight', 16, 1, 1000),
    maxMemoryBytes: given.namedCount('memory', 1 << 24, 1),
    disk: wayOf('disk', given.named('disk')),
    restore: wayOf('restore', given.named('restore')),
    snapshotGap: optionalCount(given, 'gap', 0),
    treeFanOut: optionalCount(given, 'tree', 2),
    genesis: genesisOf(voters, given.named('quorums')),
  });
  const learners = parseOptional(given.named('learners'));
  const others = parseOptional(given.named('others'));
  const timeouts = timeoutsOf(given.named('timeouts'), electionTicks);
  for (const name of [...parseNames(voters), ...learners, ...others])
    addNode(network, name, timeouts);
  for (const node of network.nodes.values()) {
    for (const learner of learners) node.machine.addLearner(idOf(learner));
  }
  given.done();
  network.say(introduction(network));
  return network;
}

function introduction({ nodes, settings }: StoryNetwork): string {
  const { replication, election } = quorumSizesOf(settings.genesis);
  const patience = [...nodes.values()].map(({ name, timeoutTicks }) => `${name} ${timeoutTicks}`);
  const quorums = `${replication} commit, ${election} elect`;
  const voters = configurationText({ voters: settings.genesis.voters });
  return `voters ${voters}: ${quorums}; patience in ticks: ${patience.join(', ')}`;
}

/** Adds a node; without a timeout of its own it has two ticks more than the one before it. */
export function addNode(
  network: StoryNetwork,
  name: string,
  timeouts: ReadonlyMap<string, number> = new Map(),
): void {
  const { electionTicks } = network.settings;
  const usual = electionTicks + Math.min(2 * network.nodes.size, electionTicks - 1);
  network.add(name, timeouts.get(name) ?? usual);
}

/**
 * A configuration of voters, with quorum sizes if given; a node may refuse it.
 * @throws DatadrivenError BAD_ARGUMENT
 */
export function configurationOf(voters: string, quorums: string | undefined): Configuration {
  return {
    voters: parseNames(voters).map(idOf),
    ...(quorums !== undefined && { quorums: parseQuorums(quorums) }),
  };
}

/**
 * A configuration a network can begin with.
 * @throws DatadrivenError BAD_ARGUMENT
 */
function genesisOf(voters: string, quorums: string | undefined): Configuration {
  const configuration = configurationOf(voters, quorums);
  const fault = configurationFault(configuration);
  if (fault !== undefined) throw new DatadrivenError('BAD_ARGUMENT', fault);
  return configuration;
}

function wayOf(what: string, word: string | undefined): 'auto' | 'manual' {
  if (word === undefined || word === 'auto') return 'auto';
  if (word === 'manual') return 'manual';
  throw new DatadrivenError('BAD_ARGUMENT', `${what} is auto or manual, not ${word}`);
}

function optionalCount(given: Arguments, name: string, least: number): number | undefined {
  const value = given.named(name);
  return value === undefined ? undefined : numberOf(value, name, least, 1 << 20);
}

const parseOptional = (word: string | undefined): string[] => (word ? parseNames(word) : []);

/** `a10,b12`: ticks of silence after which a node campaigns. */
function timeoutsOf(word: string | undefined, electionTicks: number): Map<string, number> {
  const timeouts = new Map<string, number>();
  for (const part of word?.split(',') ?? []) {
    const [name] = parseNames(part.slice(0, 1));
    const most = 2 * electionTicks - 1;
    timeouts.set(name as string, numberOf(part.slice(1), 'a timeout', electionTicks, most));
  }
  return timeouts;
}
