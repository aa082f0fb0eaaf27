// Everything the engine asks of the world: the functions of the import module `host`, which this
// file's name names. There are no other imports.

/**
 * Writes the stored record of an account (at most 128 bytes) at `out` and answers its length; -1
 * when there is none. `address`: 20 raw bytes.
 */
declare function account(address: usize, out: usize): i32;

/**
 * Writes the value of a slot as minimal big-endian bytes (0 to 32) at `out` and answers their
 * number. Key: address, incarnation (4 bytes big-endian, absent when 0), slot (32 raw bytes).
 */
declare function slot(key: usize, keyLength: i32, out: usize): i32;

/** Finds the code of a hash (32 raw bytes) and answers its length; 0 or less when there is none. */
declare function codeLength(hash: usize): i32;

/** Writes the code whose length was asked for last. */
declare function code(out: usize): void;

/** Writes the hash of an earlier block, 32 raw bytes; zero when it is unknown. */
declare function blockHash(number: f64, out: usize): void;

/**
 * Runs a precompile. Its output is written where the export `outputRoom` says. Answers the gas used,
 * -1 for a failure.
 */
declare function precompile(id: i32, input: usize, length: i32, gas: f64): f64;

export {
  account as hostAccount,
  blockHash as hostBlockHash,
  code as hostCode,
  codeLength as hostCodeLength,
  precompile as hostPrecompile,
  slot as hostSlot,
};
