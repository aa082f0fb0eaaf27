import type { Binding } from './binding.ts';
import { returned } from './constants.ts';
import { failureOf } from './failure.ts';
import { readUlong, writeFields } from './structures.ts';

/** Value of an attribute: a CK_ULONG, a CK_BBOOL or bytes. */
export type AttributeValue = number | boolean | Uint8Array;

/** A template: attributes by type (section 4). */
export type Template = readonly (readonly [type: number, value: AttributeValue])[];

/** Most objects looked at of a search: a name means one key. */
const maxFound = 16;
/** Most bytes of an attribute that is read: a key's label, id, parameters or point. */
const maxAttributeBytes = 4_096;

/** An open session with a token. */
export interface Session {
  readonly binding: Binding;
  readonly handle: number;
}

/** A template as C reads it: CK_ATTRIBUTE, one after the other. */
export function encodeTemplate({ layout, addressOf }: Binding, template: Template): Uint8Array {
  const fields = template.flatMap(([type, value]) => {
    const bytes = bytesOf({ layout, addressOf }, value);
    return [type, { pointer: bytes }, bytes.length];
  });
  return writeFields(layout, fields, addressOf);
}

function bytesOf(
  { layout, addressOf }: Pick<Binding, 'layout' | 'addressOf'>,
  value: AttributeValue,
): Uint8Array {
  if (typeof value === 'number') return writeFields(layout, [value], addressOf);
  if (typeof value === 'boolean') return Buffer.of(value ? 1 : 0);
  return Buffer.from(value);
}

/** Handles of the objects that have all these attributes, at most 16. @throws Pkcs11Error */
export function findObjects({ binding, handle }: Session, template: Template): number[] {
  const attributes = encodeTemplate(binding, template);
  binding.must('C_FindObjectsInit', handle, attributes, template.length);
  try {
    const { ulong } = binding.layout;
    const handles = Buffer.alloc(maxFound * ulong);
    const count = Buffer.alloc(ulong);
    binding.must('C_FindObjects', handle, handles, maxFound, count);
    const found = Math.min(readUlong(binding.layout, count) ?? 0, maxFound);
    return Array.from(
      { length: found },
      (_, at) => readUlong(binding.layout, handles, at * ulong) ?? 0,
    );
  } finally {
    binding.call('C_FindObjectsFinal', handle);
  }
}

/**
 * An attribute's value, or undefined when the object has none or does not show it.
 * @throws Pkcs11Error
 */
export function readAttribute(
  { binding, handle }: Session,
  object: number,
  type: number,
): Uint8Array | undefined {
  const { layout, addressOf } = binding;
  // Length first, then the value (section 5.7, C_GetAttributeValue).
  const ask = (value: Uint8Array | null): number | undefined => {
    const fields = [type, { pointer: value }, value?.length ?? 0];
    const attribute = writeFields(layout, fields, addressOf);
    const rv = binding.call('C_GetAttributeValue', handle, object, attribute, 1);
    const length = readUlong(layout, attribute, layout.ulong + layout.pointer);
    // CKR_ATTRIBUTE_SENSITIVE and CKR_ATTRIBUTE_TYPE_INVALID say "unavailable" in the length.
    if (length === undefined || rv === returned.attributeTypeInvalid) return undefined;
    if (rv !== returned.ok) throw failureOf(rv, 'C_GetAttributeValue');
    return length;
  };
  const length = ask(null);
  if (length === undefined || length > maxAttributeBytes) return undefined;
  const value = Buffer.alloc(length);
  const got = length === 0 ? 0 : ask(value);
  return got === undefined || got > length ? undefined : value.subarray(0, got);
}
