import { BinaryWriter, type NodeId, viewOf } from '@concordat/std';
import type { Configuration, SnapshotPosition } from './consensus.ts';
import type { Append, AppendResponse, InstallResponse, LogPosition, Message } from './message.ts';
import { formatVersion, installRefusals, messageTypes } from './message-numbers.ts';

const writer = new BinaryWriter(4096);

/**
 * Bytes of a message as parts to be written one after the other: one part with everything but the
 * payloads, then each payload as it is, not copied. Format: docs/format/consensus-messages.md.
 */
export function encodeMessage(message: Message): Buffer[] {
  writer.u8(formatVersion).u8(messageTypes.indexOf(message.type)).u64(message.view);
  switch (message.type) {
    case 'append':
      return encodeAppend(message);
    case 'append-response':
      encodeAppendResponse(message);
      break;
    case 'vote-request':
      writer.u8(message.pre ? 1 : 0);
      position(message.last);
      position(message.committed);
      break;
    case 'vote-response':
      writer.u8((message.pre ? 1 : 0) | (message.granted ? 2 : 0));
      position(message.committed);
      break;
    case 'timeout-now':
      break;
    case 'install':
      encodeSnapshotPosition(message.position);
      writer.u32(message.index).u32(message.bytes.length);
      return [writer.take(), viewOf(message.bytes)];
    case 'install-response':
      encodeInstallResponse(message);
      break;
    case 'relay':
      nodes([message.leader]);
      writer.u16(message.targets.length);
      nodes(message.targets);
      return encodeAppend(message.append);
  }
  return [writer.take()];
}

function encodeAppend(append: Append): Buffer[] {
  position(append.previous);
  writer
    .u64(append.committed)
    .u64(append.round)
    .u8(append.retire ? 1 : 0);
  writer.u32(append.entries.length);
  const parts: Buffer[] = [Buffer.alloc(0)];
  for (const entry of append.entries) {
    // Heights follow from the position before; the view, a configuration and the length travel.
    writer.u64(entry.view);
    if (entry.configuration) encodeConfiguration(entry.configuration);
    else writer.u16(0);
    writer.u32(entry.payload.length);
    if (entry.payload.length > 0) parts.push(viewOf(entry.payload));
  }
  parts[0] = writer.take();
  return parts;
}

function encodeConfiguration({ voters, quorums }: Configuration): void {
  writer.u16(voters.length);
  nodes(voters);
  writer.u16(quorums?.replication ?? 0).u16(quorums?.election ?? 0);
}

function encodeSnapshotPosition(at: SnapshotPosition): void {
  position(at);
  encodeConfiguration(at.configuration);
  writer.u64(at.configurationHeight).u32(at.chunks).raw(Buffer.from(at.digest, 'hex'));
}

function encodeInstallResponse({ digest, next, received, height, refused }: InstallResponse): void {
  writer.raw(Buffer.from(digest, 'hex')).u32(next).u32(received).u64(height);
  writer.u8(refused === undefined ? 0 : installRefusals.indexOf(refused) + 1);
}

function encodeAppendResponse(response: AppendResponse): void {
  writer.u64(response.round).u64(response.match).u64(response.received).u64(response.committed);
  writer.u8(response.rejected ? 1 : 0);
  if (!response.rejected) return;
  writer.u64(response.rejected.previousHeight);
  position(response.rejected.estimate);
}

function nodes(ids: readonly NodeId[]): void {
  for (const node of ids) writer.raw(Buffer.from(node, 'hex'));
}

function position(at: LogPosition): void {
  writer.u64(at.height).u64(at.view);
}
