import {
  ApiError,
  adminPaths,
  type CommitState,
  type ConstitutionAnswer,
  type Health,
  type NetworkState,
  type NodePhase,
  type NodeState,
  type ProposalsAnswer,
  type TransactionState,
} from '@concordat/api';
import {
  constitutionDigest,
  getProposal,
  listProposals,
  type Proposal,
} from '@concordat/governance';
import type { ReceiptJson } from '@concordat/ledger';
import { formatTransactionId, type Seqno, type View } from '@concordat/std';
import type { Manager, Phase } from './manager.ts';
import { currentEpoch } from './session-keys.ts';

/** What the administrative channel answers. */
export interface AdminAnswers {
  /** Paths without parameters. */
  readonly plain: Readonly<Record<string, () => unknown>>;
  transaction(id: { view: View; seqno: Seqno }): TransactionState;
  receipt(id: { view: View; seqno: Seqno }): Promise<ReceiptJson>;
  /** @throws ApiError PROPOSAL_NOT_FOUND */
  proposal(id: string): Proposal;
}

const phases: Readonly<Record<Phase, NodePhase>> = {
  starting: 'starting',
  joining: 'joining',
  learning: 'catching-up',
  resuming: 'catching-up',
  running: 'ready',
  failed: 'stopping',
};

/** The read side of the administrative channel over one manager. */
export function adminAnswers(manager: Manager): AdminAnswers {
  const state = () => manager.administration.committedState;
  return {
    plain: {
      [adminPaths.state]: () => nodeState(manager),
      [adminPaths.network]: () => networkState(manager),
      [adminPaths.health]: () => healthOf(manager),
      [adminPaths.ready]: () => ready(manager),
      [adminPaths.commit]: (): CommitState => ({
        transaction_id: formatTransactionId(manager.log.committedView, manager.log.committedSeqno),
      }),
      [adminPaths.constitution]: () => constitutionAnswer(manager),
      [adminPaths.proposals]: (): ProposalsAnswer<Proposal> => ({
        proposals: listProposals(state()),
      }),
    },
    transaction: (id) => ({
      transaction_id: formatTransactionId(id.view, id.seqno),
      status: manager.receipts.status(id),
    }),
    receipt: (id) => manager.receipts.receipt(id),
    proposal: (id) => {
      const proposal = getProposal(state(), id);
      if (!proposal) throw new ApiError('PROPOSAL_NOT_FOUND', 'there is no such proposal');
      return proposal;
    },
  };
}

const healthOf = (manager: Manager): Health => ({ status: 'ok', phase: phases[manager.phase] });

function ready(manager: Manager): Health {
  if (manager.phase === 'running' && manager.leader) return healthOf(manager);
  throw new ApiError('NODE_NOT_READY', 'the node does not serve at present', {
    phase: phases[manager.phase],
  });
}

function nodeState(manager: Manager): NodeState {
  const { role, view, leader, lastHeight } = manager.driver.status;
  const { log, administration, identity, verdict, start, feed } = manager;
  const attested = new Set([...feed.links].map(({ index }) => index));
  return {
    nodeId: identity.nodeId,
    name: start.node.name,
    phase: phases[manager.phase],
    role: role === 'pre-candidate' ? 'candidate' : role,
    view,
    ...(leader && { leader }),
    lastHeight,
    committedHeight: log.committedHeight,
    committedSeqno: log.committedSeqno,
    epoch: currentEpoch(administration.committedState),
    measurement: verdict.measurement,
    platform: verdict.platform,
    workers: start.workers.map(({ index, adapters }) => ({
      index,
      adapters,
      ready: attested.has(index),
    })),
  };
}

function networkState(manager: Manager): NetworkState {
  const { network, administration, driver } = manager;
  const constitution = administration.committedConstitution;
  const { view, leader } = driver.status;
  return {
    networkId: network.id,
    name: constitution.name,
    networkCertificate: network.certificate,
    constitutionDigest: constitutionDigest(constitution),
    view,
    ...(leader && { leader }),
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

function constitutionAnswer(manager: Manager): ConstitutionAnswer {
  const constitution = manager.administration.committedConstitution;
  return {
    networkId: manager.network.id,
    digest: constitutionDigest(constitution),
    constitution,
  };
}
