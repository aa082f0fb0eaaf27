import { ck, returned } from './constants.ts';
import { Pkcs11Error } from './errors.ts';
import { failureOf } from './failure.ts';
import { chooseToken, listTokens, type Module, openModule } from './module.ts';
import type { Session } from './objects.ts';
import { readUlong, type TokenInfo } from './structures.ts';
import { generateKey, type KeyName, type KeyUse, openKey, type TokenKey } from './token-key.ts';

/** Which token, and what opens it. */
export interface TokenOptions {
  /** Path of the maker's shared library, for example `/usr/lib/softhsm/libsofthsm2.so`. */
  readonly module: string;
  /** The token's label; not needed where there is one token. */
  readonly token?: string;
  /**
   * The user PIN as UTF-8; zeroed before this returns, whatever happens. Not needed by a token with
   * its own way to ask (a reader with a key pad), or that takes none.
   */
  readonly pin?: Uint8Array;
}

/** A token that is logged in to. Synchronous: each call takes as long as the token does. */
export interface Token {
  readonly info: TokenInfo;
  /**
   * The P-256 key of a label or id, with its public key.
   * @throws Pkcs11Error KEY_NOT_FOUND, KEY_AMBIGUOUS, KEY_UNSUITABLE, INVALID_NAME, TOKEN_FAILED
   */
  key(name: KeyName): TokenKey;
  /**
   * Makes a P-256 key pair that stays in the token: its private key can never be read.
   * @throws Pkcs11Error KEY_EXISTS, INVALID_NAME, UNSUPPORTED_BY_TOKEN, TOKEN_FAILED
   */
  generateKey(label: string, use: KeyUse): TokenKey;
  /** Logs out and lets go. Keys of this token cannot be used afterwards. */
  close(): void;
}

/**
 * Opens a session with a token and logs in as its user. A PIN is tried once.
 * @throws Pkcs11Error BINDING_MISSING, MODULE_UNREADABLE, TOKEN_NOT_FOUND, TOKEN_AMBIGUOUS,
 *   TOKEN_NOT_READY, PIN_REQUIRED, PIN_WRONG, PIN_LOCKED, TOKEN_FAILED
 */
export function openToken({ module: file, token: label, pin }: TokenOptions): Token {
  try {
    const module = openModule(file);
    try {
      const { slot, info } = chooseToken(module.binding, label);
      requirePin(info, pin);
      const session = openSession(module, slot);
      try {
        logIn(session, info, pin);
        return tokenOf(module, session, info);
      } catch (error) {
        module.binding.call('C_CloseSession', session.handle);
        throw error;
      }
    } catch (error) {
      module.release();
      throw error;
    }
  } finally {
    pin?.fill(0);
  }
}

/** Asks for nothing that is bound to fail: a wrong try may be the one that locks the token. */
function requirePin({ label, flags }: TokenInfo, pin: Uint8Array | undefined): void {
  if ((flags & ck.token.userPinLocked) !== 0) throw failureOf(returned.pinLocked, 'C_GetTokenInfo');
  if ((flags & ck.token.loginRequired) === 0) return;
  if ((flags & ck.token.userPinInitialized) === 0) {
    throw failureOf(returned.userPinNotInitialized, 'C_GetTokenInfo');
  }
  const hasPad = (flags & ck.token.protectedAuthenticationPath) !== 0;
  if (hasPad || (pin !== undefined && pin.length > 0)) return;
  throw new Pkcs11Error('PIN_REQUIRED', `token "${label}" asks for its user PIN: give it`);
}

function openSession({ binding }: Module, slot: number): Session {
  const place = Buffer.alloc(binding.layout.ulong);
  const { serial, readWrite } = ck.session;
  binding.must('C_OpenSession', slot, serial | readWrite, null, null, place);
  return { binding, handle: readUlong(binding.layout, place) ?? 0 };
}

function logIn({ binding, handle }: Session, { flags }: TokenInfo, pin?: Uint8Array): void {
  if ((flags & ck.token.loginRequired) === 0) return;
  const hasPad = (flags & ck.token.protectedAuthenticationPath) !== 0;
  const given = hasPad || pin === undefined ? null : pin;
  const rv = binding.call('C_Login', handle, ck.user, given, given?.length ?? 0);
  // Another session of this process logged in; the login is the token's, not the session's.
  if (rv !== returned.ok && rv !== returned.userAlreadyLoggedIn) throw failureOf(rv, 'C_Login');
}

function tokenOf(module: Module, session: Session, info: TokenInfo): Token {
  let isOpen = true;
  const open = (): Session => {
    if (isOpen) return session;
    throw new Pkcs11Error('TOKEN_CLOSED', `token "${info.label}" was closed: open it again`);
  };
  return {
    info,
    key: (name) => openKey(open, name),
    generateKey: (label, use) => generateKey(open, label, use),
    close: () => {
      if (!isOpen) return;
      isOpen = false;
      // Closing the last session logs out as well (section 5.6); others of this process go on.
      module.binding.call('C_CloseSession', session.handle);
      module.release();
    },
  };
}

/**
 * What the tokens a module shows say of themselves; no PIN is needed for that.
 * @throws Pkcs11Error BINDING_MISSING, MODULE_UNREADABLE, TOKEN_FAILED
 */
export function tokensOf(file: string): TokenInfo[] {
  const module = openModule(file);
  try {
    return listTokens(module.binding).map(({ info }) => info);
  } finally {
    module.release();
  }
}
