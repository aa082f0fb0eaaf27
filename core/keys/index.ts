export { KeysError, type KeysErrorCode } from './errors.ts';
export {
  type SessionKeyWrap,
  sessionKeyBytes,
  unwrapSessionKey,
  type WrapBinding,
  wrappedKeyBytes,
  wrapSessionKey,
} from './session-key-wrap.ts';
export { type SessionKey, SessionKeyring, type SessionKeySource } from './session-keyring.ts';
