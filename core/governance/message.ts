import {
  coseHeaders,
  type DecodedCose,
  decodeCose,
  kidOf,
  type SigningKey,
  sha256,
  signCose,
  signCoseWith,
} from '@concordat/crypto';
import {
  type ActorId,
  CodedError,
  equalBytes,
  fromUtf8,
  isHex64,
  toHex,
  utf8,
} from '@concordat/std';
import type { AuditGrant } from './audit-grant.ts';
import { canonicalJson } from './canonical-json.ts';
import { GovernanceError } from './errors.ts';
import type { KeyExportRequest } from './key-exports.ts';
import type { ProposedAction } from './proposal.ts';

/** Largest governance message, bytes. */
export const maxMessageBytes = 262_144;

/** What a message does. */
export type MessageType =
  | 'proposal'
  | 'vote'
  | 'withdrawal'
  | 'giving'
  | 'key-export'
  | 'holder-rotation'
  | 'acknowledgement'
  | 'recovery-consent';

/** Labels of the protected headers beside `alg` and `kid`. */
const labels = {
  type: 'concordat.type',
  network: 'concordat.network',
  createdAt: 'concordat.created-at',
  proposal: 'concordat.proposal',
} as const;

/** A key at hand, or a way to sign elsewhere (a token, a card): ES256 as r ‖ s, 64 bytes. */
export type MessageSigner =
  | { readonly key: SigningKey }
  | { readonly sign: (toBeSigned: Uint8Array) => Uint8Array };

/** What every message states. */
export type MessageOptions = MessageSigner & {
  /** Hex, 32 bytes. */
  readonly networkId: string;
  /** Seconds since the Unix epoch. */
  readonly createdAtSeconds: number;
  /** DER of the member's certificate; `kid` is its fingerprint. */
  readonly certificateDer: Uint8Array;
};

/** A proposal to make all of these changes, or none, as COSE_Sign1 bytes. */
export const buildProposal = (
  options: MessageOptions & { readonly actions: readonly ProposedAction[] },
): Uint8Array => build('proposal', options, { actions: options.actions });

/** A vote for or against a proposal, as COSE_Sign1 bytes. */
export const buildVote = (
  options: MessageOptions & { readonly proposalId: string; readonly accept: boolean },
): Uint8Array => build('vote', options, { accept: options.accept });

/** A proposer's withdrawal of its proposal, as COSE_Sign1 bytes. */
export const buildWithdrawal = (
  options: MessageOptions & { readonly proposalId: string },
): Uint8Array => build('withdrawal', options, {});

/** A member's order to its own node to give an auditor decryption shares, as COSE_Sign1 bytes. */
export const buildGiving = (
  options: MessageOptions & { readonly giving: AuditGrant },
): Uint8Array => {
  const { auditor, encryptionKey, epochs } = options.giving;
  return build('giving', options, { auditor, encryptionKey, epochs });
};

/** A member's order to its own node to give it recovery copies of its shares, as COSE_Sign1 bytes. */
export const buildKeyExport = (
  options: MessageOptions & { readonly request: KeyExportRequest },
): Uint8Array => {
  const { publicKey, again } = options.request;
  return build('key-export', options, { publicKey, again });
};

/** A member's order to its nodes to replace its holder key, as COSE_Sign1 bytes. */
export const buildHolderRotation = (options: MessageOptions): Uint8Array =>
  build('holder-rotation', options, {});

/** A member's acknowledgement of the constitution in force, by its terms (hex), as COSE_Sign1 bytes. */
export const buildAcknowledgement = (
  options: MessageOptions & { readonly terms: string },
): Uint8Array => build('acknowledgement', options, { terms: options.terms });

/** A member's consent to a recovery, with the digest of the shares it gives, as COSE_Sign1 bytes. */
export const buildRecoveryConsent = (
  options: MessageOptions & {
    /** For whom the shares are: `recovery:` and a node id. */
    readonly requester: string;
    /** History root of the former network's ledger, hex. */
    readonly former: string;
    readonly epochs: readonly [number, number];
    /** Hex SHA-256 of the sealed shares. */
    readonly shares: string;
  },
): Uint8Array => {
  const { requester, former, epochs, shares } = options;
  return build('recovery-consent', options, { requester, former, epochs, shares });
};

function build(
  type: MessageType,
  options: MessageOptions & { readonly proposalId?: string },
  body: unknown,
): Uint8Array {
  const protectedHeaders = new Map<number | string, number | string | Uint8Array>([
    [coseHeaders.kid, kidOf(options.certificateDer)],
    [labels.type, type],
    [labels.network, options.networkId],
    [labels.createdAt, options.createdAtSeconds],
  ]);
  if (options.proposalId !== undefined) protectedHeaders.set(labels.proposal, options.proposalId);
  const content = { protectedHeaders, payload: utf8(canonicalJson(body)) };
  return 'key' in options
    ? signCose({ ...content, key: options.key })
    : signCoseWith({ ...content, sign: options.sign });
}

/** Id of a message, and of the proposal it makes: hex SHA-256 of its bytes. */
export const messageIdOf = (message: Uint8Array): string => toHex(sha256(message));

/** A governance message in good form; neither is its signer known nor its signature verified. */
export interface DecodedMessage {
  readonly type: MessageType;
  readonly messageId: string;
  /** Hex SHA-256 of the bytes the signature covers. */
  readonly signedDigest: string;
  readonly networkId: string;
  /** Fingerprint of the certificate it claims to be signed with, 64 hex digits. */
  readonly kid: string;
  /** Seconds since the Unix epoch. */
  readonly createdAtSeconds: number;
  /** The proposal a vote or withdrawal is about; empty for other messages. */
  readonly proposalId: string;
  /** Parsed JSON. */
  readonly payload: unknown;
  /** For {@link verifyCose}. */
  readonly cose: DecodedCose;
}

/** A message and the actor its `kid` names: see {@link identifyMessage}. */
export interface GovernanceMessage extends DecodedMessage {
  /** Who claims to have signed it. */
  readonly signer: ActorId;
}

const bad = (why: string): GovernanceError => new GovernanceError('MALFORMED_MESSAGE', why);

/**
 * Reads a message strictly: COSE_Sign1 with exactly the headers of docs/format/governance.md, none
 * of them unprotected, and a payload of canonical JSON, so what was signed has one reading.
 * @throws GovernanceError MESSAGE_TOO_LARGE, MALFORMED_MESSAGE
 */
export function decodeMessage(bytes: Uint8Array): DecodedMessage {
  if (bytes.length > maxMessageBytes) {
    throw new GovernanceError(
      'MESSAGE_TOO_LARGE',
      `a message has at most ${maxMessageBytes} bytes`,
    );
  }
  const cose = decode(bytes);
  const headers = cose.protectedHeaders;
  const type = headers.get(labels.type);
  if (!isMessageType(type)) {
    throw bad(`header ${labels.type} is not one of ${messageTypes.join(', ')}`);
  }
  const isAboutProposal = type === 'vote' || type === 'withdrawal';
  const expected = isAboutProposal ? 6 : 5;
  const named = headers.get(coseHeaders.kid);
  const kid = named instanceof Uint8Array ? fromUtf8(named) : '';
  if (!isHex64(kid)) throw bad('header kid is not the fingerprint of a certificate');
  const networkId = headers.get(labels.network);
  if (!isHex64(networkId)) throw bad(`header ${labels.network} is not 64 lowercase hex digits`);
  const createdAtSeconds = headers.get(labels.createdAt);
  if (typeof createdAtSeconds !== 'number' || !isSeconds(createdAtSeconds)) {
    throw bad(`header ${labels.createdAt} is not a time in seconds`);
  }
  const proposalId = isAboutProposal ? headers.get(labels.proposal) : '';
  if (isAboutProposal && !isHex64(proposalId)) {
    throw bad(`header ${labels.proposal} is not 64 lowercase hex digits`);
  }
  if (headers.size !== expected || cose.unprotectedHeaders.size !== 0) {
    throw bad('headers beyond alg, kid and those of governance');
  }
  return {
    type,
    messageId: messageIdOf(bytes),
    signedDigest: toHex(sha256(cose.tbs)),
    networkId,
    kid,
    createdAtSeconds,
    proposalId: proposalId as string,
    payload: readPayload(cose.payload),
    cose,
  };
}

const messageTypes: readonly string[] = [
  'proposal',
  'vote',
  'withdrawal',
  'giving',
  'key-export',
  'holder-rotation',
  'acknowledgement',
  'recovery-consent',
];
const isMessageType = (type: unknown): type is MessageType => messageTypes.includes(type as string);

const isSeconds = (value: number): boolean =>
  Number.isSafeInteger(value) && value >= 0 && value < 1e12;

function decode(bytes: Uint8Array): DecodedCose {
  try {
    return decodeCose(bytes, { maxBytes: maxMessageBytes });
  } catch (error) {
    throw bad(error instanceof CodedError ? error.message : 'not COSE_Sign1');
  }
}

function readPayload(bytes: Uint8Array): unknown {
  let payload: unknown;
  try {
    payload = JSON.parse(fromUtf8(bytes));
    if (equalBytes(utf8(canonicalJson(payload)), bytes)) return payload;
  } catch (error) {
    throw bad(error instanceof GovernanceError ? error.message : 'the payload is not JSON');
  }
  throw bad('the payload is not canonical JSON (RFC 8785)');
}
