// Why a frame ended exceptionally: the codes of the result area.
/** The gas does not suffice, or memory is beyond what an engine gives. */
export const outOfGas: i32 = 1;
/** A byte that is no operation of the fork. */
export const invalidOperation: i32 = 2;
/** Fewer words on the stack than the operation takes. */
export const stackUnderflow: i32 = 3;
/** More than 1,024 words on the stack. */
export const stackOverflow: i32 = 4;
/** A jump to what is no JUMPDEST. */
export const invalidJump: i32 = 5;
/** A change of the state beneath a STATICCALL (EIP-214). */
export const staticChange: i32 = 6;
/** RETURNDATACOPY beyond what was returned (EIP-211). */
export const returnDataBounds: i32 = 7;
/** A precompile refused its input, or its gas does not suffice. */
export const precompileFailure: i32 = 8;
/** Too deep, or more value than the caller has. */
export const callRefused: i32 = 9;
/** There is something at the address of the creation already (EIP-684, 7610). */
export const createCollision: i32 = 10;
/** Code to deposit longer than the fork allows (EIP-170). */
export const codeTooLarge: i32 = 11;
/** Init code longer than the fork allows (EIP-3860). */
export const initCodeTooLarge: i32 = 12;
/** Code to deposit begins with 0xEF (EIP-3541). */
export const invalidCode: i32 = 13;
/** The gas does not suffice for the deposit of the code. */
export const codeStoreOutOfGas: i32 = 14;

// How a frame ended.
/** With a result, all changes kept. */
export const succeeded: i32 = 0;
/** By REVERT: changes undone, the gas left comes back. */
export const reverted: i32 = 1;
/** Exceptionally: changes undone, all gas gone. */
export const failed: i32 = 2;
