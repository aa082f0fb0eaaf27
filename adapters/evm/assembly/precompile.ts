// Precompiled contracts: identity here, all others through the host.
import { allocate, release } from './arena';
import { precompileBits } from './environment';
import { copyWordGas } from './gas';
import { hostPrecompile } from './host';

const identity: i32 = 4;
const identityGas: i64 = 15;
/** A larger room goes back after the call that needed it. */
const keptRoom: i32 = 65536;

let room: usize = 0;
let roomCapacity: i32 = 0;
let roomLength: i32 = 0;

/** Where the output of the last precompile is; good until the next one runs. */
export function precompileOutput(): usize {
  return room;
}

/** Length of {@link precompileOutput} in bytes. */
export function precompileOutputLength(): i32 {
  return roomLength;
}

/** Room for a precompile's output: the host asks for it before it writes there. */
export function outputRoom(length: i32): i32 {
  if (length < 0) unreachable();
  if (length > roomCapacity || (roomCapacity > keptRoom && length <= keptRoom)) {
    if (roomCapacity > 0) release(room, roomCapacity);
    roomCapacity = length < 4096 ? 4096 : length;
    room = allocate(roomCapacity);
  }
  roomLength = length;
  return <i32>room;
}

/** Number of the precompile at an address (20 raw bytes); 0 when there is none. */
export function precompileAt(address: usize): i32 {
  if ((load<u64>(address) | load<u64>(address, 8) | <u64>load<u16>(address, 16)) != 0) return 0;
  const number = ((<i32>load<u8>(address, 18)) << 8) | <i32>load<u8>(address, 19);
  if (number >= 512) return 0;
  const bits = <i32>load<u8>(precompileBits + (<usize>number >> 3));
  return (bits >> (number & 7)) & 1 ? number : 0;
}

/** Runs a precompile; answers the gas left, or -1 for a failure. */
export function runPrecompile(id: i32, input: usize, length: i32, gas: i64): i64 {
  roomLength = 0;
  if (id == identity) {
    const left = gas - identityGas - copyWordGas * <i64>((<i64>length + 31) >> 5);
    if (left < 0) return -1;
    memory.copy(<usize>outputRoom(length), input, <usize>length);
    return left;
  }
  const used = hostPrecompile(id, input, length, <f64>gas);
  if (used < 0 || used > <f64>gas) return -1;
  return gas - <i64>used;
}
