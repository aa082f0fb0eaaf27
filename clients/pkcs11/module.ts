import { resolve } from 'node:path';
import { type Binding, loadBinding } from './binding.ts';
import { ck, returned } from './constants.ts';
import { Pkcs11Error } from './errors.ts';
import { failureOf } from './failure.ts';
import {
  readTokenInfo,
  readUlong,
  type TokenInfo,
  tokenInfoBytes,
  writeFields,
} from './structures.ts';

/** A token in a slot. */
export interface TokenSlot {
  /** CK_SLOT_ID. */
  readonly slot: number;
  readonly info: TokenInfo;
}

interface Loaded {
  readonly binding: Binding;
  users: number;
  /** Whoever initialised the library ends it: another part of this process may use it too. */
  readonly isOurs: boolean;
}

/** Modules are initialised once a process (section 5.4): whoever loads one again shares it. */
const loaded = new Map<string, Loaded>();

/** A module that is in use. */
export interface Module {
  readonly binding: Binding;
  /** Lets go of it; the last to do so ends the library. */
  release(): void;
}

/**
 * Loads and initialises a PKCS#11 module.
 * @param file path of the shared library
 * @throws Pkcs11Error BINDING_MISSING, MODULE_UNREADABLE, TOKEN_FAILED
 */
export function openModule(file: string): Module {
  const path = resolve(file);
  const entry = loaded.get(path) ?? initialise(path);
  loaded.set(path, entry);
  entry.users += 1;
  let isHeld = true;
  return {
    binding: entry.binding,
    release: () => {
      if (!isHeld) return;
      isHeld = false;
      entry.users -= 1;
      if (entry.users > 0) return;
      loaded.delete(path);
      if (entry.isOurs) entry.binding.call('C_Finalize', null);
    },
  };
}

function initialise(path: string): Loaded {
  const binding = loadBinding(path, failureOf);
  const { layout, addressOf } = binding;
  // CK_C_INITIALIZE_ARGS: no mutex functions of ours, the platform's own may be used.
  const none = { pointer: null };
  const flags = ck.initialize.osLockingOk;
  const args = writeFields(layout, [none, none, none, none, flags, none], addressOf);
  const rv = binding.call('C_Initialize', args);
  const isOurs = rv === returned.ok;
  if (!isOurs && rv !== returned.alreadyInitialized) throw failureOf(rv, 'C_Initialize');
  return { binding, users: 0, isOurs };
}

/** Most slots looked at. */
const maxSlots = 256;

/** The tokens there are, initialised ones only. @throws Pkcs11Error TOKEN_FAILED */
export function listTokens(binding: Binding): TokenSlot[] {
  const { layout } = binding;
  const slots = Buffer.alloc(maxSlots * layout.ulong);
  const count = writeFields(layout, [maxSlots], binding.addressOf);
  binding.must('C_GetSlotList', 1, slots, count);
  const found = Math.min(readUlong(layout, count) ?? 0, maxSlots);
  const tokens: TokenSlot[] = [];
  for (let at = 0; at < found; at += 1) {
    const slot = readUlong(layout, slots, at * layout.ulong) ?? 0;
    const info = Buffer.alloc(tokenInfoBytes(layout));
    const rv = binding.call('C_GetTokenInfo', slot, info);
    // A token may be taken out between the two calls; it is none then.
    if (rv !== returned.ok) continue;
    const token = readTokenInfo(layout, info);
    if ((token.flags & ck.token.initialized) !== 0) tokens.push({ slot, info: token });
  }
  return tokens;
}

/**
 * The token of a label, or the only one there is.
 * @throws Pkcs11Error TOKEN_NOT_FOUND, TOKEN_AMBIGUOUS, TOKEN_FAILED
 */
export function chooseToken(binding: Binding, label: string | undefined): TokenSlot {
  const tokens = listTokens(binding);
  const fitting = tokens.filter(({ info }) => label === undefined || info.label === label);
  const [only] = fitting;
  if (only !== undefined && fitting.length === 1) return only;
  const labels = [...new Set(tokens.map(({ info }) => `"${info.label}"`))].join(', ');
  if (only === undefined) {
    const which = label === undefined ? 'no token' : `no token "${label}"`;
    const there =
      labels === '' ? 'put it in, or initialise it with its own tool' : `there: ${labels}`;
    throw new Pkcs11Error('TOKEN_NOT_FOUND', `the module shows ${which}: ${there}`);
  }
  const why = `${fitting.length} tokens fit: name one by its label, of ${labels}`;
  throw new Pkcs11Error('TOKEN_AMBIGUOUS', why);
}
