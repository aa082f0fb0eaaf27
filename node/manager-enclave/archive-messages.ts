import { BinaryReader, BinaryWriter } from '@concordat/std';
import { readForeign } from './foreign.ts';

// What nodes ask each other about the past, beside consensus: blocks and pages of the history.

/** Which blocks are asked for; heights inclusive, at most about so many bytes but at least one. */
export interface BlocksRequest {
  readonly from: number;
  readonly to: number;
  readonly maxBytes: number;
}

/** u64 from | u64 to | u32 max bytes. */
export const encodeBlocksRequest = ({ from, to, maxBytes }: BlocksRequest): Uint8Array =>
  new BinaryWriter(20).u64(from).u64(to).u32(maxBytes).take();

/** @throws ManagerError CHANNEL_FAILED */
export function decodeBlocksRequest(body: Uint8Array): BlocksRequest {
  return readForeign('request for blocks', () => {
    const reader = new BinaryReader(body);
    const request = { from: reader.u64(), to: reader.u64(), maxBytes: reader.u32() };
    reader.end();
    return request;
  });
}

/** u32 count, then each block as u32 length | bytes. */
export function encodeBlocks(blocks: readonly Uint8Array[]): Uint8Array {
  const bytes = blocks.reduce((sum, block) => sum + block.length + 4, 4);
  const writer = new BinaryWriter(bytes).u32(blocks.length);
  for (const block of blocks) writer.bytes(block);
  return writer.take();
}

/** Blocks as they came, none of them checked. @throws ManagerError CHANNEL_FAILED */
export function decodeBlocks(body: Uint8Array): Uint8Array[] {
  return readForeign('blocks', () => {
    const reader = new BinaryReader(body);
    const blocks: Uint8Array[] = [];
    for (let left = reader.u32(); left > 0; left--) blocks.push(reader.bytes());
    reader.end();
    return blocks;
  });
}

/** u32 page. */
export const encodePageRequest = (page: number): Uint8Array => new BinaryWriter(4).u32(page).take();

/** @throws ManagerError CHANNEL_FAILED */
export function decodePageRequest(body: Uint8Array): number {
  return readForeign('request for a page', () => {
    const reader = new BinaryReader(body);
    const page = reader.u32();
    reader.end();
    return page;
  });
}
