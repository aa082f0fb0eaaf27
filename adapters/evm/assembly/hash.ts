// Hashes of the cache's keys: a sum of 32-bit parts times secret 64-bit numbers, of which the upper
// half counts. Whoever does not know the numbers cannot choose addresses or slots that meet (strongly
// universal hashing), so a contract cannot make look-ups slow.

/** Nine numbers of 8 bytes. */
const numbers: usize = memory.data(72, 16);

/** Draws the numbers from 64 bits (splitmix64). The cache must be empty. */
export function seedHash(seed: u64): void {
  let state = seed;
  for (let i: usize = 0; i < 72; i += 8) {
    state += 0x9e37_79b9_7f4a_7c15;
    let mixed = state;
    mixed = (mixed ^ (mixed >> 30)) * 0xbf58_476d_1ce4_e5b9;
    mixed = (mixed ^ (mixed >> 27)) * 0x94d0_49bb_1331_11eb;
    store<u64>(numbers + i, mixed ^ (mixed >> 31));
  }
}

/** Hash of an address given as its raw bytes 0..3, 4..11 and 12..19. */
export function hashAddress(head: u32, middle: u64, tail: u64): u32 {
  const sum =
    <u64>head * load<u64>(numbers) +
    (middle & 0xffff_ffff) * load<u64>(numbers, 8) +
    (middle >> 32) * load<u64>(numbers, 16) +
    (tail & 0xffff_ffff) * load<u64>(numbers, 24) +
    (tail >> 32) * load<u64>(numbers, 32) +
    load<u64>(numbers, 40);
  return <u32>(sum >> 32);
}

/** Hash of a slot: the account's entry and the slot's word. */
export function hashSlot(account: usize, key: usize): u32 {
  const sum =
    <u64>account * load<u64>(numbers) +
    load<u32>(key) * load<u64>(numbers, 8) +
    load<u32>(key, 4) * load<u64>(numbers, 16) +
    load<u32>(key, 8) * load<u64>(numbers, 24) +
    load<u32>(key, 12) * load<u64>(numbers, 32) +
    load<u32>(key, 16) * load<u64>(numbers, 40) +
    load<u32>(key, 20) * load<u64>(numbers, 48) +
    load<u32>(key, 24) * load<u64>(numbers, 56) +
    load<u32>(key, 28) * load<u64>(numbers, 64);
  return <u32>(sum >> 32);
}

seedHash(0);
