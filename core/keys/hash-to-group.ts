import { assert, BinaryWriter, utf8 } from '@concordat/std';
import {
  type Element,
  type Scalar,
  sha512,
  toElementFromUniform,
  toScalarFromUniform,
} from './ristretto.ts';

/** Bytes of one input block of SHA-512. */
const blockBytes = 128;

/** A scalar that a message determines and nobody can steer (RFC 9380, 5.2; RFC 9497, 4.1). */
export const hashToScalar = (message: Uint8Array, domain: Uint8Array): Scalar =>
  toScalarFromUniform(expandMessage(message, domain));

/** An element whose logarithm nobody knows: ristretto255_XMD:SHA-512_R255MAP_RO_ (RFC 9380, B). */
export const hashToElement = (message: Uint8Array, domain: Uint8Array): Element =>
  toElementFromUniform(expandMessage(message, domain));

/** expand_message_xmd with SHA-512 to 64 bytes, which is one round (RFC 9380, 5.3.1). */
function expandMessage(message: Uint8Array, domain: Uint8Array): Uint8Array {
  assert(domain.length > 0 && domain.length <= 255, 'domain of 1 to 255 bytes');
  const writer = new BinaryWriter();
  const first = sha512(
    writer
      .raw(new Uint8Array(blockBytes))
      .raw(message)
      .u16(64)
      .u8(0)
      .raw(domain)
      .u8(domain.length)
      .take(),
  );
  return sha512(writer.raw(first).u8(1).raw(domain).u8(domain.length).take());
}

/** Fields joined so that no two lists give the same bytes: u32 length before each. */
export function joinFields(...fields: readonly (Uint8Array | string | number)[]): Uint8Array {
  const writer = new BinaryWriter();
  for (const field of fields) {
    if (typeof field === 'number') writer.u32(8).u64(field);
    else writer.bytes(typeof field === 'string' ? utf8(field) : field);
  }
  return writer.take();
}
