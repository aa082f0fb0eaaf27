import type { ActorId, NodeId } from '@concordat/std';
import type { AutomationRule } from './automation-rule.ts';
import type { Policies } from './policies.ts';
import type { VotingPolicies } from './voting-policy.ts';

/** The part an actor plays: members govern and transact, participants transact. */
export type ActorKind = 'member' | 'participant';

/** One entry of the membership list: an organisation (paper: Actors and Identity). */
export interface Actor {
  /** SHA-256 of the DER of the certificate it was admitted with, for life. */
  readonly actorId: ActorId;
  /** One or both kinds, sorted. */
  readonly kind: readonly ActorKind[];
  /** Unique in the network, 1-64 printable characters. */
  readonly name: string;
  /** PEM of the organisation's (or its intermediate CA's) X.509 certificate, the newest. */
  readonly certificate: string;
  /** Names applications give meaning to, sorted, at most 32. */
  readonly roles: readonly string[];
  /** What it had before and may still use, newest first; absent when there is none. */
  readonly earlier?: readonly EarlierCertificate[];
  /** How often it was changed by vote; absent when it never was. */
  readonly revision?: number;
}

/** A certificate of an actor that has a newer one. */
export interface EarlierCertificate {
  /** PEM. */
  readonly certificate: string;
  /** Last second of its use, since the Unix epoch; absent: until a vote removes it. */
  readonly untilSeconds?: number;
}

/** The revocation list in force of an authority, with what it says of itself. */
export interface RevocationListEntry {
  /** Hex SHA-256 of the authority's name and key: see {@link issuerIdOf}. */
  readonly issuer: string;
  /** The actor whose certificate it is, or whose stands above it. */
  readonly actorId: ActorId;
  /** Common name of the authority. */
  readonly authority: string;
  /** Number of the list, decimal. */
  readonly number: string;
  /** Milliseconds since the Unix epoch. */
  readonly thisUpdateMs: number;
  /** When the next list is due at the latest, milliseconds since the Unix epoch. */
  readonly nextUpdateMs: number;
  /** How many certificates it revokes. */
  readonly revoked: number;
  /** Base64 of the list's DER. */
  readonly list: string;
}

/**
 * Where a validating node stands: `admitted` = in the list, not yet joined; `learning` = attested
 * and catching up, no vote in consensus; `trusted` = full part of the network; `retired` = gone,
 * kept only so that what it signed can still be verified. Retirement is final.
 */
export type NodeStatus = 'admitted' | 'learning' | 'trusted' | 'retired';

/** Why a node retired: removed by vote, replaced by its successor, or left in good order. */
export type RetirementReason = 'removed' | 'replaced' | 'departed';

/** One entry of the VN list (paper: Network Constitution, VN list). */
export interface NodeEntry {
  /** SHA-256 of the public key's DER SPKI. */
  readonly nodeId: NodeId;
  /** The actor that owns it. */
  readonly actorId: ActorId;
  /** 1-64 printable characters; not necessarily unique. */
  readonly name: string;
  /** `host:port` of the node channel. */
  readonly address: string;
  /** `host:port` of the administrative channel. */
  readonly adminAddress: string;
  /** `host:port` of each worker's application channel, at most 16. */
  readonly applicationAddresses: readonly string[];
  /** Hex DER SPKI (P-256) of the key made inside the enclave. */
  readonly publicKey: string;
  /** 65-byte uncompressed P-256 point, hex: what is sealed to the enclave alone is sealed to it. */
  readonly encryptionKey: string;
  /** Hex, 32 bytes; from its evidence once it joined, before that as it was admitted with, if at all. */
  readonly measurement?: string;
  /** TEE platform; from its evidence once it joined, before that as it was admitted with. */
  readonly platform?: string;
  /** Hex SHA-256 of the platform key, known from its evidence once it joined. */
  readonly platformKey?: string;
  readonly status: NodeStatus;
  /** PEM of the node certificate, endorsed by the network, once it joined. */
  readonly certificate?: string;
  /** The predecessor it takes the place of. */
  readonly replaces?: NodeId;
  /** Base64 DER signature of the owning actor over {@link nodeTuple}; absent at genesis, rejoin. */
  readonly signature?: string;
  /** Present exactly when retired. */
  readonly retired?: RetirementReason;
}

/** What an enclave image is for. */
export type CodeRole = 'manager' | 'worker';

/** One entry of the code manifest: any code identity is a single measurement. */
export interface CodeEntry {
  /** Hex, 32 bytes. */
  readonly measurement: string;
  readonly role: CodeRole;
  readonly name: string;
  readonly version: string;
  /** Ids of the adapters inside a worker image, sorted. */
  readonly adapters?: readonly string[];
}

/** One entry of the TEE manifest; a higher rank is a stronger mechanism, 0-1000. */
export interface TeeEntry {
  readonly platform: string;
  readonly rank: number;
}

/** An application in force, by vote: which program an adapter runs. */
export interface ApplicationEntry {
  /** Id of the adapter. */
  readonly adapter: string;
  /** Hex SHA-256 of the program's bytes. */
  readonly digest: string;
  /** Length of the program. */
  readonly bytes: number;
}

/** A key that an issuer signs tokens with. */
export interface JwtKey {
  /** Its `kid`, unique among the keys of one issuer. */
  readonly kid: string;
  /** Hex DER SPKI: P-256, or RSA of 2,048 to 8,192 bits. */
  readonly key: string;
  /** What `iss` of its tokens must be; `{tenantid}` stands for the token's `tid`. */
  readonly constraint: string;
}

/** An issuer whose tokens (JWT) the network's applications accept, by vote. */
export interface JwtIssuer {
  readonly issuer: string;
  /** Sorted by kid. */
  readonly keys: readonly JwtKey[];
}

/** A system outside of the network that applications may call over HTTPS, by vote. */
export interface ExternalSystem {
  /** What applications call it by. */
  readonly name: string;
  /** `https://host:port`, the host in lower case. */
  readonly origin: string;
  /** Ids of the adapters whose applications may call it, sorted. */
  readonly adapters: readonly string[];
  /**
   * PEM of the certificates it is known by, its own or of an authority above, sorted; empty: it
   * has one under a root that the runtime brings along.
   */
  readonly certificates: readonly string[];
  /** Time for one call from the connection to the whole answer, milliseconds. */
  readonly timeoutMs: number;
  /** Body of one request. */
  readonly maxRequestBytes: number;
  /** Body of one answer. */
  readonly maxAnswerBytes: number;
  /** Calls of one worker at a time. */
  readonly maxCalls: number;
}

/**
 * The complete expression of network policies (paper: Network Constitution). Lists are sorted by
 * their identity, so equal constitutions have equal canonical JSON and equal digests.
 */
export interface Constitution {
  /** Version of the schema. It fixes the defaults of policies that are not set. */
  readonly version: 1;
  /** Name of the network, 1-64 printable characters. */
  readonly name: string;
  /** The membership list: members and participants, sorted by actorId. */
  readonly actors: readonly Actor[];
  /** The VN list, sorted by nodeId, retired nodes included. */
  readonly nodes: readonly NodeEntry[];
  /** Sorted by measurement. */
  readonly codeManifest: readonly CodeEntry[];
  /** Sorted by platform. */
  readonly teeManifest: readonly TeeEntry[];
  readonly votingPolicies: VotingPolicies;
  /** Rules that cast members' votes, sorted by name; absent when there is none. */
  readonly automationRules?: readonly AutomationRule[];
  /** Every supported policy with its value, set or default. */
  readonly policies: Policies;
  /** Configuration of each adapter by its id: JSON this room does not interpret. */
  readonly adapters: Readonly<Record<string, unknown>>;
  /**
   * Applications that votes put in force, sorted by adapter; absent when there is none, so that the
   * digest of a constitution without is what it always was.
   */
  readonly applications?: readonly ApplicationEntry[];
  /** Issuers of tokens that applications accept, sorted; absent when there is none. */
  readonly jwtIssuers?: readonly JwtIssuer[];
  /** Lists of what actors' authorities have revoked, sorted by issuer; absent when there is none. */
  readonly revocationLists?: readonly RevocationListEntry[];
  /** Systems that applications may call, sorted by name; absent when there is none. */
  readonly externalSystems?: readonly ExternalSystem[];
}

/** Whether the actor votes. */
export const isMember = (actor: Actor): boolean => actor.kind.includes('member');
