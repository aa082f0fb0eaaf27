// Every operation on 256-bit words: 32 bytes in memory, four limbs of 64 bits, the least significant
// limb first. The result `r` may be any of the operands.

export * from './bytes';
export * from './divide';
export * from './limbs';
export * from './multiply';
export * from './power';
export * from './shift';
