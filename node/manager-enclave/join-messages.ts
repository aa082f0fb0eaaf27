import type { Configuration } from '@concordat/consensus';
import {
  type ActorId,
  fromHex,
  isHex64,
  type NodeId,
  toActorId,
  toNodeId,
  utf8,
} from '@concordat/std';
import { readConfiguration } from './configuration-record.ts';
import { isText, readForeignObject, requireField } from './foreign.ts';

/** What a newcomer asks with. Its name and addresses are those the node list has. */
export interface JoinRequest {
  /** 65 bytes in hex. */
  readonly encryptionKey: string;
  /** Identity of this VN's earlier launch, whose place it takes. */
  readonly replaces?: NodeId;
  /** The constitution its operator approved; absent: it asks to be shown it, and for nothing else. */
  readonly approved?: ApprovedTerms;
}

/** What a newcomer joins under: see `constitutionTerms`. */
export interface ApprovedTerms {
  /** Hex, 32 bytes. */
  readonly terms: string;
  /** The actor that runs it, where it said so. */
  readonly actorId?: ActorId;
}

/** What a newcomer on the node list is shown before it joins. */
export interface JoinOffer {
  readonly networkId: string;
  /** PEM. */
  readonly networkCertificate: string;
  /** The committed constitution, as canonical JSON describes it. */
  readonly constitution: unknown;
}

/** What an admitted newcomer gets. */
export interface JoinReply extends JoinOffer {
  /** PEM. */
  readonly nodeCertificate: string;
  /** Who orders blocks now. */
  readonly configuration: Configuration;
}

/** UTF-8 JSON of a message of this file. */
export const encodeJoinMessage = (message: JoinRequest | JoinReply | JoinOffer): Uint8Array =>
  utf8(JSON.stringify(message));

/** @throws ManagerError CHANNEL_FAILED */
export function decodeJoinRequest(bytes: Uint8Array): JoinRequest {
  const { encryptionKey, replaces, approved } = readForeignObject(bytes, 'join request');
  requireField(isPoint(encryptionKey), 'encryptionKey');
  requireField(replaces === undefined || isHex64(replaces), 'replaces');
  return {
    encryptionKey,
    ...(replaces !== undefined && { replaces: toNodeId(replaces) }),
    ...(approved !== undefined && { approved: readApproved(approved) }),
  };
}

function readApproved(value: unknown): ApprovedTerms {
  requireField(typeof value === 'object' && value !== null, 'approved');
  const { terms, actorId } = value as Record<string, unknown>;
  requireField(isHex64(terms), 'approved.terms');
  requireField(actorId === undefined || isHex64(actorId), 'approved.actorId');
  return { terms, ...(actorId !== undefined && { actorId: toActorId(actorId) }) };
}

/** Reads an offer; what it says is still to be checked. @throws ManagerError CHANNEL_FAILED */
export function decodeJoinOffer(bytes: Uint8Array): JoinOffer {
  const { networkId, networkCertificate, constitution } = readForeignObject(bytes, 'join offer');
  requireField(isHex64(networkId), 'networkId');
  requireField(isText(networkCertificate, 16_384), 'networkCertificate');
  return { networkId, networkCertificate, constitution };
}

/** Reads a reply; what it says is still to be checked. @throws ManagerError CHANNEL_FAILED */
export function decodeJoinReply(bytes: Uint8Array): JoinReply {
  const reply = readForeignObject(bytes, 'join reply');
  const { nodeCertificate } = reply;
  requireField(isText(nodeCertificate, 16_384), 'nodeCertificate');
  const configuration = readConfiguration(reply.configuration);
  requireField(configuration !== undefined, 'configuration');
  return { ...decodeJoinOffer(bytes), nodeCertificate, configuration };
}

/** Where the leader is reached, as any node tells a newcomer. @throws ManagerError CHANNEL_FAILED */
export function decodeLeaderAddress(bytes: Uint8Array): string | undefined {
  const { address } = readForeignObject(bytes, 'leader');
  requireField(address === undefined || isText(address, 256), 'address');
  return address === '' ? undefined : address;
}

const isPoint = (value: unknown): value is string =>
  isText(value, 130) && fromHex(value)?.length === 65;
