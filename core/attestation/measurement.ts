import { sha256 } from '@concordat/crypto';
import { isHex64, toHex, utf8 } from '@concordat/std';
import { AttestationError } from './errors.ts';

/** Which enclave an image is for. */
export type EnclaveRole = 'manager' | 'worker';

/** Everything that decides what an enclave executes. */
export interface ImageDescription {
  readonly role: EnclaveRole;
  /** SHA-256 of the program bundle, 64 lowercase hex digits. */
  readonly bundle: string;
  /** SHA-256 of the runtime binary, 64 lowercase hex digits. */
  readonly runtime: string;
  /** Flags of the runtime, in the order they are given to it. */
  readonly flags: readonly string[];
  /** Native libraries and WebAssembly loaded besides the bundle; names unique, in any order. */
  readonly libraries: readonly { readonly name: string; readonly sha256: string }[];
}

const invalid = (why: string): AttestationError => new AttestationError('INVALID_IMAGE', why);

/**
 * The canonical text an image is measured by, one fact a line, so that a person can compare two.
 * @throws AttestationError INVALID_IMAGE
 */
export function measurementText(image: ImageDescription): string {
  const digest = (hex: string, what: string): string => {
    if (!isHex64(hex)) throw invalid(`${what} is not 64 lowercase hex digits`);
    return hex;
  };
  if (image.role !== 'manager' && image.role !== 'worker') throw invalid('unknown role');
  const lines = [
    'concordat measurement v1',
    `role ${image.role}`,
    `bundle ${digest(image.bundle, 'bundle')}`,
    `runtime ${digest(image.runtime, 'runtime')}`,
  ];
  for (const flag of image.flags) {
    // A line break inside a flag could pass for a library of the manifest.
    if (!/^[\x20-\x7e]+$/.test(flag)) throw invalid('a flag is not printable ASCII');
    lines.push(`flag ${flag}`);
  }
  const libraries = [...image.libraries].sort((a, b) => (a.name < b.name ? -1 : 1));
  let previous: string | undefined;
  for (const { name, sha256: content } of libraries) {
    if (!/^[\x21-\x7e]+$/.test(name)) throw invalid('a library name is not printable ASCII');
    if (name === previous) throw invalid(`library ${name} twice`);
    previous = name;
    lines.push(`library ${name} ${digest(content, `library ${name}`)}`);
  }
  return `${lines.join('\n')}\n`;
}

/**
 * The measurement of an image, as in the code manifest: SHA-256 of {@link measurementText} in
 * UTF-8, 64 lowercase hex digits (paper, Network Constitution: one code identity, one measurement).
 * @throws AttestationError INVALID_IMAGE
 */
export const measurementOf = (image: ImageDescription): string =>
  toHex(sha256(utf8(measurementText(image))));
