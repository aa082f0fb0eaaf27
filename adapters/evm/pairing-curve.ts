import { assert } from '@concordat/std';
import createModule, { type MclModule } from 'mcl-wasm/dist/mcl_c.js';

/** A curve the library knows. */
export interface CurveChoice {
  /** The library's number of it. */
  readonly id: number;
  /** Bytes of a coordinate: 32 or 48. */
  readonly fieldBytes: number;
  /** Prime of the field, big-endian, `fieldBytes` long. */
  readonly prime: Uint8Array;
}

/** The library's own element sizes: six limbs a coordinate, four a scalar, whatever the curve. */
const fp = 48;
/** Bytes of a scalar in the library's memory. */
export const scalarSize = 32;
/** Bytes of a point of the first group in the library's memory: x, y, z. */
export const g1Size: number = 3 * fp;
/** Bytes of a point of the second group in the library's memory. */
export const g2Size: number = 6 * fp;
const gtSize = 12 * fp;
const variant = 46;
const hashToCurve = 5;

/** Pairs whose Miller loops are done at once, and points of one multi-scalar multiplication. */
export const batch = 128;

/**
 * One pairing-friendly curve in an instance of `mcl-wasm` of its own: its points by their addresses
 * in the library's memory. The library's JavaScript classes allow one curve a process and copy
 * every operand; the WebAssembly beneath them does neither.
 */
export class PairingCurve {
  readonly module: MclModule;
  readonly #choice: CurveChoice;
  #memory: Buffer = Buffer.alloc(0);
  readonly #bytes: number;
  readonly #gt: number;
  readonly #product: number;
  /** Room for a batch of points, pairs and scalars. */
  readonly g1Points: number;
  readonly g2Points: number;
  readonly scalars: number;

  private constructor(module: MclModule, choice: CurveChoice) {
    this.module = module;
    this.#choice = choice;
    this.#bytes = this.allocate(64);
    this.#gt = this.allocate(gtSize);
    this.#product = this.allocate(gtSize);
    this.g1Points = this.allocate(g1Size * batch);
    this.g2Points = this.allocate(g2Size * batch);
    this.scalars = this.allocate(scalarSize * batch);
  }

  /** Loads the library for a curve. */
  static async load(choice: CurveChoice): Promise<PairingCurve> {
    const module = await createModule({
      cryptoGetRandomValues: () => assert(false, 'no randomness is needed here'),
    });
    assert(module._mclBn_init(choice.id, variant) === 0, 'the curve is known');
    module._mclBn_setMapToMode(hashToCurve);
    // Whether a point is in its subgroup is asked for where the standard does.
    module._mclBn_verifyOrderG1(0);
    module._mclBn_verifyOrderG2(0);
    return new PairingCurve(module, choice);
  }

  /** Room that stays for the life of the process. */
  allocate(bytes: number): number {
    const at = this.module._malloc(bytes);
    assert(at !== 0, 'the library has memory');
    this.#view.fill(0, at, at + bytes);
    return at;
  }

  /** Copies within the library's memory. */
  copy(to: number, from: number, bytes: number): void {
    this.#view.copyWithin(to, from, from + bytes);
  }

  /** Over the library's memory; made anew when it has grown, which detaches the view. */
  get #view(): Buffer {
    if (this.#memory.length === 0) this.#memory = Buffer.from(this.module.wasmMemory.buffer);
    return this.#memory;
  }

  /** Sets a field element from `fieldBytes` big-endian bytes; false when it is not below the prime. */
  setField(at: number, bytes: Uint8Array): boolean {
    const { fieldBytes, prime } = this.#choice;
    assert(bytes.length === fieldBytes, 'a field element has the length of the prime');
    if (!isBelow(bytes, prime)) return false;
    const view = this.#view;
    for (let i = 0; i < fieldBytes; i++) view[this.#bytes + i] = bytes[i] as number;
    return this.module._mclBnFp_setBigEndianMod(at, this.#bytes, fieldBytes) === 0;
  }

  /** A field element as `fieldBytes` big-endian bytes. */
  field(at: number): Uint8Array {
    const { fieldBytes } = this.#choice;
    const length = this.module._mclBnFp_getLittleEndian(this.#bytes, fp, at);
    const result = new Uint8Array(fieldBytes);
    const view = this.#view;
    for (let i = 0; i < length; i++) {
      const byte = view[this.#bytes + i] as number;
      if (byte !== 0) result[fieldBytes - 1 - i] = byte;
    }
    return result;
  }

  /** Sets a scalar from 32 big-endian bytes, modulo the group's order. */
  setScalar(at: number, bytes: Uint8Array): void {
    this.#view.set(bytes, this.#bytes);
    this.module._mclBnFr_setBigEndianMod(at, this.#bytes, 32);
  }

  /** Sets a point of the first group; false when it is not on the curve. Zeros are infinity. */
  setG1(at: number, x: Uint8Array, y: Uint8Array): boolean {
    const { module } = this;
    if (isZero(x) && isZero(y)) {
      module._mclBnG1_clear(at);
      return true;
    }
    if (!this.setField(at, x) || !this.setField(at + fp, y)) return false;
    module._mclBnFp_setInt32(at + 2 * fp, 1);
    return module._mclBnG1_isValid(at) === 1;
  }

  /** Sets a point of the second group; coordinates are (real, imaginary) each. */
  setG2(at: number, x: readonly Uint8Array[], y: readonly Uint8Array[]): boolean {
    const { module } = this;
    const [x0, x1, y0, y1] = [...x, ...y] as [Uint8Array, Uint8Array, Uint8Array, Uint8Array];
    if (isZero(x0) && isZero(x1) && isZero(y0) && isZero(y1)) {
      module._mclBnG2_clear(at);
      return true;
    }
    if (!this.setField(at, x0) || !this.setField(at + fp, x1)) return false;
    if (!this.setField(at + 2 * fp, y0) || !this.setField(at + 3 * fp, y1)) return false;
    module._mclBnFp_setInt32(at + 4 * fp, 1);
    module._mclBnFp_setInt32(at + 5 * fp, 0);
    return module._mclBnG2_isValid(at) === 1;
  }

  /** Affine coordinates of a point: x, y; zeros for infinity. */
  g1(at: number): readonly Uint8Array[] {
    if (this.module._mclBnG1_isZero(at) === 1) return this.#zeros(2);
    this.module._mclBnG1_normalize(at, at);
    return [this.field(at), this.field(at + fp)];
  }

  /** Affine coordinates of a point: real and imaginary part of x, then of y; zeros for infinity. */
  g2(at: number): readonly Uint8Array[] {
    if (this.module._mclBnG2_isZero(at) === 1) return this.#zeros(4);
    this.module._mclBnG2_normalize(at, at);
    return [0, 1, 2, 3].map((index) => this.field(at + index * fp));
  }

  #zeros(count: number): readonly Uint8Array[] {
    return Array.from({ length: count }, () => new Uint8Array(this.#choice.fieldBytes));
  }

  /** Starts a product of pairings. */
  startPairing(): void {
    this.module._mclBnGT_setInt32(this.#product, 1);
  }

  /**
   * Whether the product of `count` pairings is one, as a 32-byte number; undefined when a pair is
   * none. `read` sets the two points of a pair and says whether they are such.
   */
  pairing(
    count: number,
    read: (index: number, p: number, q: number) => boolean,
  ): Uint8Array | undefined {
    const { module } = this;
    this.startPairing();
    let held = 0;
    for (let index = 0; index < count; index++) {
      const p = this.g1Points + held * g1Size;
      const q = this.g2Points + held * g2Size;
      if (!read(index, p, q)) return undefined;
      // A pair with infinity multiplies by one.
      if (module._mclBnG1_isZero(p) === 1 || module._mclBnG2_isZero(q) === 1) continue;
      if (++held < batch) continue;
      this.#multiplyPairs(held);
      held = 0;
    }
    this.#multiplyPairs(held);
    const result = new Uint8Array(32);
    result[31] = this.isOne() ? 1 : 0;
    return result;
  }

  /** Multiplies the Miller loops of the first `count` of {@link g1Points} and {@link g2Points}. */
  #multiplyPairs(count: number): void {
    if (count === 0) return;
    this.module._mclBn_millerLoopVec(this.#gt, this.g1Points, this.g2Points, count);
    this.module._mclBnGT_mul(this.#product, this.#product, this.#gt);
  }

  /** What the Miller loops with a fixed point of the second group have in common; its address. */
  prepared(q: number): number {
    const lines = this.allocate(8 * this.module._mclBn_getUint64NumToPrecompute());
    this.module._mclBn_precomputeG2(lines, q);
    return lines;
  }

  /** Multiplies Miller loops of two points and two {@link prepared} ones; none is infinity. */
  multiplyPrepared(p: number, q: number, pOther: number, qOther: number): void {
    this.module._mclBn_precomputedMillerLoop2(this.#gt, p, q, pOther, qOther);
    this.module._mclBnGT_mul(this.#product, this.#product, this.#gt);
  }

  /** Multiplies one Miller loop with a {@link prepared} point; neither is infinity. */
  multiplyOnePrepared(p: number, q: number): void {
    this.module._mclBn_precomputedMillerLoop(this.#gt, p, q);
    this.module._mclBnGT_mul(this.#product, this.#product, this.#gt);
  }

  /** Whether the product since {@link startPairing} is one. */
  isOne(): boolean {
    this.module._mclBn_finalExp(this.#gt, this.#product);
    return this.module._mclBnGT_isOne(this.#gt) === 1;
  }
}

/** Whether big-endian bytes are a smaller number than as many others. */
export const isBelow = (bytes: Uint8Array, limit: Uint8Array): boolean => {
  for (let i = 0; i < bytes.length; i++) {
    const difference = (bytes[i] as number) - (limit[i] as number);
    if (difference !== 0) return difference < 0;
  }
  return false;
};

/** Whether all bytes are zero. */
export const isZero = (bytes: Uint8Array): boolean => {
  for (let i = 0; i < bytes.length; i++) if (bytes[i] !== 0) return false;
  return true;
};
