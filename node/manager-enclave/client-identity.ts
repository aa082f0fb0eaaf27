import type { TLSSocket } from 'node:tls';
import { catalogueEntry, type ErrorCode } from '@concordat/api';
import { encodeIdentity } from '@concordat/bridge';
import { toPem } from '@concordat/crypto';
import {
  actorForCertificate,
  type Constitution,
  type PresentedCertificate,
} from '@concordat/governance';
import type { ActorId } from '@concordat/std';

/** Who is behind a client connection. */
export interface ClientIdentity {
  readonly actorId: ActorId;
  /** Whether the actor is a member, and so may propose and vote. */
  readonly isMember: boolean;
  /** The identity record handed to the worker with the stream. */
  readonly record: Uint8Array;
  /** What was presented, to be judged again; absent where nobody presented a certificate. */
  readonly presented?: Pick<PresentedCertificate, 'leafDer' | 'intermediates'>;
  /** Last instant at which it holds, ms since the Unix epoch; absent where nothing ends it. */
  readonly untilMs?: number;
}

/** The identity of a client, or why it is refused. */
export type ClientVerdict =
  | { readonly ok: true; readonly identity: ClientIdentity }
  | { readonly ok: false; readonly code: ErrorCode; readonly message: string };

/** DER of the certificates a client sent above its leaf, at most eight. */
function intermediatesOf(socket: TLSSocket): Buffer[] {
  const chain: Buffer[] = [];
  let current = socket.getPeerCertificate(true);
  const seen = new Set<string>();
  while (current?.issuerCertificate && chain.length < 8) {
    current = current.issuerCertificate;
    if (!current.raw || seen.has(current.fingerprint256)) break;
    seen.add(current.fingerprint256);
    chain.push(current.raw);
  }
  return chain;
}

/** Names the actor behind a TLS connection under a constitution, or says why it may not connect. */
export function judgeClient(
  socket: TLSSocket,
  constitution: Constitution,
  atMs: number,
): ClientVerdict {
  const leaf = socket.getPeerX509Certificate();
  if (!leaf) return refusal('CLIENT_CERTIFICATE_REQUIRED');
  const intermediates = intermediatesOf(socket);
  return judgeCertificate(constitution, { leafDer: leaf.raw, intermediates, atMs });
}

/** Names the actor of a certificate under a constitution, or says why it is nobody's. */
export function judgeCertificate(
  constitution: Constitution,
  presented: PresentedCertificate,
): ClientVerdict {
  const found = actorForCertificate(constitution, presented);
  if (!found.ok) return refusal(found.code, found.reason);
  const { actor, bearer, untilMs } = found;
  const { leafDer, intermediates } = presented;
  const record = encodeIdentity({
    actorId: actor.actorId,
    name: actor.name,
    kinds: [...actor.kind],
    roles: [...bearer.roles],
    subject: bearer.name,
    serial: bearer.serial,
    isStaff: bearer.isStaff,
    fingerprint: bearer.fingerprint,
    certificate: toPem(leafDer),
  });
  const isMember = actor.kind.includes('member');
  const identity = { actorId: actor.actorId, isMember, record, untilMs };
  return { ok: true, identity: { ...identity, presented: { leafDer, intermediates } } };
}

function refusal(code: ErrorCode, reason?: string): ClientVerdict {
  const { meaning, remedy } = catalogueEntry(code);
  const why = reason === undefined ? '' : ` (${reason})`;
  return { ok: false, code, message: `${meaning}${why} ${remedy}` };
}
