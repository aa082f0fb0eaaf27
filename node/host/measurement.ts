import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { HostError } from './errors.ts';

/** Name of an image's manifest file. */
export const imageManifestName = 'image.json';
/** Name of an image's program file. */
export const bundleName = 'bundle.mjs';
/** Stands in a measured flag for the directory of the image, wherever a host has put it. */
export const imagePlaceholder = '<image>';

/** What an image directory says about itself in `image.json`. */
export interface ImageManifest {
  readonly name: string;
  readonly role: 'manager' | 'worker';
  /** Flags of the runtime, in order, with `<image>` for the image directory. */
  readonly flags: readonly string[];
  /** Files beside the bundle that it loads as native code. */
  readonly libraries: readonly string[];
  /** Ids of the adapters inside (worker). */
  readonly adapters?: readonly string[];
}

/** An image on this host, measured. */
export interface MeasuredImage extends ImageManifest {
  readonly directory: string;
  readonly bundleSha256: string;
  readonly runtimeSha256: string;
  readonly librarySha256: readonly { readonly name: string; readonly sha256: string }[];
  /** 64 lowercase hex digits. */
  readonly measurement: string;
}

/** What a measurement is computed over. */
export interface MeasurementInput {
  readonly role: 'manager' | 'worker';
  readonly bundle: string;
  readonly runtime: string;
  readonly flags: readonly string[];
  readonly libraries: readonly { readonly name: string; readonly sha256: string }[];
}

/** SHA-256 of the canonical text of an image, 64 lowercase hex digits. */
export function measurementOf({
  role,
  bundle,
  runtime,
  flags,
  libraries,
}: MeasurementInput): string {
  const sorted = [...libraries].sort((a, b) => (a.name < b.name ? -1 : a.name > b.name ? 1 : 0));
  const lines = [
    'concordat measurement v1',
    `role ${role}`,
    `bundle ${bundle}`,
    `runtime ${runtime}`,
    ...flags.map((flag) => `flag ${flag}`),
    ...sorted.map(({ name, sha256 }) => `library ${name} ${sha256}`),
  ];
  return createHash('sha256')
    .update(`${lines.join('\n')}\n`, 'utf8')
    .digest('hex');
}

/**
 * Reads an image directory and measures what is in it, not what it says.
 * @throws HostError INVALID_IMAGE
 */
export async function measureImage(directory: string, runtime: string): Promise<MeasuredImage> {
  try {
    const manifest = parseManifest(await readFile(join(directory, imageManifestName), 'utf8'));
    const bundleSha256 = await sha256File(join(directory, bundleName));
    const runtimeSha256 = await sha256File(runtime);
    const librarySha256 = [];
    for (const name of manifest.libraries) {
      librarySha256.push({ name, sha256: await sha256File(join(directory, name)) });
    }
    const measurement = measurementOf({
      role: manifest.role,
      bundle: bundleSha256,
      runtime: runtimeSha256,
      flags: manifest.flags,
      libraries: librarySha256,
    });
    return { ...manifest, directory, bundleSha256, runtimeSha256, librarySha256, measurement };
  } catch (error) {
    if (error instanceof HostError) throw error;
    throw new HostError('INVALID_IMAGE', `image ${directory}: ${(error as Error).message}`, {
      directory,
    });
  }
}

/**
 * Reads an image manifest strictly.
 * @throws HostError INVALID_IMAGE
 */
export function parseManifest(text: string): ImageManifest {
  const manifest = JSON.parse(text) as Record<string, unknown>;
  const { name, role, flags, libraries, adapters, ...unknown } = manifest;
  const valid =
    typeof name === 'string' &&
    (role === 'manager' || role === 'worker') &&
    isTexts(flags) &&
    flags.every((flag) => /^--[a-z0-9-]+(=\S+)?$/.test(flag)) &&
    isTexts(libraries) &&
    libraries.every((library) => /^[A-Za-z0-9][A-Za-z0-9._-]*\.node$/.test(library)) &&
    (adapters === undefined || isTexts(adapters)) &&
    Object.keys(unknown).length === 0;
  if (!valid) throw new HostError('INVALID_IMAGE', 'image.json does not have the declared form');
  return { name, role, flags, libraries, ...(adapters === undefined ? {} : { adapters }) };
}

const isTexts = (value: unknown): value is string[] =>
  Array.isArray(value) && value.every((item) => typeof item === 'string');

const knownHashes = new Map<string, string>();

/** Hashes a file; the same unchanged file only once in a process, as the runtime is large. */
async function sha256File(path: string): Promise<string> {
  const { ino, size, mtimeNs, ctimeNs } = await stat(path, { bigint: true });
  const state = [path, ino, size, mtimeNs, ctimeNs].join(' ');
  const known = knownHashes.get(state);
  if (known !== undefined) return known;
  const hash = createHash('sha256');
  for await (const chunk of createReadStream(path, { highWaterMark: 1024 * 1024 })) {
    hash.update(chunk);
  }
  const sha256 = hash.digest('hex');
  knownHashes.set(state, sha256);
  return sha256;
}
