import { equalBytes, fromUtf8, toHex, utf8, viewOf } from '@concordat/std';
import { type DerNode, DerReader, derTags, readOid } from './der.ts';
import { CryptoError } from './errors.ts';

/** One attribute of a name: its type as dotted identifier, and its value. */
export interface NameAttribute {
  readonly oid: string;
  readonly value: DerNode;
}

const bad = (why: string): CryptoError => new CryptoError('INVALID_CERTIFICATE', why);

/** String types of names: what they are beside UTF-8 and 16-bit text. */
const narrowTypes: readonly number[] = [
  derTags.numericString,
  derTags.printableString,
  derTags.teletexString,
  derTags.ia5String,
  derTags.visibleString,
];

/**
 * The relative names of a Name (RFC 5280, section 4.1.2.4), most general first, each with its
 * attributes. @throws CryptoError INVALID_CERTIFICATE
 */
export function readName(name: Uint8Array): readonly (readonly NameAttribute[])[] {
  const outer = new DerReader(name);
  const list = outer.enter(derTags.sequence);
  outer.end();
  const relatives: NameAttribute[][] = [];
  while (!list.done) {
    const set = list.enter(derTags.set);
    const attributes: NameAttribute[] = [];
    while (!set.done) {
      const pair = set.enter(derTags.sequence);
      attributes.push({ oid: readOid(pair.read(derTags.oid)), value: pair.read() });
      pair.end();
    }
    if (attributes.length === 0) throw bad('an empty relative name');
    relatives.push(attributes);
  }
  return relatives;
}

/**
 * Text of an attribute. Control characters are refused: what a person reads must be all there is
 * (a NUL once ended names early for some readers and not for others).
 * @throws CryptoError INVALID_CERTIFICATE
 */
export function readText(node: DerNode): string {
  const text = decodeText(node);
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
  if (/[\u0000-\u001f\u007f]/.test(text)) throw bad('a control character in a name');
  return text;
}

function decodeText({ tag, content }: DerNode): string {
  if (tag === derTags.utf8String) return wellFormed(content);
  if (narrowTypes.includes(tag)) return content.toString('latin1');
  if (tag !== derTags.bmpString) throw bad(`name of string type ${tag}`);
  if (content.length % 2 !== 0) throw bad('BMPString of odd length');
  const text = Buffer.from(viewOf(content)).swap16().toString('utf16le');
  if (!text.isWellFormed()) throw bad('BMPString is not text');
  return text;
}

function wellFormed(content: Uint8Array): string {
  const text = fromUtf8(content);
  if (equalBytes(utf8(text), content)) return text;
  throw bad('a name is not UTF-8');
}

/**
 * A name in a form that is equal for names RFC 5280, section 7.1, calls equal: case and runs of
 * spaces do not count, nor does which of the string types writes a text.
 * @returns one text for each relative name, most general first
 * @throws CryptoError INVALID_CERTIFICATE
 */
export const comparableName = (name: Uint8Array): readonly string[] =>
  readName(name).map((attributes) =>
    attributes
      .map(({ oid, value }) => `${oid}=${comparableValue(value)}`)
      .sort()
      .join('+'),
  );

function comparableValue(node: DerNode): string {
  const isText = [...narrowTypes, derTags.utf8String, derTags.bmpString].includes(node.tag);
  if (!isText) return `#${toHex(node.raw)}`;
  const text = readText(node).normalize('NFKC').toLowerCase().trim();
  // Escaped, so that no value reads as two attributes.
  return `'${text.replace(/\s+/g, ' ').replace(/[\\'+]/g, '\\$&')}'`;
}
