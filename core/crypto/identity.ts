import { type ActorId, type NodeId, toHex } from '@concordat/std';
import { sha256 } from './hash.ts';

/** Identity of a node: SHA-256 of its public key's DER SPKI. The key is not checked here. */
export const nodeIdOf = (spki: Uint8Array): NodeId => toHex(sha256(spki)) as NodeId;

/** Identity of an actor: SHA-256 of its certificate's DER. The certificate is not checked here. */
export const actorIdOf = (certificateDer: Uint8Array): ActorId =>
  toHex(sha256(certificateDer)) as ActorId;
