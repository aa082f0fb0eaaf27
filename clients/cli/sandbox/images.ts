import { spawn } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { CliError } from '../errors.ts';

/** One measured enclave image, as the image build lists it. */
export interface ImageMeasurement {
  readonly name: string;
  readonly role: 'manager' | 'worker';
  /** 64 hex digits. */
  readonly measurement: string;
  readonly adapters?: readonly string[];
}

const repository = join(dirname(fileURLToPath(import.meta.url)), '../../..');

/** Where the images are built to. */
export const imagesDirectory = join(repository, 'build/images');

/** Directory of one image. */
export const imageDirectory = (name: string, images = imagesDirectory): string =>
  join(images, name);

/** Images other than the usual ones. */
export interface ImageBuild {
  /** Where they are built to. */
  readonly directory: string;
  /** They are there already, and nothing is built. */
  readonly isBuilt?: boolean;
  /** Directory that enclaves write V8 profiles to when they end; unconfined images, for measuring. */
  readonly profiles?: string;
}

const usualImages: ImageBuild = { directory: imagesDirectory };

/**
 * Builds the enclave images from the sources as they are (about a second) and returns their
 * measurements: the same sources and runtime give the same ones everywhere.
 * @throws CliError NODE_FAILED
 */
export async function buildImages(build = usualImages): Promise<ImageMeasurement[]> {
  if (!build.isBuilt) await runBuild(build);
  const text = await readFile(join(build.directory, 'measurements.json'), 'utf8');
  return JSON.parse(text) as ImageMeasurement[];
}

async function runBuild(build: ImageBuild): Promise<void> {
  const script = join(repository, 'scripts/build-images.ts');
  const profile = build.profiles === undefined ? [] : ['--profile', build.profiles];
  const args = ['--output', build.directory, ...profile];
  const child = spawn(process.execPath, [script, ...args], { stdio: ['ignore', 'pipe', 'pipe'] });
  let output = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8');
    stream.on('data', (text: string) => {
      output += text;
    });
  }
  const exitCode = await new Promise<number | null>((resolve) => child.once('close', resolve));
  if (exitCode !== 0) throw new CliError('NODE_FAILED', `the image build failed:\n${output}`);
}
