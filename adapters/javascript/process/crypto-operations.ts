import {
  constants,
  createCipheriv,
  createDecipheriv,
  createHash,
  createHmac,
  createPrivateKey,
  createPublicKey,
  generateKeyPairSync,
  type JsonWebKeyInput,
  type KeyObject,
  privateDecrypt,
  publicEncrypt,
  randomBytes,
  sign,
  verify,
  X509Certificate,
} from 'node:crypto';
import { isArrayBuffer } from 'node:util/types';

type Options = Readonly<Record<string, unknown>>;
type Given = readonly [first: unknown, second: unknown, third: unknown];
type Operation = (options: Options, given: Given) => Uint8Array | string | boolean;

/** Bytes of a buffer of whichever realm. */
export function bytesOf(value: unknown, what: string): Uint8Array {
  if (!isArrayBuffer(value)) throw new TypeError(`${what} is not an ArrayBuffer`);
  return new Uint8Array(value);
}

function textOf(value: unknown, what: string): string {
  if (typeof value === 'string') return value;
  throw new TypeError(`${what} is not a string`);
}

const hashes: Readonly<Record<string, string>> = {
  'SHA-256': 'sha256',
  'SHA-384': 'sha384',
  'SHA-512': 'sha512',
};

function hashOf(name: unknown): string {
  const hash = typeof name === 'string' && Object.hasOwn(hashes, name) ? hashes[name] : undefined;
  if (hash === undefined) throw new TypeError('unknown digest algorithm');
  return hash;
}

/** What `sign` and `verifySignature` do for one algorithm name. */
function signing(options: Options, key: KeyObject) {
  const { name, hash, saltLength = 0 } = options;
  const fits =
    (name === 'RSA-PSS' && key.asymmetricKeyType === 'rsa') ||
    (name === 'ECDSA' && key.asymmetricKeyType === 'ec') ||
    (name === 'EdDSA' && key.asymmetricKeyType === 'ed25519');
  if (!fits) throw new TypeError('the algorithm does not fit the key');
  if (name === 'EdDSA') return { digest: null, key: { key } };
  const digest = hashOf(hash);
  if (name === 'ECDSA') return { digest, key: { key, dsaEncoding: 'ieee-p1363' as const } };
  const padding = constants.RSA_PKCS1_PSS_PADDING;
  return { digest, key: { key, padding, saltLength: Number(saltLength) } };
}

function keyPair(type: 'rsa' | 'ec' | 'ed25519' | 'x25519', options: object): string {
  const encoding = {
    publicKeyEncoding: { type: 'spki', format: 'pem' },
    privateKeyEncoding: { type: 'pkcs8', format: 'pem' },
  };
  // The overloads know one type each.
  const generate = generateKeyPairSync as unknown as (
    type: string,
    options: object,
  ) => { publicKey: string; privateKey: string };
  const { publicKey, privateKey } = generate(type, { ...options, ...encoding });
  return JSON.stringify({ privateKey, publicKey });
}

/** OpenSSL's name of AES key wrap with padding (RFC 5649) and its fixed initial value. */
const wrapIv = Buffer.from('a65959a6', 'hex');

function wrapCipher(key: Uint8Array): string {
  if (![16, 24, 32].includes(key.length)) throw new TypeError('an AES key has 16, 24 or 32 bytes');
  return `id-aes${key.length * 8}-wrap-pad`;
}

function wrap(name: unknown, options: Options, [key, wrapping, label]: Given): Uint8Array {
  const bytes = bytesOf(key, 'the key');
  const wrapper = bytesOf(wrapping, 'the wrapping key');
  if (name === 'AES-KWP') {
    const cipher = createCipheriv(wrapCipher(wrapper), wrapper, wrapIv);
    return Buffer.concat([cipher.update(bytes), cipher.final()]);
  }
  if (name === 'RSA-OAEP') return publicEncrypt(oaep(wrapper, label), bytes);
  if (name !== 'RSA-OAEP-AES-KWP') throw new TypeError('unknown wrapping algorithm');
  const bits = Number(options.aesKeySize);
  if (![128, 192, 256].includes(bits)) throw new TypeError('aesKeySize is 128, 192 or 256');
  const aes = new Uint8Array(randomBytes(bits / 8));
  const inner = wrap('AES-KWP', options, [bytes.slice().buffer, aes.buffer, undefined]);
  return Buffer.concat([publicEncrypt(oaep(wrapper, label), aes), inner]);
}

function unwrap(name: unknown, options: Options, [wrapped, key, label]: Given): Uint8Array {
  const bytes = bytesOf(wrapped, 'the wrapped key');
  const unwrapper = bytesOf(key, 'the unwrapping key');
  if (name === 'AES-KWP') {
    const decipher = createDecipheriv(wrapCipher(unwrapper), unwrapper, wrapIv);
    return Buffer.concat([decipher.update(bytes), decipher.final()]);
  }
  if (name === 'RSA-OAEP') return privateDecrypt(oaep(unwrapper, label), bytes);
  if (name !== 'RSA-OAEP-AES-KWP') throw new TypeError('unknown wrapping algorithm');
  const { asymmetricKeyDetails } = createPrivateKey(Buffer.from(unwrapper));
  const length = (asymmetricKeyDetails?.modulusLength ?? 0) / 8;
  const aes = new Uint8Array(privateDecrypt(oaep(unwrapper, label), bytes.subarray(0, length)));
  return unwrap('AES-KWP', options, [bytes.slice(length).buffer, aes.buffer, undefined]);
}

const oaep = (pem: Uint8Array, label: unknown) => ({
  key: Buffer.from(pem),
  padding: constants.RSA_PKCS1_OAEP_PADDING,
  oaepHash: 'sha256',
  ...(label !== undefined && { oaepLabel: Buffer.from(bytesOf(label, 'the label')) }),
});

const certificateForm = /-----BEGIN CERTIFICATE-----[\s\S]*?-----END CERTIFICATE-----/g;
const maxCertificates = 100;

function certificates(pem: string): X509Certificate[] {
  const texts = pem.match(certificateForm) ?? [];
  if (texts.length > maxCertificates) throw new TypeError('too many certificates');
  return texts.map((text) => new X509Certificate(text));
}

function isChain(chain: X509Certificate[], trusted: X509Certificate[]): boolean {
  if (chain.length === 0) return false;
  for (let at = 0; at < chain.length; at++) {
    const one = chain[at] as X509Certificate;
    const now = Date.now();
    if (now < Date.parse(one.validFrom) || now > Date.parse(one.validTo)) return false;
    const issuedBy = (issuer: X509Certificate) =>
      one.fingerprint256 === issuer.fingerprint256 ||
      (issuer.ca && one.checkIssued(issuer) && one.verify(issuer.publicKey));
    if (trusted.some(issuedBy)) return true;
    const next = chain[at + 1];
    if (next === undefined || !issuedBy(next)) return false;
  }
  return false;
}

const toJwk =
  (make: (pem: string) => KeyObject, types: readonly string[]): Operation =>
  ({ kid }, [pem]) => {
    const key = make(textOf(pem, 'the key'));
    if (!types.includes(key.asymmetricKeyType ?? '')) throw new TypeError('another type of key');
    const jwk = key.export({ format: 'jwk' });
    return JSON.stringify(typeof kid === 'string' ? { ...jwk, kid } : jwk);
  };

const toPem =
  (kind: 'public' | 'private'): Operation =>
  (options) => {
    const input = { key: options, format: 'jwk' } as JsonWebKeyInput;
    return kind === 'public'
      ? createPublicKey(input).export({ type: 'spki', format: 'pem' }).toString()
      : createPrivateKey(input).export({ type: 'pkcs8', format: 'pem' }).toString();
  };

const edwards = ['ed25519', 'x25519'];

/** `ccf.crypto`: operation names of @microsoft/ccf-app. Errors say what was wrong, never a key. */
export const cryptoOperations: Readonly<Record<string, Operation>> = {
  sign(options, [key, data]) {
    const bytes = bytesOf(data, 'the data');
    if (options.name === 'HMAC') {
      return createHmac(hashOf(options.hash), textOf(key, 'the key')).update(bytes).digest();
    }
    const how = signing(options, createPrivateKey(textOf(key, 'the key')));
    return sign(how.digest, bytes, how.key);
  },
  verifySignature(options, [key, signature, data]) {
    const how = signing(options, createPublicKey(textOf(key, 'the key')));
    return verify(
      how.digest,
      bytesOf(data, 'the data'),
      how.key,
      bytesOf(signature, 'the signature'),
    );
  },
  generateAesKey({ size }) {
    if (![128, 192, 256].includes(size as number)) {
      throw new TypeError('an AES key has 128, 192 or 256 bits');
    }
    return randomBytes((size as number) / 8);
  },
  generateRsaKeyPair({ size, exponent = 65_537 }) {
    const [modulusLength, publicExponent] = [Number(size), Number(exponent)];
    if (!(modulusLength >= 2_048 && modulusLength <= 8_192)) {
      throw new TypeError('an RSA modulus has 2,048 to 8,192 bits');
    }
    return keyPair('rsa', { modulusLength, publicExponent });
  },
  generateEcdsaKeyPair({ curve }) {
    const names: Record<string, string> = { secp256r1: 'prime256v1', secp384r1: 'secp384r1' };
    const namedCurve = typeof curve === 'string' ? names[curve] : undefined;
    if (namedCurve === undefined) throw new TypeError('the curve is secp256r1 or secp384r1');
    return keyPair('ec', { namedCurve });
  },
  generateEddsaKeyPair({ curve }) {
    if (curve === 'curve25519') return keyPair('ed25519', {});
    if (curve === 'x25519') return keyPair('x25519', {});
    throw new TypeError('the curve is curve25519 or x25519');
  },
  wrapKey: (options, given) => wrap(options.name, options, given),
  unwrapKey: (options, given) => unwrap(options.name, options, given),
  digest: ({ algorithm }, [data]) =>
    createHash(hashOf(algorithm)).update(bytesOf(data, 'the data')).digest(),
  isValidX509CertBundle(_options, [pem]) {
    try {
      return certificates(textOf(pem, 'the bundle')).length > 0;
    } catch {
      return false;
    }
  },
  isValidX509CertChain(_options, [chain, trusted]) {
    try {
      return isChain(
        certificates(textOf(chain, 'the chain')),
        certificates(textOf(trusted, 'the trusted certificates')),
      );
    } catch {
      return false;
    }
  },
  pubPemToJwk: toJwk(createPublicKey, ['ec']),
  pemToJwk: toJwk(createPrivateKey, ['ec']),
  pubRsaPemToJwk: toJwk(createPublicKey, ['rsa']),
  rsaPemToJwk: toJwk(createPrivateKey, ['rsa']),
  pubEddsaPemToJwk: toJwk(createPublicKey, edwards),
  eddsaPemToJwk: toJwk(createPrivateKey, edwards),
  pubJwkToPem: toPem('public'),
  jwkToPem: toPem('private'),
  pubRsaJwkToPem: toPem('public'),
  rsaJwkToPem: toPem('private'),
  pubEddsaJwkToPem: toPem('public'),
  eddsaJwkToPem: toPem('private'),
};
