/** Operations of Osaka by name; PUSH1 to PUSH32, DUP1 to DUP16, SWAP1 to SWAP16 and LOG0 to LOG4 too. */
export const operations: Readonly<Record<string, number>> = {
  ...numbered(0x00, 'STOP ADD MUL SUB DIV SDIV MOD SMOD ADDMOD MULMOD EXP SIGNEXTEND'),
  ...numbered(0x10, 'LT GT SLT SGT EQ ISZERO AND OR XOR NOT BYTE SHL SHR SAR CLZ'),
  ...numbered(0x20, 'KECCAK256'),
  ...numbered(0x30, 'ADDRESS BALANCE ORIGIN CALLER CALLVALUE CALLDATALOAD CALLDATASIZE'),
  ...numbered(0x37, 'CALLDATACOPY CODESIZE CODECOPY GASPRICE EXTCODESIZE EXTCODECOPY'),
  ...numbered(0x3d, 'RETURNDATASIZE RETURNDATACOPY EXTCODEHASH'),
  ...numbered(0x40, 'BLOCKHASH COINBASE TIMESTAMP NUMBER PREVRANDAO GASLIMIT CHAINID'),
  ...numbered(0x47, 'SELFBALANCE BASEFEE BLOBHASH BLOBBASEFEE'),
  ...numbered(0x50, 'POP MLOAD MSTORE MSTORE8 SLOAD SSTORE JUMP JUMPI PC MSIZE GAS JUMPDEST'),
  ...numbered(0x5c, 'TLOAD TSTORE MCOPY PUSH0'),
  ...numbered(0x60, series('PUSH', 1, 32)),
  ...numbered(0x80, series('DUP', 1, 16)),
  ...numbered(0x90, series('SWAP', 1, 16)),
  ...numbered(0xa0, series('LOG', 0, 4)),
  ...numbered(0xf0, 'CREATE CALL CALLCODE RETURN DELEGATECALL CREATE2'),
  STATICCALL: 0xfa,
  ...numbered(0xfd, 'REVERT INVALID SELFDESTRUCT'),
};

function numbered(first: number, names: string): Record<string, number> {
  return Object.fromEntries(names.split(' ').map((name, i) => [name, first + i]));
}

function series(name: string, first: number, last: number): string {
  return Array.from({ length: last - first + 1 }, (_, i) => `${name}${first + i}`).join(' ');
}

/** A piece of a program: names of operations, a number to push, or raw bytes. */
export type Piece = string | bigint | Uint8Array;

/** Assembles bytecode: names in text, numbers as the shortest PUSH, bytes as they are. */
export function program(...pieces: readonly Piece[]): Uint8Array {
  return Buffer.concat(pieces.map(bytesOf));
}

function bytesOf(piece: Piece): Uint8Array {
  if (piece instanceof Uint8Array) return piece;
  if (typeof piece === 'bigint') return push(piece);
  const names = piece.trim().split(/\s+/);
  return Uint8Array.from(names, (name) => {
    const code = operations[name];
    if (code === undefined) throw new RangeError(`no operation is called ${name}`);
    return code;
  });
}

/** The PUSH of a number, `width` bytes wide or as short as can be. */
export function push(value: bigint, width = shortest(value)): Uint8Array {
  if (width === 0) return Uint8Array.of(0x5f);
  const bytes = Buffer.from(value.toString(16).padStart(2 * width, '0'), 'hex');
  return Uint8Array.of(0x5f + width, ...bytes);
}

const shortest = (value: bigint): number =>
  value === 0n ? 0 : Math.ceil(value.toString(16).length / 2);

/** Returns the top word. */
export const returnTop = (): Uint8Array => program('PUSH0 MSTORE', 32n, 'PUSH0 RETURN');

/** Init code that deploys `code`, which it carries behind itself. */
export function deploying(code: Uint8Array): Uint8Array {
  const length = BigInt(code.length);
  const head = program(
    push(length, 3),
    push(14n, 1),
    'PUSH0 CODECOPY',
    push(length, 3),
    'PUSH0 RETURN',
  );
  return Buffer.concat([head, code]);
}
