import type { EvidenceRecord } from '@concordat/attestation';
import type { TransactionSet } from '@concordat/kv';
import { type Height, toHeight, toView } from '@concordat/std';
import { reportDataFor } from './admission.ts';
import { entropy, pause } from './enclave-sources.ts';
import { ManagerError } from './errors.ts';
import type { Manager } from './manager.ts';
import { type Genesis, prepareGenesis } from './network-genesis.ts';

/** Parts of genesis data are handed to the worker in pieces of this size. */
const partBytes = 4 * 1024 * 1024;

/**
 * Begins a network (paper, "Bringing up the Network"): the first block holds the genesis
 * constitution, the next ones the initial state of each adapter; then this node serves alone.
 * @throws ManagerError INVALID_START; GovernanceError
 */
export async function startGenesis(manager: Manager): Promise<void> {
  await manager.connectWorkers();
  await beginNetwork(manager, manager.start.genesis);
  await makeInitialState(manager);
  // Last: a network whose initial state is incomplete must not be taken for one to resume.
  await manager.sealIdentity();
  await manager.serve();
}

/**
 * Makes a network's first block: its constitution, its key, the evidence of this node.
 * @param given the genesis constitution, as JSON
 * @param also written in the same transaction, where the network goes on from another
 * @throws ManagerError INVALID_START; GovernanceError
 */
export async function beginNetwork(
  manager: Manager,
  given: unknown,
  also?: (set: TransactionSet) => void,
): Promise<void> {
  const { identity, verdict, control, workers } = manager;
  const start = { ...manager.start, genesis: given };
  const reason = also ? 'recovery' : 'genesis';
  const asked = { start, identity, verdict, entropy, nowMs: Date.now(), reason } as const;
  const genesis = prepareGenesis(asked);
  const { networkId, networkCertificate, nodeCertificate, constitution } = genesis;
  manager.belongTo({ id: networkId, certificate: networkCertificate }, nodeCertificate);
  control.log('genesis.prepared', { networkId, digest: genesis.digest });
  const evidence = await ownEvidence(manager, genesis);
  manager.startConsensus(
    {
      view: toView(0),
      lastHeight: toHeight(0),
      lastView: toView(0),
      committed: toHeight(0),
      configuration: { voters: [identity.nodeId] },
      configurationHeight: toHeight(0),
      viewHistory: [],
    },
    constitution.policies,
  );
  await leads(manager);
  // First: the first block must not outlive the only share that reads it.
  await manager.vault.keepHolder(genesis.holderKey);
  const { result } = await manager.queue.administer((set) => {
    const share = genesis.write(set, manager, evidence);
    also?.(set);
    return share;
  });
  await manager.vault.keepShare(result, result);
  workers.configure(constitution);
}

/** Nobody asks the first node for evidence: it records some of its own, bound to its network. */
async function ownEvidence(
  { control, identity }: Manager,
  { challenge }: Genesis,
): Promise<EvidenceRecord> {
  const bound = reportDataFor(identity.signing.publicKeySpki, challenge);
  return { ...challenge, evidence: await control.attest(bound), verifiedAtMs: Date.now() };
}

/** A lone voter elects itself without waiting for a silence nobody else could break. */
async function leads(manager: Manager): Promise<void> {
  const { driver, start } = manager;
  for (let ticks = 0; !driver.leads; ticks++) {
    if (ticks > 10_000) throw new ManagerError('NOT_LEADER', 'the first node did not get to lead');
    driver.tick();
    await pause(Math.min(1, start.tickMs));
  }
}

async function makeInitialState(manager: Manager): Promise<void> {
  for (const link of manager.feed.links) {
    const worker = manager.start.workers.find(({ index }) => index === link.index);
    for (const adapterId of worker?.adapters ?? []) {
      const data = Buffer.concat(manager.genesisData.get(adapterId) ?? []);
      for (let at = 0; at < data.length; at += partBytes) {
        const part = data.subarray(at, at + partBytes);
        link.send({ kind: 'genesis', adapterId, last: false, part });
      }
      link.send({ kind: 'genesis', adapterId, last: true, part: Buffer.alloc(0) });
    }
    await link.settled();
  }
  await committed(manager, manager.log.lastHeight);
  manager.genesisData.clear();
}

/** Waits until the ledger is final up to a height. */
export async function committed(manager: Manager, height: Height): Promise<void> {
  while (manager.log.committedHeight < height) await pause(2);
}
