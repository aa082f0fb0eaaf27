/** The WebAssembly of `mcl-wasm` as its factory hands it over: functions over its own memory. */
declare module 'mcl-wasm/dist/mcl_c.js' {
  export interface MclModule {
    readonly wasmMemory: { readonly buffer: ArrayBuffer };
    _malloc(bytes: number): number;
    _mclBn_init(curve: number, variant: number): number;
    _mclBn_setMapToMode(mode: number): number;
    _mclBn_verifyOrderG1(verify: number): void;
    _mclBn_verifyOrderG2(verify: number): void;
    _mclBnFp_setInt32(r: number, value: number): void;
    _mclBnFp_setBigEndianMod(r: number, bytes: number, length: number): number;
    _mclBnFp_getLittleEndian(bytes: number, room: number, a: number): number;
    _mclBnFp_neg(r: number, a: number): void;
    _mclBnFp_sqr(r: number, a: number): void;
    _mclBnFp_mul(r: number, a: number, b: number): void;
    _mclBnFp_add(r: number, a: number, b: number): void;
    _mclBnFp_squareRoot(r: number, a: number): number;
    _mclBnFp_mapToG1(r: number, a: number): number;
    _mclBnFp2_mapToG2(r: number, a: number): number;
    _mclBnFr_setBigEndianMod(r: number, bytes: number, length: number): number;
    _mclBnFr_inv(r: number, a: number): void;
    _mclBnFr_mul(r: number, a: number, b: number): void;
    _mclBnFr_isEqual(a: number, b: number): number;
    _mclBnG1_clear(r: number): void;
    _mclBnG1_isZero(a: number): number;
    _mclBnG1_isValid(a: number): number;
    _mclBnG1_isValidOrder(a: number): number;
    _mclBnG1_normalize(r: number, a: number): void;
    _mclBnG1_neg(r: number, a: number): void;
    _mclBnG1_add(r: number, a: number, b: number): void;
    _mclBnG1_mul(r: number, a: number, scalar: number): void;
    _mclBnG1_mulVec(r: number, points: number, scalars: number, count: number): void;
    _mclBnG1_getBasePoint(r: number): void;
    _mclBnG2_clear(r: number): void;
    _mclBnG2_isZero(a: number): number;
    _mclBnG2_isValid(a: number): number;
    _mclBnG2_isValidOrder(a: number): number;
    _mclBnG2_normalize(r: number, a: number): void;
    _mclBnG2_neg(r: number, a: number): void;
    _mclBnG2_add(r: number, a: number, b: number): void;
    _mclBnG2_mul(r: number, a: number, scalar: number): void;
    _mclBnG2_mulVec(r: number, points: number, scalars: number, count: number): void;
    _mclBnGT_setInt32(r: number, value: number): void;
    _mclBnGT_mul(r: number, a: number, b: number): void;
    _mclBnGT_isOne(a: number): number;
    _mclBn_getUint64NumToPrecompute(): number;
    _mclBn_precomputeG2(lines: number, q: number): void;
    _mclBn_precomputedMillerLoop(r: number, p: number, lines: number): void;
    _mclBn_precomputedMillerLoop2(
      r: number,
      p: number,
      lines: number,
      pOther: number,
      linesOther: number,
    ): void;
    _mclBn_millerLoopVec(r: number, p: number, q: number, count: number): void;
    _mclBn_finalExp(r: number, a: number): void;
  }
  export default function createModule(options: {
    cryptoGetRandomValues(bytes: Uint8Array): void;
  }): Promise<MclModule>;
}
