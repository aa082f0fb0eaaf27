import { adminPaths, coseMediaType, eventStreamMediaType } from './administrative-channel.ts';
import { administrativeSchemas, type JsonSchema } from './administrative-schemas.ts';
import { deploymentMediaType } from './deployment.ts';
import { catalogueEntry, type ErrorCode } from './error-catalogue.ts';

/** One thing that can be asked of the administrative channel. */
export interface AdministrativeOperation {
  readonly method: 'get' | 'post';
  /** As OpenAPI has it: parameters in braces. */
  readonly path: string;
  readonly id: string;
  readonly summary: string;
  /** Who may ask: `anybody`, an `actor`, or a `member` whose signature counts. */
  readonly from: 'anybody' | 'actor' | 'member';
  readonly parameters?: readonly Parameter[];
  /** Media type of the body. */
  readonly takes?: string;
  /** What it answers with status 200: a schema's name for JSON, or media types. */
  readonly gives: string | readonly string[];
  /** What may go wrong beyond what may go wrong with every request. */
  readonly errors?: readonly ErrorCode[];
}

interface Parameter {
  readonly in: 'query' | 'path' | 'header';
  readonly name: string;
  readonly description: string;
  readonly schema: JsonSchema;
  readonly required?: boolean;
}

const jsonMediaType = 'application/json';
const bytesMediaType = 'application/octet-stream';
const metricsMediaType = 'text/plain';

const nonce: Parameter = {
  in: 'query',
  name: 'nonce',
  required: true,
  description: '64 hex digits, drawn by the client: the evidence is no older',
  schema: { type: 'string', pattern: '^[0-9a-f]{64}$' },
};
const transaction: Parameter = {
  in: 'query',
  name: 'transaction_id',
  required: true,
  description: 'view.seqno',
  schema: { type: 'string', pattern: '^[0-9]+\\.[0-9]+$' },
};
const named = (name: string, description: string): Parameter => ({
  in: 'path',
  name,
  required: true,
  description,
  schema: { type: 'string', pattern: '^[0-9a-f]{64}$' },
});

const leaderErrors = ['NOT_LEADER', 'TRANSACTION_LOST', 'TRANSACTION_UNKNOWN'] as const;
const messageErrors = [
  'UNSUPPORTED_MEDIA_TYPE',
  'PAYLOAD_TOO_LARGE',
  'MALFORMED_MESSAGE',
  'BAD_SIGNATURE',
  'NOT_A_MEMBER',
  'WRONG_NETWORK',
  'OVERLOADED',
  ...leaderErrors,
] as const;

const message = {
  method: 'post',
  from: 'member',
  takes: coseMediaType,
} as const;
const read = { method: 'get', from: 'actor' } as const;

/** Everything that can be asked of the administrative channel, in the order of the document. */
export const administrativeOperations: readonly AdministrativeOperation[] = [
  { ...read, path: adminPaths.state, id: 'getState', gives: 'NodeState', summary: 'this node' },
  {
    ...read,
    path: adminPaths.network,
    id: 'getNetwork',
    gives: 'Network',
    summary: 'the network and its nodes',
  },
  {
    ...read,
    path: adminPaths.health,
    id: 'getHealth',
    gives: 'Health',
    summary: '200 while the process works at all',
  },
  {
    ...read,
    path: adminPaths.ready,
    id: 'getReady',
    gives: 'Health',
    summary: '200 while the node serves and knows a leader',
    errors: ['NODE_NOT_READY'],
  },
  {
    ...read,
    from: 'anybody',
    path: adminPaths.evidence,
    id: 'getEvidence',
    gives: 'Evidence',
    summary: 'evidence that this node runs the code it says, bound to this connection’s key',
    parameters: [nonce],
    errors: ['INVALID_PARAMETER', 'OVERLOADED'],
  },
  {
    ...read,
    path: adminPaths.commit,
    id: 'getCommit',
    gives: 'Commit',
    summary: 'the last committed transaction',
  },
  {
    ...read,
    path: adminPaths.transaction,
    id: 'getTransaction',
    gives: 'Transaction',
    summary: 'where a transaction stands',
    parameters: [transaction],
    errors: ['INVALID_PARAMETER'],
  },
  {
    ...read,
    path: adminPaths.receipt,
    id: 'getReceipt',
    gives: 'Receipt',
    summary: 'the receipt of a committed transaction; as COSE with format=cose',
    parameters: [
      transaction,
      {
        in: 'query',
        name: 'format',
        description: 'json, or cose for application/cose',
        schema: { type: 'string', enum: ['json', 'cose'] },
      },
    ],
    errors: [
      'INVALID_PARAMETER',
      'TRANSACTION_PENDING',
      'TRANSACTION_NOT_FOUND',
      'BLOCK_NOT_HELD',
      'SESSION_KEY_MISSING',
    ],
  },
  {
    ...read,
    path: adminPaths.metrics,
    id: 'getMetrics',
    gives: [metricsMediaType],
    summary: 'metrics as Prometheus text, version 0.0.4',
  },
  {
    ...read,
    path: adminPaths.openApi,
    id: 'getOpenApi',
    gives: [jsonMediaType],
    summary: 'this document',
  },
  {
    ...read,
    path: adminPaths.constitution,
    id: 'getConstitution',
    gives: 'Constitution',
    summary: 'the constitution in force',
  },
  {
    ...read,
    path: adminPaths.proposals,
    id: 'getProposals',
    gives: 'Proposals',
    summary: 'every proposal, in the order of opening',
  },
  {
    ...read,
    path: `${adminPaths.proposals}/{proposalId}`,
    id: 'getProposal',
    gives: 'Proposal',
    summary: 'one proposal with its votes',
    parameters: [named('proposalId', 'hex, 32 bytes')],
    errors: ['PROPOSAL_NOT_FOUND'],
  },
  {
    ...read,
    path: adminPaths.events,
    id: 'watch',
    gives: [eventStreamMediaType],
    summary: 'what committed transactions change in governance: events whose data is an Event',
    parameters: [
      {
        in: 'query',
        name: 'since',
        description:
          'begin after the transaction of this seqno, 0 with the first; else from now on',
        schema: { type: 'integer', minimum: 0 },
      },
      {
        in: 'header',
        name: 'last-event-id',
        description: 'the last id of an event that was heard, in place of since',
        schema: { type: 'string' },
      },
    ],
    errors: ['INVALID_PARAMETER', 'OVERLOADED', 'BLOCK_NOT_HELD'],
  },
  {
    ...message,
    path: adminPaths.messages,
    id: 'submitMessage',
    gives: 'Submission',
    summary: 'a signed proposal, vote, withdrawal or order; answered after its commit',
    errors: [
      ...messageErrors,
      'INVALID_ACTION',
      'PROPOSAL_NOT_FOUND',
      'PROPOSAL_NOT_OPEN',
      'CONSTITUTION_NOT_IN_FORCE',
    ],
  },
  {
    ...message,
    path: adminPaths.deployments,
    id: 'submitDeployment',
    takes: deploymentMediaType,
    gives: 'Submission',
    summary: 'a signed proposal together with the program it names',
    errors: [
      ...messageErrors,
      'MALFORMED_REQUEST',
      'INVALID_ACTION',
      'PROGRAM_MISMATCH',
      'PROGRAM_REFUSED',
    ],
  },
  {
    ...read,
    path: `${adminPaths.programs}/{digest}`,
    id: 'getProgram',
    gives: [bytesMediaType],
    summary: 'a program that is in force or proposed',
    parameters: [named('digest', 'hex SHA-256 of the program')],
    errors: ['APPLICATION_NOT_FOUND'],
  },
  {
    ...read,
    path: adminPaths.keys,
    id: 'getSharedKeys',
    gives: 'SharedKeys',
    summary: 'the shared keys, who holds shares of them, who was given copies',
  },
  {
    ...message,
    path: adminPaths.keyExports,
    id: 'exportKeys',
    gives: 'KeyExport',
    summary: 'recovery copies of the signer’s own shares',
    errors: [...messageErrors, 'NOT_A_HOLDER'],
  },
  {
    ...message,
    path: adminPaths.auditShares,
    id: 'giveAuditShares',
    gives: 'AuditShares',
    summary: 'the signer’s decryption shares for an auditor',
    errors: [...messageErrors, 'AUDIT_NOT_GRANTED', 'NOT_A_HOLDER'],
  },
  {
    ...read,
    path: adminPaths.recovery,
    id: 'getRecovery',
    gives: 'Recovery',
    summary: 'how far a recovered network is',
    errors: ['NETWORK_NOT_RECOVERING'],
  },
  {
    ...read,
    path: adminPaths.recoveryOffer,
    id: 'getRecoveryOffer',
    gives: 'RecoveryOffer',
    summary: 'what a recovering node attests, to seal shares to',
    parameters: [nonce],
    errors: ['INVALID_PARAMETER', 'NETWORK_NOT_RECOVERING'],
  },
  {
    ...message,
    path: adminPaths.recoveryShares,
    id: 'giveRecoveryShares',
    takes: jsonMediaType,
    gives: 'Recovery',
    summary: 'a member’s decryption shares for a recovery (schema RecoveryGift)',
    errors: ['NETWORK_NOT_RECOVERING', 'MALFORMED_REQUEST', 'PAYLOAD_TOO_LARGE'],
  },
];

const commonErrors: readonly ErrorCode[] = [
  'UNKNOWN_ACTOR',
  'NOT_FOUND',
  'METHOD_NOT_ALLOWED',
  'INTERNAL_ERROR',
];

/** Of the interface: a change that breaks a client makes it the next whole number. */
const version = '1.0.0';

/**
 * The OpenAPI 3.1 document of the administrative channel, as plain JSON. Every node serves it at
 * {@link adminPaths}.openApi.
 */
export function administrativeOpenApi(): JsonSchema {
  const paths: Record<string, Record<string, unknown>> = {};
  for (const operation of administrativeOperations) {
    paths[operation.path] = {
      ...paths[operation.path],
      [operation.method]: operationObject(operation),
    };
  }
  return {
    openapi: '3.1.0',
    info: {
      title: 'Concordat, administrative channel',
      version,
      description:
        'Mutual TLS 1.3 with the certificate of an actor. Whoever reads needs no more; whatever changes the network is a message signed with COSE_Sign1 by a member (docs/format/governance.md).',
    },
    paths,
    components: {
      schemas: administrativeSchemas,
      securitySchemes: { actor: { type: 'mutualTLS' } },
    },
  };
}

function operationObject(operation: AdministrativeOperation): JsonSchema {
  const { id, summary, from, parameters, takes, gives } = operation;
  return {
    operationId: id,
    summary,
    security: from === 'anybody' ? [] : [{ actor: [] }],
    ...(parameters && { parameters }),
    ...(takes && {
      requestBody: { required: true, content: { [takes]: { schema: bodySchema(takes) } } },
    }),
    responses: {
      '200': {
        description: summary,
        content: typeof gives === 'string' ? jsonContent(gives) : anyContent(gives),
      },
      ...errorResponses(operation),
    },
  };
}

const bodySchema = (mediaType: string): JsonSchema =>
  mediaType === jsonMediaType ? { $ref: '#/components/schemas/RecoveryGift' } : {};

const jsonContent = (name: string): JsonSchema => ({
  [jsonMediaType]: { schema: { $ref: `#/components/schemas/${name}` } },
  ...(name === 'Receipt' && { [coseMediaType]: {} }),
});

const anyContent = (mediaTypes: readonly string[]): JsonSchema =>
  Object.fromEntries(mediaTypes.map((mediaType) => [mediaType, {}]));

/** One response for each status that errors have, naming their codes. */
function errorResponses({ errors = [] }: AdministrativeOperation): JsonSchema {
  const byStatus = new Map<number, ErrorCode[]>();
  for (const code of [...commonErrors, ...errors]) {
    const { status } = catalogueEntry(code);
    byStatus.set(status, [...(byStatus.get(status) ?? []), code]);
  }
  const ascending = [...byStatus].sort(([a], [b]) => a - b);
  return Object.fromEntries(
    ascending.map(([status, codes]) => [
      String(status),
      { description: codes.join(', '), content: jsonContent('Error') },
    ]),
  );
}
