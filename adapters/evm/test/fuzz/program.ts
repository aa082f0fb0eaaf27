import { Assembler } from './assembler.ts';
import { precompileInput } from './precompile-input.ts';
import type { Random } from './random.ts';

/** What a program can meet. */
export interface Surroundings {
  /** Place of the fork among all, 0 for the first. */
  readonly age: number;
  /** 20 bytes each: contracts, people, the miner, nobody. */
  readonly addresses: readonly Uint8Array[];
}

/** Places of forks; `rule-forks.ts` has the names. */
export const ages = {
  homestead: 1,
  byzantium: 4,
  constantinople: 5,
  istanbul: 7,
  london: 9,
  shanghai: 11,
  cancun: 12,
  osaka: 14,
  amsterdam: 15,
} as const;

/** Operations without effects: code, operands, the age that brought it. */
const plain: readonly (readonly [number, number, number])[] = [
  ...[0x01, 0x02, 0x03, 0x04, 0x05, 0x06, 0x07, 0x0a, 0x0b].map((op) => [op, 2, 0] as const),
  ...[0x08, 0x09].map((op) => [op, 3, 0] as const),
  ...[0x10, 0x11, 0x12, 0x13, 0x14, 0x16, 0x17, 0x18, 0x1a].map((op) => [op, 2, 0] as const),
  ...[0x15, 0x19].map((op) => [op, 1, 0] as const),
  ...[0x1b, 0x1c, 0x1d].map((op) => [op, 2, ages.constantinople] as const),
  [0x1e, 1, ages.osaka],
  ...[0x30, 0x32, 0x33, 0x34, 0x36, 0x38, 0x3a].map((op) => [op, 0, 0] as const),
  [0x35, 1, 0],
  [0x3d, 0, ages.byzantium],
  [0x40, 1, 0],
  ...[0x41, 0x42, 0x43, 0x44, 0x45, 0x58, 0x59, 0x5a].map((op) => [op, 0, 0] as const),
  ...[0x46, 0x47].map((op) => [op, 0, ages.istanbul] as const),
  [0x48, 0, ages.london],
  [0x49, 1, ages.cancun],
  [0x4a, 0, ages.cancun],
  [0x4b, 0, ages.amsterdam],
  [0x5f, 0, ages.shanghai],
];

/** Writes one program. Its stack is followed, so that few programs end by underflow. */
export class ProgramWriter {
  readonly #random: Random;
  readonly #around: Surroundings;
  readonly #depth: number;
  readonly #code = new Assembler();
  /** Items that are surely on the stack. */
  #held = 0;

  /** `depth`: how many programs this one lies in, as init code or what init code leaves behind. */
  constructor(random: Random, around: Surroundings, depth = 0) {
    this.#random = random;
    this.#around = around;
    this.#depth = depth;
  }

  /** The program's bytes. */
  write(): Uint8Array {
    const random = this.#random;
    // Short ones surely come to their end.
    const most = random.pick(this.#depth === 0 ? [3, 10, 40] : [2, 10]);
    this.#statements(1 + random.below(most), 0);
    this.#end();
    return this.#code.finish();
  }

  #since(age: number): boolean {
    return this.#around.age >= age || this.#random.chance(0.01);
  }

  #statements(count: number, nesting: number): void {
    for (let i = 0; i < count; i++) this.#statement(nesting);
  }

  #statement(nesting: number): void {
    const random = this.#random;
    const kind = random.weighted(kinds);
    if (kind === 'branch' && nesting < 3) this.#branch(nesting);
    else if (kind === 'loop' && nesting < 2) this.#loop(nesting);
    else if (kind === 'create' && this.#depth < 2) this.#create();
    else if (kind === 'end') this.#endSometimes();
    else if (kind === 'noise' && random.chance(0.3)) this.#code.op(random.below(256));
    else this.#simple(kind);
  }

  #simple(kind: Kind): void {
    if (kind === 'stack') this.#stack();
    else if (kind === 'memory') this.#memory();
    else if (kind === 'copy') this.#copy();
    else if (kind === 'storage') this.#storage();
    else if (kind === 'account') this.#account();
    else if (kind === 'log') this.#log();
    else if (kind === 'call') this.#call();
    else if (kind === 'precompile') this.#precompile();
    else this.#plain();
  }

  /** Puts operands on the stack, now and then by taking what is there. */
  #operands(count: number): void {
    if (this.#held >= count && this.#random.chance(0.4)) {
      this.#held -= count;
      return;
    }
    for (let i = 0; i < count; i++) this.#code.push(this.#random.word());
  }

  #plain(): void {
    const known = plain.filter(([, , age]) => this.#around.age >= age);
    const [op, operands] = this.#random.pick(this.#random.chance(0.005) ? plain : known);
    this.#operands(operands);
    this.#code.op(op);
    this.#keep();
  }

  /** A result lies on top: it stays, or goes to memory or storage where it can be seen. */
  #keep(): void {
    const random = this.#random;
    switch (random.below(4)) {
      case 0:
        this.#code.push(BigInt(random.below(8) * 32));
        this.#code.op(0x52);
        return;
      case 1:
        if (random.chance(0.3)) {
          this.#code.push(BigInt(random.below(4)));
          this.#code.op(0x55);
          return;
        }
        this.#code.op(0x50);
        return;
      default:
        if (this.#held > 900) this.#code.op(0x50);
        else this.#held++;
    }
  }

  #stack(): void {
    const random = this.#random;
    const reach = Math.min(16, this.#held);
    if (this.#held > 0 && this.#around.age >= ages.amsterdam && random.chance(0.15)) {
      this.#deepStack();
      return;
    }
    if (reach === 0 || random.chance(0.3)) {
      const length = 1 + random.below(32);
      this.#code.op(0x5f + length, ...random.bytes(length));
      this.#held++;
    } else if (random.chance(0.5)) {
      this.#code.op(0x80 + random.below(reach));
      this.#held++;
    } else if (reach > 1 && random.chance(0.7)) {
      this.#code.op(0x90 + random.below(reach - 1));
    } else {
      this.#code.op(0x50);
      this.#held--;
    }
  }

  /** EIP-8024: mostly on a stack that is deep enough, mostly with a byte that means something. */
  #deepStack(): void {
    const random = this.#random;
    const wanted = random.chance(0.95) ? 30 : random.below(30);
    while (this.#held < wanted) this.#stackWord();
    const op = random.pick([0xe6, 0xe7, 0xe8]);
    const depth = 17 + random.below(Math.max(1, this.#held - 18));
    const pair = random.pick([0x9d, 0x2f, 0x50, 0x00, 0x8f, 0xff]);
    const byte = op === 0xe8 ? pair : (depth + 111) & 255;
    this.#code.op(op, random.chance(0.97) ? byte : random.below(256));
    if (op === 0xe6) this.#held++;
  }

  #stackWord(): void {
    this.#code.push(BigInt(this.#random.below(300)));
    this.#held++;
  }

  /** An offset or length: small, at times large, rarely out of reach. */
  #span(): bigint {
    const random = this.#random;
    if (random.chance(0.985)) return BigInt(random.below(160));
    if (random.chance(0.95)) return BigInt(random.below(8_000));
    return random.word();
  }

  #pushSpans(count: number): void {
    for (let i = 0; i < count; i++) this.#code.push(this.#span());
  }

  #memory(): void {
    const kind = this.#random.below(5);
    if (kind < 2) {
      this.#operands(1);
      this.#pushSpans(1);
      this.#code.op(kind === 0 ? 0x52 : 0x53);
    } else if (kind < 4) {
      this.#pushSpans(kind === 2 ? 1 : 2);
      this.#code.op(kind === 2 ? 0x51 : 0x20);
      this.#keep();
    } else if (this.#since(ages.cancun)) {
      this.#pushSpans(3);
      this.#code.op(0x5e);
    } else this.#plain();
  }

  #copy(): void {
    const random = this.#random;
    const code = this.#code;
    const op = random.pick([0x37, 0x39, 0x3c, 0x3e]);
    if (op === 0x3e && this.#since(ages.byzantium)) {
      // Mostly within what there is: beyond it the frame ends.
      if (random.chance(0.95)) {
        code.op(0x3d);
        code.push(0n);
      } else this.#pushSpans(2);
      this.#pushSpans(1);
      code.op(op);
      return;
    }
    this.#pushSpans(1);
    if (random.chance(0.5)) code.push(BigInt(random.below(64)));
    else code.push(random.word());
    this.#pushSpans(1);
    if (op === 0x3c) this.#pushTarget();
    code.op(op === 0x3e ? 0x37 : op);
  }

  #slot(): void {
    const random = this.#random;
    this.#code.push(random.chance(0.9) ? BigInt(random.below(4)) : random.word());
  }

  #storage(): void {
    const random = this.#random;
    const code = this.#code;
    const transient = random.chance(0.3) && this.#since(ages.cancun);
    if (random.chance(0.4)) {
      this.#slot();
      code.op(transient ? 0x5c : 0x54);
      this.#keep();
      return;
    }
    if (random.chance(0.4)) code.push(0n);
    else if (random.chance(0.6)) code.push(BigInt(random.below(4)));
    else this.#operands(1);
    this.#slot();
    code.op(transient ? 0x5d : 0x55);
  }

  #pushTarget(): void {
    const random = this.#random;
    const code = this.#code;
    const kind = random.below(100);
    if (kind < 5) code.push(random.word());
    else if (kind < 15) code.op(0x30);
    else if (kind < 23) code.push(BigInt(1 + random.below(0x14)));
    else if (kind < 27 && this.#held > 0) code.op(0x80);
    else code.pushAddress(random.pick(this.#around.addresses));
  }

  #account(): void {
    const op = this.#random.pick([0x31, 0x3b, 0x3f]);
    this.#pushTarget();
    this.#code.op(op === 0x3f && !this.#since(ages.constantinople) ? 0x3b : op);
    this.#keep();
  }

  #log(): void {
    const topics = this.#random.below(5);
    this.#operands(topics);
    this.#pushSpans(2);
    this.#code.op(0xa0 + topics);
  }

  /** `if`: a part that is run or jumped over. What it leaves on the stack does not count. */
  #branch(nesting: number): void {
    const random = this.#random;
    const code = this.#code;
    if (random.chance(0.02)) {
      code.push(random.chance(0.5) ? BigInt(random.below(code.length + 20)) : random.word());
      code.op(0x56);
      return;
    }
    const past = code.label();
    if (this.#held > 0 && random.chance(0.5)) this.#held--;
    else code.push(BigInt(random.below(2)));
    code.pushLabel(past);
    code.op(0x57);
    this.#body(1 + random.below(4), nesting);
    code.land(past);
  }

  /** An end that is jumped over, or not. */
  #endSometimes(): void {
    const code = this.#code;
    const past = code.label();
    if (this.#held > 0 && this.#random.chance(0.3)) this.#held--;
    else code.push(BigInt(this.#random.below(4)));
    code.pushLabel(past);
    code.op(0x57);
    this.#end();
    code.land(past);
  }

  /** A loop of a few rounds. Its body leaves the stack as high as it found it. */
  #loop(nesting: number): void {
    const code = this.#code;
    const again = code.label();
    code.push(BigInt(1 + this.#random.below(5)));
    code.land(again);
    this.#body(1 + this.#random.below(3), nesting);
    code.push(1n);
    code.op(0x90, 0x03, 0x80);
    code.pushLabel(again);
    code.op(0x57, 0x50);
  }

  #body(count: number, nesting: number): void {
    const before = this.#held;
    this.#held = 0;
    this.#statements(count, nesting + 1);
    for (; this.#held > 0; this.#held--) this.#code.op(0x50);
    this.#held = before;
  }

  #pushGas(): void {
    const random = this.#random;
    const code = this.#code;
    const kind = random.below(100);
    const plenty = this.#around.age >= ages.amsterdam ? 600_000 : 60_000;
    if (kind < 15) code.op(0x5a);
    else if (kind < 90) code.push(BigInt(random.below(plenty)));
    else if (kind < 98) code.push(BigInt(random.below(3_000)));
    else code.push(random.word());
  }

  #pushValue(): void {
    const random = this.#random;
    if (random.chance(0.6)) this.#code.push(0n);
    else if (random.chance(0.9)) this.#code.push(BigInt(random.below(40)));
    else this.#code.push(random.word());
  }

  #call(): void {
    const op = this.#callOperation();
    this.#pushSpans(4);
    if (op === 0xf1 || op === 0xf2) this.#pushValue();
    this.#pushTarget();
    this.#pushGas();
    this.#code.op(op);
    this.#keep();
  }

  #callOperation(): number {
    const random = this.#random;
    const op = random.weighted([
      [6, 0xf1],
      [2, 0xf2],
      [3, 0xf4],
      [4, 0xfa],
    ]);
    if (op === 0xf4 && !this.#since(ages.homestead)) return 0xf1;
    return op === 0xfa && !this.#since(ages.byzantium) ? 0xf1 : op;
  }

  /** A call of a precompile with input that means something to it, or nearly. */
  #precompile(): void {
    const random = this.#random;
    const code = this.#code;
    const { id, input } = precompileInput(random, this.#around.age);
    code.push(BigInt(input.length));
    code.pushData(input);
    code.push(0n);
    code.op(0x39);
    const op = this.#callOperation();
    code.push(BigInt(random.below(100)));
    code.push(0n);
    code.push(BigInt(random.chance(0.9) ? input.length : random.below(300)));
    code.push(0n);
    if (op === 0xf1 || op === 0xf2) this.#pushValue();
    code.push(BigInt(id));
    this.#pushGas();
    code.op(op);
    this.#keep();
    if (random.chance(0.5) && this.#since(ages.byzantium)) {
      code.op(0x3d);
      code.push(0n);
      code.push(0n);
      code.op(0x3e);
    }
  }

  #create(): void {
    const random = this.#random;
    const code = this.#code;
    const init = initCode(random, this.#around, this.#depth + 1);
    const length = random.chance(0.95) ? init.length : random.below(400);
    code.push(BigInt(init.length));
    code.pushData(init);
    code.push(0n);
    code.op(0x39);
    const salted = random.chance(0.5) && this.#since(ages.constantinople);
    if (salted) code.push(BigInt(random.below(2)));
    code.push(BigInt(length));
    code.push(0n);
    this.#pushValue();
    code.op(salted ? 0xf5 : 0xf0);
    if (random.chance(0.5)) {
      // Calls what was made.
      code.push(0n);
      code.push(0n);
      code.push(0n);
      code.push(0n);
      code.push(BigInt(random.below(2)));
      code.op(0x85, 0x5a, 0xf1);
      this.#keep();
    }
    this.#keep();
  }

  #end(): void {
    const random = this.#random;
    const code = this.#code;
    const kind = random.below(9);
    if (kind === 0) code.op(0x00);
    else if (kind < 5) {
      this.#pushSpans(2);
      code.op(kind === 4 && this.#since(ages.byzantium) ? 0xfd : 0xf3);
    } else if (kind < 7) {
      this.#pushTarget();
      code.op(0xff);
    } else if (kind === 7) code.op(random.chance(0.5) ? 0xfe : 0x0c);
    // Otherwise it runs off the end, into the data if there is any.
  }
}

const kinds = [
  [30, 'plain'],
  [14, 'stack'],
  [14, 'memory'],
  [7, 'copy'],
  [18, 'storage'],
  [6, 'account'],
  [4, 'log'],
  [7, 'branch'],
  [4, 'loop'],
  [12, 'call'],
  [4, 'precompile'],
  [5, 'create'],
  [4, 'end'],
  [1, 'noise'],
] as const;

type Kind = (typeof kinds)[number][1];

/** Init code: does this and that, then leaves a program behind, or ends as programs end. */
export function initCode(random: Random, around: Surroundings, depth: number): Uint8Array {
  const writer = new ProgramWriter(random, around, depth);
  if (random.chance(0.3)) return writer.write();
  const code = new Assembler();
  if (random.chance(0.4)) {
    code.push(BigInt(random.below(3)));
    code.push(BigInt(random.below(4)));
    code.op(0x55);
  }
  const left = deployed(random, around, writer);
  code.push(BigInt(left.length));
  code.pushData(left);
  code.push(0n);
  code.op(0x39);
  code.push(BigInt(left.length));
  code.push(0n);
  code.op(0xf3);
  return code.finish();
}

function deployed(random: Random, around: Surroundings, writer: ProgramWriter): Uint8Array {
  if (random.chance(0.9)) return writer.write();
  if (random.chance(0.5)) return Uint8Array.of(0xef, ...random.bytes(random.below(30)));
  return new Uint8Array(random.below(around.age >= ages.amsterdam ? 80_000 : 30_000));
}
