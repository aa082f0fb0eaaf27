import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';
import {
  combineOffline,
  type EpochKeys,
  type KeyRecord,
  makeShares,
  offlineRequesterOf,
  openCopy,
} from '@concordat/auditor';
import { sandboxChainId } from '@concordat/cli';
import type { EncryptionKey } from '@concordat/crypto';
import { decodeRecoveryShare } from '@concordat/keys';
import { decodeHeader, scanChunk } from '@concordat/ledger';
import { SdkError } from '@concordat/sdk';
import { Wallet } from 'ethers';
import type { LocalNetwork } from '../index.ts';

const funded = '0xac0974bec39a17e36ba4a6b4d238ff944bacb478cbed5efcae784d7bf4f2ff80';
/** Keys that are written, and transfers that are made. */
export const keys = 400;
export const transfers = 5;

/** What is written under a key. */
export const valueAt = (at: number): Buffer => Buffer.from(`value ${at} of a network that is lost`);
/** Who gets a transfer. */
export const to = (at: number): string => `0x${(at + 1).toString(16).padStart(40, '5')}`;

/** How long it took to write everything, milliseconds. */
export async function writeAll(network: LocalNetwork): Promise<number> {
  const client = await network.keyvalue(network.node('vn1'));
  const startedMs = performance.now();
  await Promise.all(
    Array.from({ length: keys }, (_, at) => client.promises.put(`key ${at}`, valueAt(at))),
  );
  const tookMs = performance.now() - startedMs;
  client.close();
  const application = await network.application(network.node('vn2'));
  for (let nonce = 0; nonce < transfers; nonce++) {
    const raw = await new Wallet(funded).signTransaction({
      ...{ type: 2, chainId: sandboxChainId, nonce, to: to(nonce), value: 1_000n + BigInt(nonce) },
      ...{ gasLimit: 100_000, maxFeePerGas: 0, maxPriorityFeePerGas: 0 },
    });
    await application.jsonRpc('eth_sendRawTransaction', [raw]);
  }
  application.close();
  return tookMs;
}

/** Session keys from what members keep outside. */
export async function epochKeysOf(
  record: KeyRecord,
  kept: Iterable<{ readonly key: EncryptionKey; readonly files: readonly string[] }>,
): Promise<EpochKeys> {
  const requester = offlineRequesterOf(record);
  const how = { requester, entropy: (bytes: number) => randomBytes(bytes) };
  const copies = [...kept].flatMap(({ key, files }) =>
    files.map((file) => openCopy(record, decodeRecoveryShare(file), { key })),
  );
  const given = await Promise.all(copies.map((copy) => makeShares(record, copy, how)));
  return (await combineOffline(record, given, { requester })).keys;
}

/** Accepts an error of this code, and of this reason if one is given. */
export const refusal =
  (code: string, reason?: string) =>
  (error: unknown): boolean => {
    assert.ok(error instanceof SdkError, String(error));
    assert.equal(error.code, code, error.message);
    if (reason) assert.equal(error.details.reason, reason, error.message);
    return true;
  };

/** Whether nobody listens on a port. */
export const isClosed = (port: number): Promise<boolean> =>
  new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1');
    socket.once('error', () => resolve(true));
    socket.once('connect', () => {
      socket.destroy();
      resolve(false);
    });
  });

/** Flips a bit of a byte in a file. */
export function flip(file: string, at: number): void {
  const bytes = readFileSync(file);
  bytes[at] = (bytes[at] as number) ^ 1;
  writeFileSync(file, bytes);
}

/** Flips a byte of what the last application block of a chunk has sealed; its height. */
export function flipSealed(file: string): number {
  const { frames } = scanChunk(readFileSync(file));
  const { block, height } = frames.findLast((frame) => decodeHeader(frame.block).source > 0) ?? {};
  assert.ok(block && height);
  // Before the signature of at most 72 bytes.
  flip(file, readFileSync(file).indexOf(block) + block.length - 100);
  return height;
}

/** Administrative transactions of a ledger: one a block. */
export function administrativeTransactions(ledger: string): number {
  const chunks = readdirSync(ledger).filter((file) => file.endsWith('.chunk'));
  const frames = chunks.flatMap((file) => scanChunk(readFileSync(join(ledger, file))).frames);
  return frames.filter(({ block }) => decodeHeader(block).source === 0).length;
}
