/** Bytes of one program under construction, with jumps and data that are resolved at its end. */
export class Assembler {
  readonly #bytes: number[] = [];
  readonly #jumps: { readonly at: number; readonly label: number }[] = [];
  readonly #labels: number[] = [];
  readonly #data: { readonly at: number; readonly bytes: Uint8Array }[] = [];

  /** Bytes written so far, without the data. */
  get length(): number {
    return this.#bytes.length;
  }

  op(...codes: readonly number[]): void {
    for (const code of codes) this.#bytes.push(code);
  }

  /** The shortest PUSH of a value that every fork has. */
  push(value: bigint): void {
    const hex = value.toString(16);
    const bytes = Buffer.from(hex.length % 2 === 0 ? hex : `0${hex}`, 'hex');
    this.op(0x5f + bytes.length, ...bytes);
  }

  pushAddress(address: Uint8Array): void {
    this.op(0x73, ...address);
  }

  /** A place to jump to, not yet set. */
  label(): number {
    return this.#labels.push(-1) - 1;
  }

  /** Sets a label here. */
  land(label: number): void {
    this.#labels[label] = this.#bytes.length;
    this.op(0x5b);
  }

  pushLabel(label: number): void {
    this.op(0x61, 0, 0);
    this.#jumps.push({ at: this.#bytes.length - 2, label });
  }

  /** Pushes where in the code these bytes will be. */
  pushData(bytes: Uint8Array): void {
    this.op(0x61, 0, 0);
    this.#data.push({ at: this.#bytes.length - 2, bytes });
  }

  /** The program: code, then data. */
  finish(): Uint8Array {
    const put = (at: number, value: number): void => {
      this.#bytes[at] = (value >> 8) & 255;
      this.#bytes[at + 1] = value & 255;
    };
    for (const { at, label } of this.#jumps) put(at, this.#labels[label] as number);
    const parts: Uint8Array[] = [];
    let end = this.#bytes.length;
    for (const { at, bytes } of this.#data) {
      put(at, end);
      parts.push(bytes);
      end += bytes.length;
    }
    return Buffer.concat([Uint8Array.from(this.#bytes), ...parts]);
  }
}
