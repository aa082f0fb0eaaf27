// The engine's exports. Pointers are addresses in its memory; areas stay where they are, rooms until
// the next one is asked for.
import { heldBytes as bytesHeld } from './arena';
import { blockArea as areaOfBlock, precompileBits, setRevision } from './environment';
import {
  accountInfo as informationOf,
  input,
  inputFlags,
  inputRoom,
  result,
  uncheckedFlag,
  unpaidFlag,
} from './exchange';
import { dropMemories } from './frame';
import { configureGas } from './gas';
import { seedHash } from './hash';
import { abandon, prepareLook, setFinished } from './open-transaction';
import { outputRoom } from './precompile';
import { closeTransaction, forgetState, writeSet } from './state';
import { systemCall } from './system-call';
import { applyTransaction } from './transaction';

export { abandon, inputRoom, outputRoom, systemCall };

/** Selects the rules of a revision, 0 (Frontier) to 15 (Amsterdam). */
export function configure(revision: i32): void {
  setRevision(revision);
  configureGas();
}

/** 208 bytes: the block. */
export function blockArea(): i32 {
  return <i32>areaOfBlock;
}

/** 64 bytes: one bit for each address from 0 to 511 that is a precompile. */
export function precompileSet(): i32 {
  return <i32>precompileBits;
}

/** 144 bytes: what came of the last transaction, call or system call. */
export function resultArea(): i32 {
  return <i32>result;
}

/** Applies the transaction in the input room; it stays open. */
export function execute(): void {
  applyTransaction(load<u32>(input, inputFlags));
}

/** Runs the call in the input room; it stays open, to be abandoned. */
export function call(): void {
  applyTransaction(load<u32>(input, inputFlags) | uncheckedFlag | unpaidFlag);
}

/** Ends the open transaction and answers where its write set is, good until the next one ends. */
export function finish(): i32 {
  const set = writeSet();
  closeTransaction();
  setFinished();
  return <i32>set;
}

/** Drops everything cached, and the open transaction: what is below has changed by another way. */
export function forget(): void {
  abandon();
  forgetState();
  dropMemories();
}

/** Draws the secret numbers of the hash tables; drops everything cached. */
export function seed(low: u32, high: u32): void {
  forget();
  seedHash(((<u64>high) << 32) | low);
}

/** Bytes of memory in use. */
export function heldBytes(): i32 {
  return bytesHeld();
}

/** An account as it is now, by a pointer to its 20 raw bytes. */
export function accountInfo(address: i32): i32 {
  prepareLook();
  return <i32>informationOf(address);
}

forgetState();
