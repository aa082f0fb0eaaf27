import {
  createHash,
  createPrivateKey,
  createPublicKey,
  generateKeyPairSync,
  hkdfSync,
  type KeyObject,
  sign,
} from 'node:crypto';
import { chmod, link, mkdir, open, readFile, rm, stat } from 'node:fs/promises';
import { dirname } from 'node:path';
import { BinaryWriter, fromHex, utf8 } from '@concordat/std';
import { syncDirectory } from './durable-file.ts';
import { HostError } from './errors.ts';

const evidenceDomain = utf8('concordat virtual evidence v1\0');
const sealingInfo = utf8('concordat virtual sealing v1\0');

/**
 * The software TEE's root of trust: a P-256 key in a file of this host. Its evidence proves which
 * code this host says it launched, and nothing against the host's own administrator.
 */
export class VirtualPlatform {
  readonly #key: KeyObject;
  readonly #spki: Buffer;
  readonly #secret: Buffer;

  private constructor(key: KeyObject) {
    this.#key = key;
    this.#spki = createPublicKey(key).export({ type: 'spki', format: 'der' });
    this.#secret = Buffer.from(key.export({ format: 'jwk' }).d as string, 'base64url');
  }

  /**
   * Opens the platform key file, creating it with mode 0600 when it is not there. Hosts that share
   * the file are one platform.
   * @throws HostError PLATFORM_KEY
   */
  static async open(path: string): Promise<VirtualPlatform> {
    try {
      const pem = (await readKey(path)) ?? (await createKey(path));
      const key = createPrivateKey(pem);
      if (key.asymmetricKeyDetails?.namedCurve !== 'prime256v1') {
        throw new HostError('PLATFORM_KEY', `${path} does not hold a P-256 private key`);
      }
      return new VirtualPlatform(key);
    } catch (error) {
      if (error instanceof HostError) throw error;
      // OpenSSL's messages about a malformed key name the place, never the key.
      throw new HostError('PLATFORM_KEY', `${path}: ${(error as Error).message}`);
    }
  }

  /** SHA-256 of the platform key's SPKI, as the TEE manifest lists it: 64 lowercase hex digits. */
  get platformKey(): string {
    return createHash('sha256').update(this.#spki).digest('hex');
  }

  /**
   * Evidence that code of this measurement asked for this report data (32 bytes): an evidence
   * envelope `u8 1 | text 'virtual' | bytes body`, body `u8 1 | measurement | report data |
   * bytes SPKI | bytes DER signature`.
   */
  evidence(measurement: string, reportData: Uint8Array): Uint8Array {
    const measured = fromHex(measurement) as Uint8Array;
    const signed = Buffer.concat([evidenceDomain, measured, reportData]);
    const signature = sign('sha256', signed, { key: this.#key, dsaEncoding: 'der' });
    const body = new BinaryWriter().u8(1).raw(measured).raw(reportData);
    const bytes = body.bytes(this.#spki).bytes(signature).take();
    return new BinaryWriter().u8(1).text('virtual').bytes(bytes).take();
  }

  /** The key under which code of this measurement seals records on this platform, 32 bytes. */
  sealingKey(measurement: string): Uint8Array {
    const info = Buffer.concat([sealingInfo, fromHex(measurement) as Uint8Array]);
    return new Uint8Array(hkdfSync('sha256', this.#secret, Buffer.alloc(0), info, 32));
  }
}

async function readKey(path: string): Promise<string | undefined> {
  try {
    const { mode } = await stat(path);
    if ((mode & 0o077) !== 0) await chmod(path, 0o600);
    return await readFile(path, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
}

/** Writes a new key beside its place and links it there, so that of two creators one wins whole. */
async function createKey(path: string): Promise<string> {
  const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const pem = privateKey.export({ type: 'pkcs8', format: 'pem' }) as string;
  await mkdir(dirname(path), { recursive: true, mode: 0o700 });
  const temporary = `${path}.${process.pid}.tmp`;
  const file = await open(temporary, 'w', 0o600);
  try {
    await file.writeFile(pem);
    await file.sync();
  } finally {
    await file.close();
  }
  try {
    await link(temporary, path);
    await syncDirectory(dirname(path));
    return pem;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
    return await readFile(path, 'utf8');
  } finally {
    await rm(temporary, { force: true });
  }
}
