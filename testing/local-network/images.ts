import { appendFileSync, cpSync } from 'node:fs';
import { realpath } from 'node:fs/promises';
import { join } from 'node:path';
import { type ImageBuild, imageDirectory } from '@concordat/cli';
import { bundleName, measureImage } from '@concordat/host';
import { LocalNetworkError } from './errors.ts';

/** Both enclave images of a network, in a directory of its own. */
export interface Images {
  /** Directory of the manager's image. */
  readonly manager: string;
  /** Directory of the worker's image. */
  readonly worker: string;
}

/**
 * Where images are that were built for many networks, one after another, and stay as they are; unset,
 * each network builds its own from the sources as they are.
 */
const shared = process.env.CONCORDAT_TEST_IMAGES;

/** The images of a network that is to be made; undefined when they are to be built. */
export const builtImages: ImageBuild | undefined =
  shared === undefined ? undefined : { directory: shared, isBuilt: true };

/**
 * Copies the images that were just built, so that a later build of others does not change them
 * under a running network.
 * @throws LocalNetworkError IMAGES_UNSTABLE when the copies are not what was measured
 */
export async function copyImages(
  directory: string,
  measurements: readonly string[],
  workerImage = 'worker',
): Promise<Images> {
  const images = { manager: join(directory, 'manager'), worker: join(directory, 'worker') };
  for (const [role, copy] of Object.entries(images)) {
    const name = role === 'worker' ? workerImage : role;
    cpSync(imageDirectory(name, shared), copy, { recursive: true, force: true });
    if (measurements.includes(await measurementOfImage(copy))) continue;
    throw new LocalNetworkError('IMAGES_UNSTABLE', `the ${name} image was built anew meanwhile`);
  }
  return images;
}

/** Measurement of an image directory under this runtime: 64 hex digits. */
export async function measurementOfImage(directory: string): Promise<string> {
  const { measurement } = await measureImage(directory, await realpath(process.execPath));
  return measurement;
}

/** Copies an image and changes a single byte of comment in it: same behaviour, other code. */
export async function modifiedImage(image: string, directory: string): Promise<string> {
  cpSync(image, directory, { recursive: true });
  appendFileSync(join(directory, bundleName), '//');
  return measurementOfImage(directory);
}
