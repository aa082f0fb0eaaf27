import { type DerNode, DerReader, derTags } from './der.ts';
import { readName } from './distinguished-name.ts';
import { CryptoError } from './errors.ts';

/** A GeneralName (RFC 5280, section 4.2.1.6); of forms not acted on here, only its tag. */
export type GeneralName =
  | { readonly form: 'dns' | 'email' | 'uri'; readonly text: string }
  /** 4 or 16 bytes; in a name constraint twice as many: address, mask. */
  | { readonly form: 'ip'; readonly bytes: Uint8Array }
  /** A Name, whole encoding. */
  | { readonly form: 'directory'; readonly name: Uint8Array }
  | { readonly form: 'other'; readonly tag: number };

const bad = (why: string): CryptoError => new CryptoError('INVALID_CERTIFICATE', why);

/** Alternative names of one certificate: each is compared with each name constraint above it. */
const maxNames = 1_024;

const directoryTag = 0xa4;
const ipTag = 0x87;
const textForms = new Map([
  [0x81, 'email'],
  [0x82, 'dns'],
  [0x86, 'uri'],
] as const);
/** otherName, x400Address, ediPartyName, registeredID. */
const otherTags: readonly number[] = [0xa0, 0xa3, 0xa5, 0x88];

/** Reads one GeneralName. @throws CryptoError INVALID_CERTIFICATE */
export function readGeneralName(node: DerNode): GeneralName {
  const { tag, content } = node;
  const form = textForms.get(tag as 0x81);
  if (form !== undefined) {
    const text = content.toString('latin1');
    // Of IA5String what can be seen: no NUL, no other control character, nothing beyond ASCII.
    if (!/^[\x20-\x7e]*$/.test(text)) throw bad(`a ${form} name with characters no name has`);
    return { form, text };
  }
  if (tag === ipTag) return { form: 'ip', bytes: content };
  if (tag === directoryTag) {
    const inner = new DerReader(content);
    const name = inner.read(derTags.sequence).raw;
    inner.end();
    readName(name);
    return { form: 'directory', name };
  }
  if (!otherTags.includes(tag)) throw bad(`a name of form ${tag}`);
  return { form: 'other', tag };
}

/** Reads the GeneralNames of a subject alternative name. @throws CryptoError INVALID_CERTIFICATE */
export function readAlternativeNames(value: Uint8Array): readonly GeneralName[] {
  const outer = new DerReader(value);
  const list = outer.enter(derTags.sequence);
  outer.end();
  const names: GeneralName[] = [];
  while (!list.done) {
    if (names.length === maxNames) throw bad(`more than ${maxNames} alternative names`);
    const name = readGeneralName(list.read());
    if (name.form === 'ip' && name.bytes.length !== 4 && name.bytes.length !== 16) {
      throw bad('an IP address of neither 4 nor 16 bytes');
    }
    names.push(name);
  }
  if (names.length === 0) throw bad('alternative names without a name');
  return names;
}
