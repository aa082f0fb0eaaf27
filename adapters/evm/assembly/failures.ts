// Why a frame ended exceptionally: the codes of the result area.
export const outOfGas: i32 = 1;
export const invalidOperation: i32 = 2;
export const stackUnderflow: i32 = 3;
export const stackOverflow: i32 = 4;
export const invalidJump: i32 = 5;
export const staticChange: i32 = 6;
export const returnDataBounds: i32 = 7;
export const precompileFailure: i32 = 8;
/** Too deep, or more value than the caller has. */
export const callRefused: i32 = 9;
export const createCollision: i32 = 10;
export const codeTooLarge: i32 = 11;
export const initCodeTooLarge: i32 = 12;
export const invalidCode: i32 = 13;
export const codeStoreOutOfGas: i32 = 14;

// How a frame ended.
export const succeeded: i32 = 0;
export const reverted: i32 = 1;
export const failed: i32 = 2;
