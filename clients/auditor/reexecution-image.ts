import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { measurementOf } from '@concordat/attestation';
import { AuditorError } from './errors.ts';

/** A worker image that a ledger is executed anew with, as measured here. */
export interface ReexecutionImage {
  readonly directory: string;
  readonly name: string;
  /** 64 hex digits, as code manifests have it. */
  readonly measurement: string;
  /** Of the runtime, with the image's directory filled in. */
  readonly flags: readonly string[];
  readonly bundle: string;
}

/** Files of an image, and what stands for its directory (docs/operate, "Images"). */
const manifestName = 'image.json';
const bundleName = 'bundle.mjs';
const placeholder = '<image>';

/**
 * Reads and measures an image. One whose flags do not confine it is refused: it is to see every
 * transaction, and to reach nothing else.
 * @param runtime path of the runtime binary
 * @throws AuditorError INVALID_IMAGE
 */
export async function readImage(directory: string, runtime: string): Promise<ReexecutionImage> {
  const place = resolve(directory);
  try {
    const { name, role, flags, libraries } = readManifest(
      JSON.parse(await readFile(join(place, manifestName), 'utf8')),
    );
    const bundle = join(place, bundleName);
    const measured = { role, flags, bundle: await sha256Of(bundle) } as const;
    const contents = libraries.map(async (library) => {
      return { name: library, sha256: await sha256Of(join(place, library)) };
    });
    const measurement = measurementOf({
      ...measured,
      runtime: await sha256Of(runtime),
      libraries: await Promise.all(contents),
    });
    // Threads would not be held by the permissions, and executing anew needs none.
    const filled = flags
      .filter((flag) => flag !== allowWorker)
      .map((flag) => flag.replace(placeholder, place));
    return { directory: place, name, measurement, flags: filled, bundle };
  } catch (error) {
    if (error instanceof AuditorError) throw error;
    throw invalid(`${place}: ${(error as Error).message}`);
  }
}

const invalid = (why: string): AuditorError =>
  new AuditorError('INVALID_IMAGE', `no image to execute a ledger with: ${why}`);

/** Worker images may have threads to prepare requests; here they run without. */
const allowWorker = '--allow-worker';

/** What takes the permissions away again, adds to them, or reads more flags from an unmeasured file. */
const loosening =
  /^--(no-permission|permission-audit|allow-(?!addons$|worker$|fs-read=<image>$)|env-file|experimental-(default-)?config-file)/;

function readManifest(value: unknown) {
  const { name, role, flags, libraries } = (value ?? {}) as Record<string, unknown>;
  const isFormed =
    typeof name === 'string' &&
    isTexts(flags, /^--[a-z0-9-]+(=\S+)?$/) &&
    isTexts(libraries, /^[A-Za-z0-9][A-Za-z0-9._-]*\.node$/);
  if (!isFormed) throw invalid(`its ${manifestName} has not the form of an image's`);
  if (role !== 'worker') throw invalid('it is not the image of a worker');
  if (!flags.includes('--permission') || flags.some((flag) => loosening.test(flag))) {
    throw invalid('its flags let it reach more than its own files');
  }
  return { name, role, flags, libraries } as const;
}

const isTexts = (value: unknown, form: RegExp): value is string[] =>
  Array.isArray(value) && value.every((item) => typeof item === 'string' && form.test(item));

async function sha256Of(file: string): Promise<string> {
  const hash = createHash('sha256');
  for await (const chunk of createReadStream(file)) hash.update(chunk as Buffer);
  return hash.digest('hex');
}
