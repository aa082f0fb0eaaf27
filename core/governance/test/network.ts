import assert from 'node:assert/strict';
import {
  actorIdOf,
  createEncryptionKey,
  createSigningKey,
  issueCertificate,
  nodeIdOf,
  type SigningKey,
  toPem,
} from '@concordat/crypto';
import {
  type ActionName,
  buildProposal,
  buildVote,
  buildWithdrawal,
  type Constitution,
  type FormerNetwork,
  GovernanceError,
  type GovernanceErrorCode,
  governanceTables,
  type JoiningNode,
  networkIdOf,
  nodeJoins,
  nodeTrusted,
  type ProposedAction,
  parseConstitution,
  programDigest,
  readConstitution,
  type Submission,
  signNodeTuple,
  submitMessage,
  writeGenesis,
} from '@concordat/governance';
import { Store, type TransactionSet } from '@concordat/kv';
import { type ActorId, type NodeId, toHex, utf8 } from '@concordat/std';

/** Noon of some day, seconds. */
export const noon = 1_700_000_000;
export const validFromMs = (noon - 86_400) * 1000;
export const validToMs = (noon + 365 * 86_400) * 1000;

export const seed = (n: number): Uint8Array => {
  const bytes = new Uint8Array(32).fill(7);
  new DataView(bytes.buffer).setUint32(0, n);
  return bytes;
};

/** What some adapter runs. */
export const program = utf8('some program');

/** A network of which only the ledger is left. */
export const formerNetwork: FormerNetwork = {
  networkId: 'fe'.repeat(32),
  networkCertificate: 'PEM',
  lastHeight: 20,
  lastTransaction: '2.31',
  lastTimeMs: noon * 1000,
  historyRoot: 'ed'.repeat(32),
  constitutionDigest: 'dc'.repeat(32),
};

/** An organisation with its key and certificate. */
export interface Organisation {
  readonly name: string;
  readonly key: SigningKey;
  readonly der: Uint8Array;
  readonly pem: string;
  readonly actorId: ActorId;
}

const organisations = new Map<string, Organisation>();

export function organisation(name: string): Organisation {
  const known = organisations.get(name);
  if (known) return known;
  const number = [...name].reduce((sum, char) => sum * 31 + char.charCodeAt(0), 17) >>> 0;
  const key = createSigningKey(seed(number));
  const der = issueCertificate({
    subject: { commonName: name },
    publicKeySpki: key.publicKeySpki,
    issuer: { key },
    serial: Uint8Array.of(1),
    notBeforeMs: validFromMs,
    notAfterMs: validToMs,
    isCa: true,
    usages: ['keyCertSign', 'clientAuth'],
  });
  const made = { name, key, der, pem: toPem(der), actorId: actorIdOf(der) };
  organisations.set(name, made);
  return made;
}

export const actorArgs = (name: string, ...kind: string[]) => ({
  kind: kind.length > 0 ? kind : ['member'],
  name,
  certificate: organisation(name).pem,
});

const networkKey = createSigningKey(seed(999_999));
const networkDer = issueCertificate({
  subject: { commonName: 'network' },
  publicKeySpki: networkKey.publicKeySpki,
  issuer: { key: networkKey },
  serial: Uint8Array.of(1),
  notBeforeMs: validFromMs,
  notAfterMs: validToMs,
  isCa: true,
  usages: ['keyCertSign'],
});

export const measurement = 'aa'.repeat(32);
export const platformKey = 'bb'.repeat(32);
const encryptionKey = toHex(createEncryptionKey(seed(5)).publicKey);
export const verdict = { platform: 'virtual', measurement, platformKey, debug: false };

/** A validating node's keys and its tuple, signed by its owner. */
export function machine(owner: Organisation, number: number, address = `node${number}:7000`) {
  const key = createSigningKey(seed(50_000 + number));
  const certificate = toPem(
    issueCertificate({
      subject: { commonName: `node ${number}` },
      publicKeySpki: key.publicKeySpki,
      issuer: { key: networkKey, certificateDer: networkDer },
      serial: Uint8Array.of(2, number & 0xff),
      notBeforeMs: validFromMs,
      notAfterMs: validToMs,
      isCa: false,
      usages: ['clientAuth', 'serverAuth'],
    }),
  );
  const nodeId = nodeIdOf(key.publicKeySpki);
  const tuple = {
    actorId: owner.actorId as string,
    name: `node ${number}`,
    address,
    adminAddress: `node${number}:7001`,
    applicationAddresses: [`node${number}:7002`],
    publicKey: toHex(key.publicKeySpki),
    encryptionKey,
    signature: signNodeTuple(owner.key, { address, publicKey: key.publicKeySpki }),
  };
  const joining: JoiningNode = { nodeId, certificate, verdict, encryptionKey };
  return { nodeId, tuple, joining };
}

export const genesisJson = (
  members: readonly string[],
  overrides: Record<string, unknown> = {},
): Record<string, unknown> => ({
  version: 1,
  name: 'Test network',
  actors: members.map((name) => actorArgs(name)),
  codeManifest: [{ measurement, role: 'manager', name: 'manager', version: '1.0.0' }],
  teeManifest: [{ platform: 'virtual', rank: 0 }],
  votingPolicies: { default: { kind: 'majority' } },
  ...overrides,
});

/** A network in one store, governed by messages. */
export class Network {
  readonly store = new Store(governanceTables);
  readonly set: TransactionSet;
  readonly genesis: Constitution;
  readonly networkId: string;
  now = noon;

  constructor(members: readonly string[], overrides: Record<string, unknown> = {}) {
    this.genesis = parseConstitution(genesisJson(members, overrides));
    this.networkId = networkIdOf(this.genesis, networkDer);
    this.set = this.store.begin(1);
    writeGenesis(this.set, this.genesis, {
      networkId: this.networkId,
      networkCertificatePem: toPem(networkDer),
      timeMs: noon * 1000,
    });
  }

  get constitution(): Constitution {
    return readConstitution(this.set);
  }

  get memberNames(): string[] {
    return this.constitution.actors
      .filter(({ kind }) => kind.includes('member'))
      .map(({ name }) => name)
      .sort();
  }

  options(name: string) {
    const { key, der } = organisation(name);
    this.now++;
    return {
      key,
      certificateDer: der,
      networkId: this.networkId,
      createdAtSeconds: this.now,
    };
  }

  submit(message: Uint8Array, program?: Uint8Array): Submission {
    return submitMessage(this.set, message, { nowSeconds: this.now, ...(program && { program }) });
  }

  /** Proposes to put a program in force, with or without the program itself. */
  proposeProgram(
    name: string,
    adapter: string,
    { of = program, attached = of }: { of?: Uint8Array; attached?: Uint8Array | null } = {},
  ): Submission {
    const args = { adapter, digest: programDigest(of), bytes: of.length };
    const message = buildProposal({
      ...this.options(name),
      actions: [action('set_application', args)],
    });
    return this.submit(message, attached ?? undefined);
  }

  /** Puts a program in force by vote. */
  deploy(voters: readonly string[], adapter: string, of: Uint8Array): Submission {
    let last = this.proposeProgram(voters[0] as string, adapter, { of });
    for (const voter of voters) {
      if (last.state === 'open') last = this.vote(voter, last.proposalId);
    }
    assert.equal(last.state, 'accepted');
    return last;
  }

  propose(name: string, ...actions: ProposedAction[]): Submission {
    return this.submit(buildProposal({ ...this.options(name), actions }));
  }

  vote(name: string, proposalId: string, accept = true): Submission {
    return this.submit(buildVote({ ...this.options(name), proposalId, accept }));
  }

  withdraw(name: string, proposalId: string): Submission {
    return this.submit(buildWithdrawal({ ...this.options(name), proposalId }));
  }

  /** Proposes and lets members accept until it is decided. */
  pass(voters: readonly string[], ...actions: ProposedAction[]): Submission {
    let last = this.propose(voters[0] as string, ...actions);
    for (const voter of voters) {
      if (last.state === 'open') last = this.vote(voter, last.proposalId);
    }
    assert.equal(last.state, 'accepted');
    return last;
  }

  /** Admits a machine by vote and lets it become trusted. */
  trust(voters: readonly string[], node: ReturnType<typeof machine>): NodeId {
    this.pass(voters, action('add_node', node.tuple));
    nodeJoins(this.set, node.joining);
    nodeTrusted(this.set, node.nodeId);
    return node.nodeId;
  }

  /** Every row, for comparing states. */
  dump(): string {
    const rows = governanceTables.map(({ name }) => [
      name,
      Array.from(this.set.table(name).entries(), ([key, value]) => [key, toHex(value)]),
    ]);
    return JSON.stringify(rows);
  }

  /** Runs what must be refused with this code and must leave no trace. */
  refuses(code: GovernanceErrorCode, attempt: () => unknown): GovernanceError {
    const before = this.dump();
    let refusal: unknown;
    try {
      attempt();
    } catch (error) {
      refusal = error;
    }
    assert.ok(refusal instanceof GovernanceError, `expected ${code}, got ${refusal}`);
    assert.equal(refusal.code, code, refusal.message);
    assert.equal(this.dump(), before, `${code} left a trace`);
    return refusal;
  }
}

export const action = (name: ActionName, args: Record<string, unknown>): ProposedAction => ({
  name,
  args,
});

/** The public JSON Web Key of a P-256 key by number. */
export function jwkOf(number: number): Record<string, unknown> {
  const { publicKeySpki } = createSigningKey(seed(number));
  const point = Buffer.from(publicKeySpki.subarray(27));
  const [x, y] = [point.subarray(0, 32), point.subarray(32)];
  return { kty: 'EC', crv: 'P-256', x: x.toString('base64url'), y: y.toString('base64url') };
}
