import { nodeIdOf, type SigningKey, verifySignature } from '@concordat/crypto';
import { fromBase64, fromHex, toActorId, toBase64, toHex, toNodeId, utf8 } from '@concordat/std';
import { readCertificate } from './actor.ts';
import { actorPublicKeys } from './actor-certificates.ts';
import { canonicalJson } from './canonical-json.ts';
import type { Actor, NodeEntry } from './constitution.ts';
import type { Field } from './field.ts';

/** What an owner signs to vouch for a validating node. */
export interface NodeTuple {
  /** DER SPKI of the owning actor's key. */
  readonly actorPublicKey: Uint8Array;
  /** `host:port` of the node channel. */
  readonly address: string;
  /** DER SPKI of the key made inside the node's enclave. */
  readonly publicKey: Uint8Array;
}

/**
 * The bytes of the paper's tuple {PubKey of the actor, address, PubKey of the VN} (Network
 * Constitution, VN list): canonical JSON in UTF-8, keys as hex, `type` against other uses.
 */
export const nodeTuple = (tuple: NodeTuple): Uint8Array =>
  utf8(
    canonicalJson({
      type: 'concordat.node.v1',
      actor: toHex(tuple.actorPublicKey),
      address: tuple.address,
      node: toHex(tuple.publicKey),
    }),
  );

/** Signs the tuple with the owner's key: base64 of a DER signature. */
export const signNodeTuple = (
  actorKey: Pick<SigningKey, 'publicKeySpki' | 'sign'>,
  node: { readonly address: string; readonly publicKey: Uint8Array },
): string =>
  toBase64(actorKey.sign(nodeTuple({ actorPublicKey: actorKey.publicKeySpki, ...node })));

/** Whether the owner signed the entry's tuple, with the key of any of its certificates. */
export function isSignedByOwner(
  owner: Actor,
  entry: Pick<NodeEntry, 'address' | 'publicKey' | 'signature'>,
): boolean {
  const signature = fromBase64(entry.signature ?? '');
  const publicKey = fromHex(entry.publicKey);
  if (!signature?.length || !publicKey) return false;
  return actorPublicKeys(owner).some((spki) => {
    const tuple = nodeTuple({ actorPublicKey: spki, address: entry.address, publicKey });
    return verifySignature(spki, tuple, signature);
  });
}

/** The properties an add_node action may give. */
export const admittedNodeProperties = [
  'actorId',
  'name',
  'address',
  'adminAddress',
  'applicationAddresses',
  'publicKey',
  'encryptionKey',
  'signature',
  'measurement',
  'platform',
] as const;

const nodeProperties = [
  ...admittedNodeProperties,
  'nodeId',
  'platformKey',
  'status',
  'certificate',
  'replaces',
  'retired',
] as const;

/**
 * Reads the tuple of an add_node action as an admitted node. It may say which code the node will run
 * and where: then its evidence must say the same.
 */
export function readAdmittedNode(field: Field): NodeEntry {
  const publicKey = field.at('publicKey').publicKey();
  const measurement = field.optional('measurement')?.hex(32);
  const platform = field.optional('platform')?.identifier();
  return {
    ...readAddresses(field),
    nodeId: nodeIdOf(fromHex(publicKey) as Uint8Array),
    publicKey,
    encryptionKey: field.at('encryptionKey').point(),
    ...(measurement && { measurement }),
    ...(platform && { platform }),
    status: 'admitted',
    signature: field.at('signature').text(200),
  };
}

function readAddresses(field: Field) {
  const applications = field.at('applicationAddresses').list(16);
  return {
    actorId: toActorId(field.at('actorId').hex(32)),
    name: field.at('name').name(),
    address: field.at('address').endpoint(),
    adminAddress: field.at('adminAddress').endpoint(),
    applicationAddresses: applications.map((item) => item.endpoint()),
  };
}

/** Reads a node as a constitution lists it, in any status. */
export function readNode(field: Field): NodeEntry {
  field.only(nodeProperties);
  const publicKey = field.at('publicKey').publicKey();
  const nodeId = nodeIdOf(fromHex(publicKey) as Uint8Array);
  if (field.at('nodeId').hex(32) !== nodeId) field.at('nodeId').fail('must be that of publicKey');
  const status = field.at('status').oneOf(['admitted', 'learning', 'trusted', 'retired']);
  const retired = field.optional('retired')?.oneOf(['removed', 'replaced', 'departed']);
  if ((status === 'retired') !== (retired !== undefined)) {
    field.at('retired').fail('must be present exactly when the status is retired');
  }
  const measurement = field.optional('measurement')?.hex(32);
  const platform = field.optional('platform')?.identifier();
  const platformKey = field.optional('platformKey')?.hex(32);
  const replaces = field.optional('replaces')?.hex(32);
  const certificate = field.optional('certificate');
  if (certificate) readCertificate(certificate);
  const signature = field.optional('signature')?.text(200);
  return {
    ...readAddresses(field),
    nodeId,
    publicKey,
    encryptionKey: field.at('encryptionKey').point(),
    ...(measurement && { measurement }),
    ...(platform && { platform }),
    ...(platformKey && { platformKey }),
    status,
    ...(certificate && { certificate: certificate.text(16_384) }),
    ...(replaces && { replaces: toNodeId(replaces) }),
    ...(signature && { signature }),
    ...(retired && { retired }),
  };
}
