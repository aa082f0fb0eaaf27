/** The part of the `secp256k1` package (libsecp256k1 by N-API, elliptic without it) used here. */
declare module 'secp256k1' {
  const secp256k1: {
    /** 33- or 65-byte point from a 64-byte r‖s signature; throws when there is none. */
    ecdsaRecover(
      signature: Uint8Array,
      recovery: number,
      digest: Uint8Array,
      compressed: boolean,
    ): Uint8Array;
    /** Deterministic (RFC 6979) low-s signature of a 32-byte digest. */
    ecdsaSign(digest: Uint8Array, key: Uint8Array): { signature: Uint8Array; recid: number };
    publicKeyCreate(key: Uint8Array, compressed: boolean): Uint8Array;
  };
  export default secp256k1;
}
