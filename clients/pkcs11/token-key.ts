import { randomBytes } from 'node:crypto';
import { isEncryptionPublicKey, sha256 } from '@concordat/crypto';
import { utf8 } from '@concordat/std';
import { ck, returned } from './constants.ts';
import { Pkcs11Error } from './errors.ts';
import { failureOf } from './failure.ts';
import {
  encodeTemplate,
  findObjects,
  readAttribute,
  type Session,
  type Template,
} from './objects.ts';
import { readUlong, writeFields } from './structures.ts';

/** What a key is called: CKA_LABEL, or CKA_ID. */
export type KeyName = { readonly label: string } | { readonly id: Uint8Array };

/** What a key is for. One key is for one of them. */
export type KeyUse = 'sign' | 'agree';

/** A P-256 key whose private part is in a token. */
export interface TokenKey {
  /** Uncompressed point, 65 bytes. */
  readonly publicKey: Uint8Array;
  /**
   * ECDSA over SHA-256 of the bytes (CKM_ECDSA over the digest): r ‖ s, 64 bytes.
   * @throws Pkcs11Error KEY_UNSUITABLE, UNSUPPORTED_BY_TOKEN, TOKEN_CLOSED, TOKEN_FAILED
   */
  sign(bytes: Uint8Array): Uint8Array;
  /**
   * Diffie-Hellman with a peer's point (CKM_ECDH1_DERIVE, CKD_NULL): the x coordinate, 32 bytes. Secret.
   * @param peer uncompressed point, 65 bytes
   * @throws Pkcs11Error INVALID_POINT, KEY_UNSUITABLE, UNSUPPORTED_BY_TOKEN, TOKEN_CLOSED, TOKEN_FAILED
   */
  agree(peer: Uint8Array): Uint8Array;
}

/** DER of the object identifier prime256v1: CKA_EC_PARAMS of every key here. */
const prime256v1 = Buffer.from('06082a8648ce3d030107', 'hex');
/** DER octet string of 65 bytes: how CKA_EC_POINT holds an uncompressed point (PKCS#11 2.40, 2.3.3). */
const pointHeader = Buffer.of(0x04, 0x41);
const coordinateBytes = 32;
/** Most UTF-8 bytes of a label, bytes of an id. */
const maxNameBytes = 255;

/** Finds a key pair. */
export function openKey(open: () => Session, name: KeyName): TokenKey {
  const session = open();
  const attribute = nameAttribute(name);
  const what =
    'label' in name ? `"${name.label}"` : `with id ${Buffer.from(name.id).toString('hex')}`;
  const { attribute: types, objectClass } = ck;
  const found = findObjects(session, [[types.class, objectClass.privateKey], attribute]);
  const [object] = found;
  if (object === undefined) {
    const why = `the token has no private key ${what}: its own tool lists what there is`;
    throw new Pkcs11Error('KEY_NOT_FOUND', why);
  }
  if (found.length > 1) {
    const why = `the token has ${found.length} private keys ${what}: name one by its id`;
    throw new Pkcs11Error('KEY_AMBIGUOUS', why);
  }
  requireKind(session, object, what);
  return tokenKeyOf(open, object, publicKeyOf(session, object, { attribute, what }));
}

function nameAttribute(name: KeyName): Template[number] {
  const { label, id } = ck.attribute;
  const value = 'label' in name ? utf8(name.label) : name.id;
  if (value.length < 1 || value.length > maxNameBytes) {
    const why = `a key is named by a label or id of 1 to ${maxNameBytes} bytes`;
    throw new Pkcs11Error('INVALID_NAME', why);
  }
  return ['label' in name ? label : id, value];
}

function requireKind(session: Session, object: number, what: string): void {
  const { layout } = session.binding;
  const kind = readAttribute(session, object, ck.attribute.keyType);
  const isEc =
    kind !== undefined && kind.length === layout.ulong && readUlong(layout, kind) === ck.keyType.ec;
  if (!isEc) throw unsuitable(`key ${what} is no key of an elliptic curve`);
  const curve = readAttribute(session, object, ck.attribute.ecParameters);
  if (curve === undefined || !prime256v1.equals(curve)) {
    throw unsuitable(`key ${what} is on another curve than P-256`);
  }
  if (readAttribute(session, object, ck.attribute.alwaysAuthenticate)?.[0] === 1) {
    throw unsuitable(`key ${what} wants the PIN at every use, which is not supported`);
  }
}

const unsuitable = (why: string): Pkcs11Error =>
  new Pkcs11Error('KEY_UNSUITABLE', `${why}: use a P-256 key (prime256v1)`);

/** The public key beside a private one: of the same id, or where that is empty of the same name. */
function publicKeyOf(
  session: Session,
  object: number,
  { attribute, what }: { attribute: Template[number]; what: string },
): Uint8Array {
  const id = readAttribute(session, object, ck.attribute.id);
  const by: Template[number] = id && id.length > 0 ? [ck.attribute.id, id] : attribute;
  const isPublic: Template = [[ck.attribute.class, ck.objectClass.publicKey]];
  for (const candidate of findObjects(session, [...isPublic, by])) {
    const value = readAttribute(session, candidate, ck.attribute.ecPoint);
    const point = value && pointOf(value);
    if (point) return point;
  }
  const why = `the token has no P-256 public key beside key ${what}`;
  throw new Pkcs11Error('KEY_NOT_FOUND', `${why}: import it with the token’s own tool`);
}

/** Some tokens leave out the octet string around the point. */
function pointOf(value: Uint8Array): Uint8Array | undefined {
  const isWrapped = value.length === 67 && pointHeader.compare(value, 0, 2) === 0;
  const point = Uint8Array.from(isWrapped ? value.subarray(2) : value);
  return isEncryptionPublicKey(point) ? point : undefined;
}

function tokenKeyOf(open: () => Session, object: number, publicKey: Uint8Array): TokenKey {
  return {
    publicKey,
    sign: (bytes) => signDigest(open(), object, sha256(bytes)),
    agree: (peer) => {
      // A point off the curve would make a careless token give its key away bit by bit.
      if (!isEncryptionPublicKey(peer)) {
        throw new Pkcs11Error('INVALID_POINT', 'what to agree with is no point of P-256');
      }
      return agreeWith(open(), object, peer);
    },
  };
}

function signDigest({ binding, handle }: Session, object: number, digest: Uint8Array): Uint8Array {
  const { layout, addressOf } = binding;
  const mechanism = writeFields(layout, [ck.mechanism.ecdsa, { pointer: null }, 0], addressOf);
  binding.must('C_SignInit', handle, mechanism, object);
  const signature = Buffer.alloc(2 * coordinateBytes);
  const length = writeFields(layout, [signature.length], addressOf);
  binding.must('C_Sign', handle, Buffer.from(digest), digest.length, signature, length);
  if (readUlong(layout, length) === signature.length) return Uint8Array.from(signature);
  throw new Pkcs11Error('TOKEN_FAILED', 'the token signed with something other than P-256');
}

function agreeWith(session: Session, object: number, peer: Uint8Array): Uint8Array {
  const raw = derive(session, object, peer);
  if (typeof raw !== 'number') return raw;
  // "A token may also choose to support the DER form" of the point (2.3.8): some take no other.
  const wrapped = derive(session, object, Buffer.concat([pointHeader, peer]));
  if (typeof wrapped !== 'number') return wrapped;
  throw failureOf(raw, 'C_DeriveKey');
}

/** The shared secret, or CKR_MECHANISM_PARAM_INVALID: the token wants the point in another form. */
function derive(session: Session, object: number, point: Uint8Array): Uint8Array | number {
  const { binding, handle } = session;
  const { layout, addressOf } = binding;
  const { attribute, mechanism, objectClass, keyType } = ck;
  const peer = Buffer.from(point);
  // CK_ECDH1_DERIVE_PARAMS: kdf, length and address of shared data, of the peer's point.
  const fields = [ck.kdfNull, 0, { pointer: null }, peer.length, { pointer: peer }];
  const parameters = writeFields(layout, fields, addressOf);
  const how = [mechanism.ecdh1Derive, { pointer: parameters }, parameters.length];
  const template: Template = [
    [attribute.class, objectClass.secretKey],
    [attribute.keyType, keyType.genericSecret],
    [attribute.token, false],
    [attribute.sensitive, false],
    [attribute.extractable, true],
    [attribute.valueLength, coordinateBytes],
  ];
  const place = Buffer.alloc(layout.ulong);
  const rv = binding.call(
    'C_DeriveKey',
    handle,
    writeFields(layout, how, addressOf),
    object,
    encodeTemplate(binding, template),
    template.length,
    place,
  );
  if (rv === returned.mechanismParamInvalid) return rv;
  if (rv !== returned.ok) throw failureOf(rv, 'C_DeriveKey');
  const derived = readUlong(layout, place) ?? 0;
  try {
    const secret = readAttribute(session, derived, attribute.value);
    if (secret?.length === coordinateBytes) return secret;
    throw new Pkcs11Error('UNSUPPORTED_BY_TOKEN', 'the token does not let the agreed secret out');
  } finally {
    binding.call('C_DestroyObject', handle, derived);
  }
}

/** Makes a key pair. */
export function generateKey(open: () => Session, label: string, use: KeyUse): TokenKey {
  const session = open();
  const { binding, handle } = session;
  const { attribute, objectClass, mechanism } = ck;
  const name = nameAttribute({ label });
  if (findObjects(session, [[attribute.class, objectClass.privateKey], name]).length > 0) {
    const why = `the token has a private key "${label}" already: name another`;
    throw new Pkcs11Error('KEY_EXISTS', why);
  }
  const id: Template[number] = [attribute.id, randomBytes(16)];
  const signs = use === 'sign';
  const publicTemplate: Template = [
    [attribute.token, true],
    [attribute.ecParameters, prime256v1],
    [attribute.verify, signs],
    name,
    id,
  ];
  const privateTemplate: Template = [
    [attribute.token, true],
    [attribute.private, true],
    [attribute.sensitive, true],
    [attribute.extractable, false],
    [attribute.sign, signs],
    [attribute.derive, !signs],
    name,
    id,
  ];
  const how = [mechanism.ecKeyPairGeneration, { pointer: null }, 0];
  binding.must(
    'C_GenerateKeyPair',
    handle,
    writeFields(binding.layout, how, binding.addressOf),
    encodeTemplate(binding, publicTemplate),
    publicTemplate.length,
    encodeTemplate(binding, privateTemplate),
    privateTemplate.length,
    Buffer.alloc(binding.layout.ulong),
    Buffer.alloc(binding.layout.ulong),
  );
  return openKey(open, { id: id[1] as Uint8Array });
}
