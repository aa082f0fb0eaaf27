export { Pkcs11Error, type Pkcs11ErrorCode } from './errors.ts';
export type { TokenInfo } from './structures.ts';
export { openToken, type Token, type TokenOptions, tokensOf } from './token.ts';
export type { KeyName, KeyUse, TokenKey } from './token-key.ts';
