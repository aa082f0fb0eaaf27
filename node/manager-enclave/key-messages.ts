import type { HolderRegistration } from '@concordat/governance';
import { type Scalar, toScalar } from '@concordat/keys';
import { emptyBytes, fromHex, isHex64, toActorId, toHex, toNodeId, utf8 } from '@concordat/std';
import { isText, readForeignObject, requireField } from './foreign.ts';

// What nodes say to each other about key ceremonies: to the leader, what an actor contributes, and
// among the nodes of one actor, its holder key. JSON in UTF-8; docs/format/governance.md.

/** What an actor contributes to key ceremonies; the leader makes a transaction of each. */
export type CeremonyMessage =
  | { readonly kind: 'registration'; readonly registration: HolderRegistration }
  | {
      readonly kind: 'dealing' | 'complaint' | 'confirmation';
      /** As docs/format/threshold-keys.md has it. */
      readonly bytes: Uint8Array;
    };

/** A dealing for 255 receivers takes 21 kB, twice that in hex. */
const maxMessageBytes = 65_536;

/** `{"kind":"registration","registration":{…}}`, or `{"kind":…,"bytes":hex}`. */
export const encodeCeremonyMessage = (message: CeremonyMessage): Uint8Array =>
  utf8(
    JSON.stringify(
      message.kind === 'registration' ? message : { ...message, bytes: toHex(message.bytes) },
    ),
  );

/** Reads one; whether it holds is still to be judged. @throws ManagerError CHANNEL_FAILED */
export function decodeCeremonyMessage(body: Uint8Array): CeremonyMessage {
  requireField(body.length <= maxMessageBytes, 'key ceremony message');
  const { kind, registration, bytes } = readForeignObject(body, 'key ceremony message');
  if (kind === 'registration') return { kind, registration: readRegistration(registration) };
  requireField(kind === 'dealing' || kind === 'complaint' || kind === 'confirmation', 'kind');
  requireField(isText(bytes, maxMessageBytes), 'bytes');
  const decoded = fromHex(bytes);
  requireField(decoded !== undefined, 'bytes');
  return { kind, bytes: decoded };
}

function readRegistration(value: unknown): HolderRegistration {
  requireField(typeof value === 'object' && value !== null, 'registration');
  const { actorId, nodeId, number, encryptionKey, proof, signature } = value as Record<
    string,
    unknown
  >;
  requireField(isHex64(actorId) && isHex64(nodeId), 'registration');
  requireField(typeof number === 'number' && Number.isSafeInteger(number), 'number');
  requireField(isHex64(encryptionKey), 'encryptionKey');
  requireField(isText(proof, 128) && isText(signature, 256), 'registration');
  return {
    actorId: toActorId(actorId),
    nodeId: toNodeId(nodeId),
    number,
    encryptionKey,
    proof,
    signature,
  };
}

/** A node asks another one of its actor for the secret of this holder key: `{"encryptionKey":hex}`. */
export const encodeHolderRequest = (encryptionKey: string): Uint8Array =>
  utf8(JSON.stringify({ encryptionKey }));

/** @throws ManagerError CHANNEL_FAILED */
export function decodeHolderRequest(body: Uint8Array): string {
  const { encryptionKey } = readForeignObject(body, 'request for a holder key');
  requireField(isHex64(encryptionKey), 'encryptionKey');
  return encryptionKey;
}

/** `{"decryptionKey":hex}` */
export const encodeHolderSecret = (decryptionKey: Scalar): Uint8Array =>
  utf8(JSON.stringify({ decryptionKey: toHex(decryptionKey) }));

/** @throws ManagerError CHANNEL_FAILED; KeysError INVALID_SCALAR */
export function decodeHolderSecret(body: Uint8Array): Scalar {
  const { decryptionKey } = readForeignObject(body, 'holder key');
  requireField(isHex64(decryptionKey), 'decryptionKey');
  return toScalar(fromHex(decryptionKey) ?? emptyBytes);
}
