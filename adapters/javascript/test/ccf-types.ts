import type { Request } from '@microsoft/ccf-app';
import type { CCF, CCFCrypto, CCFRpc, KvMaps } from '@microsoft/ccf-app/global.js';
import type { createCcf, createCrypto, createMaps } from '../process/realm-globals.ts';

/**
 * What the realm makes is what applications are compiled against: the compiler refuses this file
 * where a member is missing, or gives or takes something else than @microsoft/ccf-app types.
 */
type Made = ReturnType<typeof createCcf>;

/** `historical` and `historicalState` are made elsewhere; their members are looked at as they run. */
type Global = Omit<CCF, 'historical' | 'historicalState'>;

type Fits<Ours extends Theirs, Theirs> = Ours;

/** Holds for the whole global, and each part by itself, so that an error names the part. */
export type Proof = [
  Fits<Made, Global>,
  Fits<ReturnType<typeof createCrypto>, CCFCrypto>,
  Fits<Made['rpc'], CCFRpc>,
  Fits<ReturnType<typeof createMaps>, KvMaps>,
  Fits<keyof Made, keyof CCF>,
];

/** Names of the members of a request; the record names each once, none beside them. */
export const requestMembers: Readonly<Record<keyof Request, true>> = {
  headers: true,
  params: true,
  url: true,
  path: true,
  route: true,
  query: true,
  method: true,
  hostname: true,
  body: true,
  caller: true,
};

/** Names of the members of the global `ccf` and of its parts, each once. */
export const ccfMembers: Readonly<Record<keyof CCF, true>> = {
  strToBuf: true,
  bufToStr: true,
  jsonCompatibleToBuf: true,
  bufToJsonCompatible: true,
  generateAesKey: true,
  generateRsaKeyPair: true,
  generateEcdsaKeyPair: true,
  wrapKey: true,
  digest: true,
  isValidX509CertBundle: true,
  isValidX509CertChain: true,
  crypto: true,
  rpc: true,
  consensus: true,
  kv: true,
  historicalState: true,
  historical: true,
  enableUntrustedDateTime: true,
  enableMetricsLogging: true,
};

/** Names of the members of `ccf.crypto`, each once. */
export const cryptoMembers: Readonly<Record<keyof CCFCrypto, true>> = {
  sign: true,
  verifySignature: true,
  generateAesKey: true,
  generateRsaKeyPair: true,
  generateEcdsaKeyPair: true,
  generateEddsaKeyPair: true,
  wrapKey: true,
  unwrapKey: true,
  digest: true,
  isValidX509CertBundle: true,
  isValidX509CertChain: true,
  pubPemToJwk: true,
  pemToJwk: true,
  pubRsaPemToJwk: true,
  rsaPemToJwk: true,
  pubEddsaPemToJwk: true,
  eddsaPemToJwk: true,
  pubJwkToPem: true,
  jwkToPem: true,
  pubRsaJwkToPem: true,
  rsaJwkToPem: true,
  pubEddsaJwkToPem: true,
  eddsaJwkToPem: true,
};
