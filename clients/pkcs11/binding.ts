import { existsSync } from 'node:fs';
import { createRequire } from 'node:module';
import type { LibraryHandle } from 'koffi';
import { nameOfReturned } from './constants.ts';
import { Pkcs11Error } from './errors.ts';
import { type AddressOf, type Layout, layoutOf } from './structures.ts';

/** A C function of PKCS#11: handles and numbers as numbers, structures and bytes by address. */
type CFunction = (...args: (number | bigint | Uint8Array | null)[]) => number | bigint;

/** Functions of CK_FUNCTION_LIST: place in the list, and parameters (section 5). */
const declarations = {
  C_Initialize: [0, 'p'],
  C_Finalize: [1, 'p'],
  C_GetSlotList: [4, 'bpp'],
  C_GetTokenInfo: [6, 'up'],
  C_OpenSession: [12, 'uuppp'],
  C_CloseSession: [13, 'u'],
  C_Login: [18, 'uupu'],
  C_Logout: [19, 'u'],
  C_DestroyObject: [22, 'uu'],
  C_GetAttributeValue: [24, 'uupu'],
  C_FindObjectsInit: [26, 'upu'],
  C_FindObjects: [27, 'upup'],
  C_FindObjectsFinal: [28, 'u'],
  C_SignInit: [42, 'upu'],
  C_Sign: [43, 'upupp'],
  C_GenerateKeyPair: [59, 'uppupupp'],
  C_DeriveKey: [62, 'upupup'],
} as const;

/** Functions of CK_FUNCTION_LIST in 2.40. */
const listLength = 68;

/** b: CK_BBOOL, u: CK_ULONG, p: pointer. */
const parameterTypes: Readonly<Record<string, string>> = { b: 'uint8', u: 'ulong', p: 'void *' };

/** The functions this room calls. */
export type CFunctionName = keyof typeof declarations;

/** A loaded module: its functions, and how structures are laid out for it. */
export interface Binding {
  readonly layout: Layout;
  readonly addressOf: AddressOf;
  /** Calls a function; the CK_RV it returned. */
  call(name: CFunctionName, ...args: (number | Uint8Array | null)[]): number;
  /** Calls a function that must return CKR_OK. @throws Pkcs11Error TOKEN_FAILED and others */
  must(name: CFunctionName, ...args: (number | Uint8Array | null)[]): void;
}

type Koffi = typeof import('koffi');

/**
 * Libraries that were loaded. They stay for the life of the process: one that nobody holds is
 * unloaded, and its functions' addresses then lead nowhere.
 */
const libraries = new Map<string, LibraryHandle>();

/**
 * Loads a module: a shared library with C_GetFunctionList (section 5.2), the only function by whose
 * name the standard lets it be asked.
 * @throws Pkcs11Error BINDING_MISSING, MODULE_UNREADABLE
 */
export function loadBinding(file: string, failureOf: (rv: number, name: string) => Error): Binding {
  const koffi = loadKoffi('koffi');
  if (!existsSync(file)) {
    const why = `there is no PKCS#11 module ${file}: give the path of the token maker's library`;
    throw new Pkcs11Error('MODULE_UNREADABLE', `${why} (of SoftHSM: libsofthsm2.so)`);
  }
  const layout = layoutOf(process.platform);
  const functions = readFunctions(koffi, file, layout);
  const call = (name: CFunctionName, ...args: (number | Uint8Array | null)[]): number =>
    Number((functions.get(name) as CFunction)(...args));
  return {
    layout,
    addressOf: (bytes) => koffi.address(bytes),
    call,
    must: (name, ...args) => {
      const rv = call(name, ...args);
      if (rv !== 0) throw failureOf(rv, name);
    },
  };
}

/**
 * Loads what calls C.
 * @param name of the package, for tests
 * @throws Pkcs11Error BINDING_MISSING
 */
export function loadKoffi(name: string): Koffi {
  try {
    return createRequire(import.meta.url)(name) as Koffi;
  } catch {
    const why = `PKCS#11 takes the package "${name}", which is not installed for ${process.platform}`;
    const next = 'install it with "npm install" on this machine, without leaving out optional ones';
    throw new Pkcs11Error('BINDING_MISSING', `${why} ${process.arch}: ${next}`);
  }
}

/**
 * With glibc a library prefers what it links to over what the runtime has: modules bring an OpenSSL,
 * and the runtime contains another.
 */
const loadOptions = (): { deep?: boolean } => (process.platform === 'linux' ? { deep: true } : {});

function readFunctions(koffi: Koffi, file: string, layout: Layout): Map<CFunctionName, CFunction> {
  try {
    const library = libraries.get(file) ?? koffi.load(file, loadOptions());
    libraries.set(file, library);
    const getList = library.func('C_GetFunctionList', 'ulong', ['void *']);
    const place = Buffer.alloc(layout.pointer);
    const rv = Number(getList(place));
    if (rv !== 0) throw new Error(nameOfReturned(rv));
    const list = place.readBigUInt64LE();
    const length = layout.functionsAt + listLength * layout.pointer;
    const bytes = Buffer.from(koffi.view(list, length).slice(0));
    return new Map(
      Object.entries(declarations).map(([name, [index, parameters]]) => {
        const pointer = bytes.readBigUInt64LE(layout.functionsAt + index * layout.pointer);
        if (pointer === 0n) throw new Error(`it lacks ${name}`);
        const types = [...parameters].map((one) => parameterTypes[one] as string);
        const decoded = koffi.decode(pointer, koffi.proto('ulong', types));
        return [name as CFunctionName, decoded as CFunction];
      }),
    );
  } catch (error) {
    const why = `${file} is no PKCS#11 module for this platform (${(error as Error).message})`;
    throw new Pkcs11Error('MODULE_UNREADABLE', `${why}: give the token maker's library`);
  }
}
