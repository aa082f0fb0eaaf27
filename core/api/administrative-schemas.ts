/** A JSON Schema (draft 2020-12), as OpenAPI 3.1 has it. */
export type JsonSchema = Readonly<Record<string, unknown>>;

const text: JsonSchema = { type: 'string' };
const whole: JsonSchema = { type: 'integer', minimum: 0 };
const listOf = (items: JsonSchema): JsonSchema => ({ type: 'array', items });
const ref = (name: string): JsonSchema => ({ $ref: `#/components/schemas/${name}` });
const oneOf = (...values: string[]): JsonSchema => ({ type: 'string', enum: values });
const pattern = (expression: string, description: string): JsonSchema => ({
  type: 'string',
  pattern: expression,
  description,
});

const digest = pattern('^[0-9a-f]{64}$', '32 bytes, hex');
const hex = pattern('^([0-9a-f]{2})+$', 'bytes, hex');
const base64: JsonSchema = { type: 'string', contentEncoding: 'base64' };
const transactionId = pattern('^[0-9]+\\.[0-9]+$', 'view.seqno');
const pem: JsonSchema = { type: 'string', description: 'X.509 certificate, PEM' };
const seconds: JsonSchema = { type: 'integer', minimum: 0, description: 'since the Unix epoch' };
const milliseconds: JsonSchema = {
  type: 'integer',
  minimum: 0,
  description: 'milliseconds since the Unix epoch',
};

/** An object with these properties and no others; those whose name ends in `?` may be absent. */
function object(properties: Readonly<Record<string, JsonSchema>>): JsonSchema {
  const entries = Object.entries(properties);
  return {
    type: 'object',
    properties: Object.fromEntries(entries.map(([name, schema]) => [bare(name), schema])),
    required: entries.map(([name]) => name).filter((name) => !name.endsWith('?')),
    additionalProperties: false,
  };
}

const bare = (name: string): string => name.replace(/\?$/, '');

const phase = oneOf(
  'starting',
  'joining',
  'awaiting-approval',
  'catching-up',
  'recovering',
  'ready',
  'stopping',
);

const formerLedger = object({
  networkId: digest,
  networkCertificate: pem,
  lastHeight: whole,
  lastTransaction: text,
  lastTimeMs: milliseconds,
  historyRoot: digest,
  constitutionDigest: digest,
});

const sharing = object({
  number: whole,
  threshold: whole,
  form: hex,
  holders: listOf(
    object({ actorId: digest, name: text, copies: whole, 'copiedAtSeconds?': seconds }),
  ),
});

const proofStep = {
  oneOf: [object({ left: digest }), object({ right: digest })],
};

/** How a vote was cast: by a message, or by a rule of the constitution. */
const cast = {
  accept: { type: 'boolean' },
  atSeconds: seconds,
  'message?': digest,
  'rule?': text,
};

const proposalState = oneOf(
  'open',
  'accepted',
  'rejected',
  'withdrawn',
  'failed',
  'expired',
  'superseded',
);

/** The shapes of the administrative channel's bodies, by name. */
export const administrativeSchemas: Readonly<Record<string, JsonSchema>> = {
  Error: object({
    error: object({
      code: { ...text, description: 'of the catalogue, docs/errors.md' },
      message: text,
      'details?': {},
    }),
  }),
  Health: object({ status: { const: 'ok' }, phase }),
  Application: object({
    adapter: text,
    state: oneOf('none', 'starting', 'running', 'failing'),
    'digest?': digest,
    'reason?': text,
  }),
  NodeState: object({
    nodeId: digest,
    name: text,
    phase,
    role: oneOf('leader', 'follower', 'candidate', 'learner'),
    view: whole,
    'leader?': digest,
    lastHeight: whole,
    committedHeight: whole,
    committedSeqno: whole,
    snapshotHeight: whole,
    'backfill?': object({ missing: whole, from: whole }),
    epoch: whole,
    measurement: digest,
    platform: text,
    workers: listOf(
      object({
        index: whole,
        adapters: listOf(text),
        ready: { type: 'boolean' },
        applications: listOf(ref('Application')),
      }),
    ),
  }),
  Network: object({
    networkId: digest,
    name: text,
    networkCertificate: pem,
    constitutionDigest: digest,
    view: whole,
    'leader?': digest,
    'requestKey?': base64,
    nodes: listOf(
      object({
        nodeId: digest,
        actorId: digest,
        name: text,
        status: oneOf('admitted', 'learning', 'trusted', 'retired'),
        address: text,
        adminAddress: text,
        applicationAddresses: listOf(text),
      }),
    ),
  }),
  Evidence: object({
    statement: object({
      type: { const: 'concordat.node-evidence.v1' },
      nonce: digest,
      networkId: digest,
      nodeId: digest,
      publicKey: hex,
      workers: listOf(object({ measurement: digest, platform: text })),
    }),
    evidence: base64,
  }),
  Transaction: object({
    transaction_id: transactionId,
    status: oneOf('Unknown', 'Pending', 'Committed', 'Invalid'),
  }),
  Commit: object({ transaction_id: transactionId }),
  Receipt: object({
    cert: pem,
    leaf_components: object({
      write_set_digest: digest,
      commit_evidence: text,
      claims_digest: digest,
    }),
    node_id: digest,
    proof: listOf(proofStep),
    signature: base64,
    'service_endorsements?': listOf(pem),
  }),
  Constitution: object({
    networkId: digest,
    digest,
    constitution: {
      type: 'object',
      description: 'its own schema is docs/format/constitution.schema.json',
      properties: { version: { const: 1 }, name: text },
      required: ['version', 'name', 'actors', 'nodes', 'votingPolicies', 'policies'],
    },
  }),
  Proposal: {
    type: 'object',
    properties: {
      proposalId: digest,
      sequence: whole,
      proposer: digest,
      createdAtSeconds: seconds,
      openedAtSeconds: seconds,
      expiresAtSeconds: seconds,
      actions: listOf(object({ name: text, args: { type: 'object' } })),
      requirements: listOf(object({ kind: text, policy: { type: 'object' } })),
      consents: listOf(digest),
      votes: listOf(object({ actorId: digest, ...cast, 'earlier?': listOf(object(cast)) })),
      state: proposalState,
      closedAtSeconds: seconds,
      supersededBy: digest,
      failure: object({ code: text, message: text }),
    },
    required: ['proposalId', 'sequence', 'proposer', 'actions', 'requirements', 'votes', 'state'],
  },
  Proposals: object({ proposals: listOf(ref('Proposal')) }),
  Event: object({
    transactionId,
    timeMs: milliseconds,
    event: {
      type: 'object',
      properties: {
        event: oneOf(
          'proposal',
          'actor-added',
          'actor-changed',
          'actor-removed',
          'node-changed',
          'node-unlisted',
          'epoch-begun',
          'constitution-acknowledged',
          'constitution-changed',
        ),
        proposal: ref('Proposal'),
      },
      required: ['event'],
    },
  }),
  Submission: object({
    proposalId: digest,
    state: proposalState,
    effects: listOf({
      type: 'object',
      properties: { kind: text },
      required: ['kind'],
    }),
    transactionId,
  }),
  SharedKeys: object({
    epoch: whole,
    keys: listOf(object({ number: whole, keyId: digest, sharings: listOf(sharing) })),
    'ceremony?': object({
      state: oneOf('open', 'due'),
      purpose: oneOf('fresh', 'reshare'),
      reason: text,
      key: whole,
    }),
    outOfReach: listOf(whole),
  }),
  KeyExport: object({
    copies: listOf(object({ key: whole, sharing: whole, file: text })),
    missing: listOf(object({ key: whole, sharing: whole })),
  }),
  AuditShares: object({ epochs: listOf(whole), file: text }),
  Recovery: object({
    stage: oneOf('shares', 'restoring', 'restored', 'open'),
    former: formerLedger,
    'missing?': listOf(
      object({ from: whole, to: whole, needed: whole, given: listOf(text), missing: listOf(text) }),
    ),
    'failure?': text,
    'formerBlocks?': whole,
    'transactions?': whole,
  }),
  RecoveryOffer: object({
    statement: object({
      type: { const: 'concordat.recovery-offer.v1' },
      nonce: digest,
      networkId: digest,
      nodeId: digest,
      publicKey: hex,
      encryptionKey: hex,
      former: formerLedger,
    }),
    evidence: base64,
  }),
  RecoveryGift: object({ message: base64, sealed: base64 }),
};
