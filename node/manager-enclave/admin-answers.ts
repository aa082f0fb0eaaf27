import {
  ApiError,
  administrativeOpenApi,
  adminPaths,
  type CommitState,
  type ConstitutionAnswer,
  type Health,
  type NetworkState,
  type NodePhase,
  type NodeState,
  type ProposalsAnswer,
  type RecoveryState,
  type SharedKeysState,
  type TransactionState,
} from '@concordat/api';
import {
  constitutionDigest,
  currentEpoch,
  getProposal,
  listProposals,
  type Proposal,
  programOf,
  recoveredFrom,
  recoveryStage,
} from '@concordat/governance';
import type { ReceiptJson } from '@concordat/ledger';
import { formatTransactionId, isHex64, type Seqno, toBase64, type View } from '@concordat/std';
import type { Phase } from './life-cycle.ts';
import type { NodeContext } from './node-context.ts';
import { backfillOf } from './node-status.ts';
import type { ReceiptDesk } from './receipt-desk.ts';
import { RequestKeys } from './request-keys.ts';
import { sharedKeysState } from './shared-keys-state.ts';

/** What the administrative channel answers. */
export interface AdminAnswers {
  /** Paths without parameters. */
  readonly plain: Readonly<Record<string, () => unknown>>;
  transaction(id: { view: View; seqno: Seqno }): TransactionState;
  receipt(id: { view: View; seqno: Seqno }): Promise<ReceiptJson>;
  /** A program that is in force or proposed. @throws ApiError APPLICATION_NOT_FOUND */
  program(digest: string): Uint8Array;
  /** @throws ApiError PROPOSAL_NOT_FOUND */
  proposal(id: string): Proposal;
}

const phases: Readonly<Record<Phase, NodePhase>> = {
  starting: 'starting',
  joining: 'joining',
  'awaiting-approval': 'joining',
  learning: 'catching-up',
  resuming: 'catching-up',
  recovering: 'recovering',
  running: 'ready',
  failed: 'stopping',
};

/** The read side of the administrative channel over one node. */
export function adminAnswers(node: NodeContext, receipts: ReceiptDesk): AdminAnswers {
  const state = () => node.administration.committedState;
  const requestKeys = new RequestKeys(node);
  return {
    plain: {
      [adminPaths.state]: () => nodeState(node),
      [adminPaths.network]: () => networkState(node, requestKeys),
      [adminPaths.openApi]: administrativeOpenApi,
      [adminPaths.health]: () => healthOf(node),
      [adminPaths.ready]: () => ready(node),
      [adminPaths.commit]: (): CommitState => ({
        transaction_id: formatTransactionId(node.log.committedView, node.log.committedSeqno),
      }),
      [adminPaths.constitution]: () => constitutionAnswer(node),
      [adminPaths.recovery]: () => recoveryState(node),
      [adminPaths.keys]: () => sharedKeys(node),
      [adminPaths.proposals]: (): ProposalsAnswer<Proposal> => ({
        proposals: listProposals(state()),
      }),
    },
    transaction: (id) => ({
      transaction_id: formatTransactionId(id.view, id.seqno),
      status: receipts.status(id),
    }),
    receipt: (id) => receipts.receipt(id),
    program: (digest) => {
      const program = isHex64(digest) ? programOf(state(), digest) : undefined;
      if (program) return program;
      throw new ApiError('APPLICATION_NOT_FOUND', 'no program of this digest is in the ledger');
    },
    proposal: (id) => {
      const proposal = getProposal(state(), id);
      if (!proposal) throw new ApiError('PROPOSAL_NOT_FOUND', 'there is no such proposal');
      return proposal;
    },
  };
}

/** How far a recovered network is, for the node that recovers it and for every later one. */
function recoveryState({ recovery, administration }: NodeContext): RecoveryState {
  if (recovery) return recovery.state();
  const state = administration.committedState;
  const [former, found] = [recoveredFrom(state), recoveryStage(state)];
  if (former && found && found.stage !== 'recovering') return { ...found, former };
  throw new ApiError('NETWORK_NOT_RECOVERING', 'this network goes on from no other');
}

const healthOf = (node: NodeContext): Health => ({ status: 'ok', phase: phases[node.phase] });

function ready(node: NodeContext): Health {
  if (node.phase === 'running' && node.leader) return healthOf(node);
  throw new ApiError('NODE_NOT_READY', 'the node does not serve at present', {
    phase: phases[node.phase],
  });
}

function nodeState(node: NodeContext): NodeState {
  const { role, view, leader, lastHeight } = node.driver.status;
  const { log, administration, identity, verdict, start, feed, snapshots } = node;
  const attested = new Set([...feed.links].map(({ index }) => index));
  return {
    nodeId: identity.nodeId,
    name: start.node.name,
    phase: phases[node.phase],
    role: role === 'pre-candidate' ? 'candidate' : role,
    view,
    ...(leader && { leader }),
    lastHeight,
    committedHeight: log.committedHeight,
    committedSeqno: log.committedSeqno,
    snapshotHeight: snapshots.newestHeight,
    ...backfillOf(node),
    epoch: currentEpoch(administration.committedState),
    measurement: verdict.measurement,
    platform: verdict.platform,
    workers: start.workers.map(({ index, adapters }) => ({
      index,
      adapters,
      ready: attested.has(index),
      applications: node.programs.statesOf(index),
    })),
  };
}

function networkState(node: NodeContext, requestKeys: RequestKeys): NetworkState {
  const { network, administration, driver } = node;
  const constitution = administration.committedConstitution;
  const { view, leader } = driver.status;
  return {
    networkId: network.id,
    name: constitution.name,
    networkCertificate: network.certificate,
    constitutionDigest: constitutionDigest(constitution),
    view,
    ...(leader && { leader }),
    ...endorsedBy(requestKeys),
    nodes: constitution.nodes.map((node) => ({
      nodeId: node.nodeId,
      actorId: node.actorId,
      name: node.name,
      status: node.status,
      address: node.address,
      adminAddress: node.adminAddress,
      applicationAddresses: node.applicationAddresses,
    })),
  };
}

/** Nothing while the keys it is made of are still being gathered. */
function endorsedBy(requestKeys: RequestKeys): Pick<NetworkState, 'requestKey'> {
  try {
    return { requestKey: toBase64(requestKeys.endorsed(Date.now())) };
  } catch (error) {
    if (error instanceof ApiError && error.code === 'REQUEST_KEY_UNAVAILABLE') return {};
    throw error;
  }
}

function sharedKeys({ administration }: NodeContext): SharedKeysState {
  const { committedState, committedConstitution } = administration;
  const { actors } = committedConstitution;
  return sharedKeysState(committedState, { actors, epoch: currentEpoch(committedState) });
}

function constitutionAnswer(node: NodeContext): ConstitutionAnswer {
  const constitution = node.administration.committedConstitution;
  return {
    networkId: node.network.id,
    digest: constitutionDigest(constitution),
    constitution,
  };
}
