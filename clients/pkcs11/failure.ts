import { nameOfReturned, returned } from './constants.ts';
import { Pkcs11Error, type Pkcs11ErrorCode } from './errors.ts';

const meanings: Readonly<Record<number, readonly [Pkcs11ErrorCode, string]>> = {
  [returned.pinIncorrect]: [
    'PIN_WRONG',
    'the token refused the PIN: check it before another try, the token counts wrong ones and locks itself',
  ],
  [returned.pinInvalid]: ['PIN_WRONG', 'the PIN has characters this token takes none of'],
  [returned.pinLenRange]: ['PIN_WRONG', 'no PIN of this token has that length'],
  [returned.pinExpired]: [
    'TOKEN_NOT_READY',
    'the PIN has expired: set a new one with the token’s own tool',
  ],
  [returned.pinLocked]: [
    'PIN_LOCKED',
    'the token is locked after too many wrong PINs: its security officer unlocks it, with the token’s own tool',
  ],
  [returned.userPinNotInitialized]: [
    'TOKEN_NOT_READY',
    'the token has no user PIN yet: set one with the token’s own tool',
  ],
  [returned.deviceRemoved]: ['TOKEN_CLOSED', 'the token was taken out: put it in and begin again'],
  [returned.tokenNotPresent]: [
    'TOKEN_CLOSED',
    'the token was taken out: put it in and begin again',
  ],
  [returned.sessionClosed]: ['TOKEN_CLOSED', 'the token ended the session: begin again'],
  [returned.sessionHandleInvalid]: ['TOKEN_CLOSED', 'the token knows the session no more: again'],
  [returned.keyTypeInconsistent]: [
    'KEY_UNSUITABLE',
    'the key is of another type: a P-256 key is needed',
  ],
  [returned.keyFunctionNotPermitted]: [
    'KEY_UNSUITABLE',
    'the token does not allow this key to do that: use one made for it',
  ],
  [returned.mechanismInvalid]: [
    'UNSUPPORTED_BY_TOKEN',
    'the token cannot do that: take one that signs with CKM_ECDSA and agrees with CKM_ECDH1_DERIVE',
  ],
  [returned.tokenWriteProtected]: [
    'UNSUPPORTED_BY_TOKEN',
    'the token is write-protected: make the key with its own tool',
  ],
};

/** What a return value other than CKR_OK means to whoever uses the token. */
export function failureOf(value: number, name: string): Pkcs11Error {
  const details = { returned: nameOfReturned(value), function: name };
  const [code, why] = meanings[value] ?? [];
  if (code !== undefined && why !== undefined) return new Pkcs11Error(code, why, details);
  const what = `the token’s ${name} answered ${details.returned}`;
  const next = 'its maker’s documentation says what that means; its own tool shows its state';
  return new Pkcs11Error('TOKEN_FAILED', `${what}: ${next}`, details);
}
