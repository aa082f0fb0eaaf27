/** Opcodes from 8 on are of control frames (RFC 6455, 5.5): browsers send them of themselves. */
const firstControlOpcode = 0x8;
const longestHead = 14;

/**
 * Tells messages of a client's WebSocket from the answers of its browser to pings: looks at the heads of
 * frames as they pass (RFC 6455, 5.2), however they are cut.
 */
export class FrameWatch {
  /** What is there of the head of a frame. */
  #head = Buffer.alloc(0);
  /** Bytes of the frame at hand that are still to come. */
  #rest = 0;
  #isUsed = false;

  /** Bytes of the client, in order. */
  take(part: Buffer): void {
    let bytes = part;
    while (bytes.length > 0) {
      if (this.#rest > 0) {
        const passed = Math.min(this.#rest, bytes.length);
        this.#rest -= passed;
        bytes = bytes.subarray(passed);
        continue;
      }
      const before = this.#head.length;
      const head = Buffer.concat([this.#head, bytes.subarray(0, longestHead - before)]);
      const length = headLength(head);
      if (length === undefined) {
        this.#head = head;
        return;
      }
      if (((head[0] as number) & 0x0f) < firstControlOpcode) this.#isUsed = true;
      this.#rest = payloadLength(head);
      this.#head = Buffer.alloc(0);
      bytes = bytes.subarray(length - before);
    }
  }

  /** Whether a message, or a part of one, began since this was asked last. */
  wasUsed(): boolean {
    const isUsed = this.#isUsed;
    this.#isUsed = false;
    return isUsed;
  }
}

/** Bytes of a frame's head with its mask; undefined while some are missing. */
function headLength(head: Buffer): number | undefined {
  if (head.length < 2) return undefined;
  const second = head[1] as number;
  const extended = { 126: 2, 127: 8 }[second & 0x7f] ?? 0;
  const length = 2 + extended + ((second & 0x80) !== 0 ? 4 : 0);
  return head.length < length ? undefined : length;
}

function payloadLength(head: Buffer): number {
  const short = (head[1] as number) & 0x7f;
  if (short === 126) return head.readUInt16BE(2);
  return short === 127 ? Number(head.readBigUInt64BE(2)) : short;
}
