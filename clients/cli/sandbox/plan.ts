import type { Constitution } from '@concordat/governance';
import type { Identity } from '@concordat/sdk';
import type { ImageMeasurement } from './images.ts';
import { loopback, type SandboxLayout, type SandboxNode } from './layout.ts';

/** Chain id of a sandbox's Ethereum chain. */
export const sandboxChainId = 20_170_810;

/** Accounts with 10,000 ether each at genesis: those of the test mnemonic every tool knows. */
const fundedAccounts = [
  '0xf39fd6e51aad88f6f4ce6ab8827279cfffb92266',
  '0x70997970c51812dc3a010c7d01b50e0d17dc79c8',
  '0x3c44cdddb6a900fa2b585dd299e03d12fa4293bc',
  '0x90f79bf6eb2c4f870365e785982e1f101e93b906',
  '0x15d34aaf54267db7d7c367839aaf71a00a2c6a65',
];

const tenThousandEther = `0x${(10_000n * 10n ** 18n).toString(16)}`;

/** The one chain an ordinary sandbox runs. */
export const sandboxChain = {
  name: 'main',
  chainId: sandboxChainId,
  hardfork: 'prague',
  gasLimit: 60_000_000,
  zeroFee: true,
  alloc: Object.fromEntries(
    fundedAccounts.map((address) => [address, { balance: tenThousandEther }]),
  ),
};

/** What executes Ethereum transactions: `adapters.ethereum.chains[].engine` of a constitution. */
export type EngineChoice = 'own' | 'reference';

/** `constitution.adapters` of an ordinary sandbox. */
export const sandboxAdapters = (engine: EngineChoice) => ({
  ethereum: { chains: [{ ...sandboxChain, engine }] },
  keyvalue: {},
});

/** An image for workers: the ledger protocols, or applications deployed by vote. */
export type WorkerImage = 'worker' | 'application';

/** What a sandbox is begun with. */
export interface SandboxPlan {
  readonly name: string;
  readonly nodes: readonly SandboxNode[];
  readonly measurements: readonly ImageMeasurement[];
  /** `constitution.adapters` */
  readonly adapters: Readonly<Record<string, unknown>>;
  readonly policies: Partial<Constitution['policies']>;
  /** Files of genesis data by adapter id. */
  readonly genesisData: Readonly<Record<string, string>>;
  /** Image its workers run. */
  readonly workerImage: WorkerImage;
}

/** The genesis constitution: the first organisation alone, and a participant behind the gateway. */
export function genesisConstitution(
  plan: SandboxPlan,
  options: {
    readonly founder: Identity;
    readonly frontOffice: Identity;
  },
) {
  const { founder, frontOffice } = options;
  return {
    version: 1,
    name: plan.name,
    actors: [
      {
        kind: ['member', 'participant'],
        name: (plan.nodes[0] as SandboxNode).organisation,
        certificate: founder.certificatePem,
        roles: [],
      },
      {
        kind: ['participant'],
        name: 'front-office',
        certificate: frontOffice.certificatePem,
        roles: [],
      },
    ],
    nodes: [],
    codeManifest: plan.measurements.map(({ name, role, measurement, adapters }) => ({
      measurement,
      role,
      name,
      version: '0.1.0',
      ...(adapters && { adapters: [...adapters].sort() }),
    })),
    teeManifest: [{ platform: 'virtual', rank: 0 }],
    votingPolicies: { default: { kind: 'majority' } },
    policies: plan.policies,
    adapters: plan.adapters,
  };
}

/** Configuration of one node's host. */
export function nodeConfig(layout: SandboxLayout, plan: SandboxPlan, node: SandboxNode) {
  const [first] = plan.nodes as [SandboxNode];
  const { host = loopback } = node;
  const begins = node.name === first.name;
  const genesis = {
    mode: 'genesis',
    genesisFile: layout.genesis,
    actorCertificateFile: layout.identity(node.organisation).certificateFile,
    genesisData: plan.genesisData,
  };
  const join = {
    mode: 'join',
    networkCertificateFile: layout.networkCertificate,
    // Whoever runs a sandbox wrote its constitution.
    approve: 'any',
    peers: plan.nodes
      .filter(({ name }) => name !== node.name)
      .map(({ host = loopback, ports }) => `${host}:${ports.node}`),
  };
  return {
    version: 1,
    name: node.name,
    ...(begins ? genesis : join),
    dataDirectory: layout.nodeData(node.name),
    listen: {
      node: `${host}:${node.ports.node}`,
      admin: `${host}:${node.ports.admin}`,
    },
    manager: { image: layout.image('manager') },
    workers: [
      { image: layout.image(plan.workerImage), listen: `${host}:${node.ports.application}` },
    ],
  };
}

/** Configuration of a node's host as a sandbox writes it (node/host/config.schema.json). */
export type NodeConfig = ReturnType<typeof nodeConfig>;
