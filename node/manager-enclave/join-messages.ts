import type { Configuration } from '@concordat/consensus';
import { fromHex, isHex64, type NodeId, toNodeId, utf8 } from '@concordat/std';
import { readConfiguration } from './configuration-record.ts';
import { isText, readForeignObject, requireField } from './foreign.ts';

/** What a newcomer asks with. Its name and addresses are those the node list has. */
export interface JoinRequest {
  /** 65 bytes in hex. */
  readonly encryptionKey: string;
  /** Identity of this VN's earlier launch, whose place it takes. */
  readonly replaces?: NodeId;
}

/** What an admitted newcomer gets. */
export interface JoinReply {
  readonly networkId: string;
  /** PEM. */
  readonly networkCertificate: string;
  /** PEM. */
  readonly nodeCertificate: string;
  /** The constitution in force, as canonical JSON describes it. */
  readonly constitution: unknown;
  /** Who orders blocks now. */
  readonly configuration: Configuration;
}

/** UTF-8 JSON of a message of this file. */
export const encodeJoinMessage = (message: JoinRequest | JoinReply): Uint8Array =>
  utf8(JSON.stringify(message));

/** @throws ManagerError CHANNEL_FAILED */
export function decodeJoinRequest(bytes: Uint8Array): JoinRequest {
  const { encryptionKey, replaces } = readForeignObject(bytes, 'join request');
  requireField(isPoint(encryptionKey), 'encryptionKey');
  requireField(replaces === undefined || isHex64(replaces), 'replaces');
  return replaces === undefined
    ? { encryptionKey }
    : { encryptionKey, replaces: toNodeId(replaces) };
}

/** Reads a reply; what it says is still to be checked. @throws ManagerError CHANNEL_FAILED */
export function decodeJoinReply(bytes: Uint8Array): JoinReply {
  const reply = readForeignObject(bytes, 'join reply');
  const { networkId, networkCertificate, nodeCertificate, constitution } = reply;
  requireField(isHex64(networkId), 'networkId');
  requireField(isText(networkCertificate, 16_384), 'networkCertificate');
  requireField(isText(nodeCertificate, 16_384), 'nodeCertificate');
  const configuration = readConfiguration(reply.configuration);
  requireField(configuration !== undefined, 'configuration');
  const named = { networkId, networkCertificate, nodeCertificate };
  return { ...named, constitution, configuration };
}

/** Where the leader is reached, as any node tells a newcomer. @throws ManagerError CHANNEL_FAILED */
export function decodeLeaderAddress(bytes: Uint8Array): string | undefined {
  const { address } = readForeignObject(bytes, 'leader');
  requireField(address === undefined || isText(address, 256), 'address');
  return address === '' ? undefined : address;
}

const isPoint = (value: unknown): value is string =>
  isText(value, 130) && fromHex(value)?.length === 65;
