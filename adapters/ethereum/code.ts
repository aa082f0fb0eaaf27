import { viewOf } from '@concordat/std';
import { wordAt } from './words.ts';

const noConstants = new Uint16Array(0);

/**
 * Code with what running it needs: jump destinations and push constants, found once per content
 * instead of on every call frame (the library's largest cost).
 */
export class Code {
  static readonly empty = new Code(new Uint8Array(0));
  readonly bytes: Buffer;
  /** Without the 32 zero bytes behind, which let a push read past the end. */
  readonly length: number;
  /** 1 at every JUMPDEST that is not push data; absent until the code first runs. */
  #jumps: Uint8Array | undefined;
  /** Index into `constants` of the push at a position. */
  #constantAt: Uint16Array = noConstants;
  #constants: readonly bigint[] = [];

  constructor(code: Uint8Array) {
    this.length = code.length;
    this.bytes = Buffer.alloc(code.length + 32);
    this.bytes.set(code);
  }

  /** The code itself. */
  get content(): Buffer {
    return this.bytes.subarray(0, this.length);
  }

  get jumps(): Uint8Array {
    return this.#jumps ?? this.#analyse();
  }

  get constantAt(): Uint16Array {
    return this.#constantAt;
  }

  get constants(): readonly bigint[] {
    return this.#constants;
  }

  #analyse(): Uint8Array {
    const { bytes, length } = this;
    const jumps = new Uint8Array(length);
    const constantAt = new Uint16Array(length);
    const constants: bigint[] = [];
    for (let i = 0; i < length; i++) {
      const operation = bytes[i] as number;
      if (operation === 0x5b) jumps[i] = 1;
      else if (operation >= 0x60 && operation <= 0x7f) {
        const size = operation - 0x5f;
        // A push of one byte is read directly; so is what comes after 65,535 longer ones.
        if (size > 1 && constants.length < 0xffff) {
          constantAt[i] = constants.length + 1;
          constants.push(wordAt(bytes, i + 1, size));
        }
        i += size;
      }
    }
    this.#jumps = jumps;
    this.#constantAt = constantAt;
    this.#constants = constants;
    return jumps;
  }
}

// By content, so it stays right whatever happens to the state. Insertion order = age.
const remembered = new Map<string, Code>();
const rememberedBytesLimit = 64 * 1024 * 1024;
let rememberedBytes = 0;

/** The analysed code of a hash (binary string), loading it when it is not remembered. */
export function rememberCode(key: string, load: () => Uint8Array): Code {
  const known = remembered.get(key);
  if (known !== undefined) return known;
  const code = new Code(viewOf(load()));
  remembered.set(key, code);
  rememberedBytes += code.length * 4;
  for (const [oldest, old] of remembered) {
    if (rememberedBytes <= rememberedBytesLimit) break;
    remembered.delete(oldest);
    rememberedBytes -= old.length * 4;
  }
  return code;
}
