import { CryptoError, decodeCose, joinCose, signatureOfDer, verifyCose } from '@concordat/crypto';
import {
  type DecodedMessage,
  decodeMessage,
  type MessageOptions,
  type MessageSigner,
  type ProposedAction,
} from '@concordat/governance';
import { fromBase64, fromHex, isHex64 } from '@concordat/std';
import { CliError } from './errors.ts';

/** Length of r ‖ s. */
const signatureBytes = 64;

/**
 * The bytes that a signature over a message covers: all that an offline signer needs, and all that it
 * can be told about the message.
 * @param build one of the builders of governance messages
 */
export function bytesToSign(
  about: Omit<MessageOptions, 'key' | 'sign'>,
  build: (options: MessageOptions) => Uint8Array,
): Uint8Array {
  let covered: Uint8Array | undefined;
  build({
    ...about,
    sign: (bytes) => {
      covered = bytes;
      return new Uint8Array(signatureBytes);
    },
  });
  if (!covered) throw new TypeError('the message was built without asking for a signature');
  return covered;
}

/**
 * What somebody who signs these bytes says.
 * @throws CliError USAGE when they are no governance message
 */
export function readBytesToSign(bytes: Uint8Array, file: string): DecodedMessage {
  let message: DecodedMessage;
  try {
    message = decodeMessage(joinCose(bytes, new Uint8Array(signatureBytes)));
  } catch (error) {
    throw new CliError('USAGE', `${file} is no message to sign: ${(error as Error).message}`);
  }
  if (isTold(message)) return message;
  throw new CliError(
    'USAGE',
    `${file} is no message to sign: it says what a ${message.type} does not`,
  );
}

/** Whether a message holds what can be told of its kind, and nothing beside it that would not be. */
function isTold({ type, payload }: DecodedMessage): boolean {
  if (!isObject(payload)) return false;
  const names = Object.keys(payload).join();
  if (type === 'withdrawal') return names === '';
  if (type === 'acknowledgement') return names === 'terms' && isHex64(payload.terms);
  if (type === 'vote') return names === 'accept' && typeof payload.accept === 'boolean';
  if (type !== 'proposal') return true;
  const { actions } = payload;
  return names === 'actions' && Array.isArray(actions) && actions.every(isAction);
}

const isAction = (action: unknown): boolean =>
  isObject(action) &&
  Object.keys(action).sort().join() === 'args,name' &&
  typeof action.name === 'string' &&
  isObject(action.args);

const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/** What the payload of a proposal proposes. */
export const actionsOf = ({ payload }: DecodedMessage): readonly ProposedAction[] =>
  (payload as { actions?: readonly ProposedAction[] }).actions ?? [];

/** Signs bytes with a key at hand or in a token: r ‖ s, 64 bytes. */
export const signBytes = (signer: MessageSigner, bytes: Uint8Array): Uint8Array =>
  'key' in signer ? signatureOfDer(signer.key.sign(bytes)) : signer.sign(bytes);

/**
 * The message of its bytes and a signature that any program made.
 * @param signature DER, or r ‖ s: as they are, in hex or in base64
 * @param publicKeySpki of the signer, to check the signature before it is sent; DER
 * @throws CliError USAGE
 */
export function joinSignature(
  bytes: Uint8Array,
  signature: Uint8Array,
  publicKeySpki?: Uint8Array,
): Uint8Array {
  const message = joinCose(bytes, rawSignature(signature));
  if (publicKeySpki && !verifyCose(decodeCose(message), publicKeySpki)) {
    throw new CliError(
      'USAGE',
      'the signature is not that of this certificate’s key over these bytes: sign exactly the bytes of the file, with ECDSA over SHA-256',
    );
  }
  return message;
}

function rawSignature(given: Uint8Array): Uint8Array {
  const raw = rawOf(given) ?? rawOf(decodedText(given));
  if (raw) return raw;
  throw new CliError('USAGE', 'this is no ECDSA signature of P-256: neither DER nor 64 bytes');
}

function rawOf(given: Uint8Array | undefined): Uint8Array | undefined {
  if (!given || given.length === signatureBytes) return given;
  try {
    return signatureOfDer(given);
  } catch (error) {
    if (error instanceof CryptoError) return undefined;
    throw error;
  }
}

function decodedText(given: Uint8Array): Uint8Array | undefined {
  const text = Buffer.from(given).toString('latin1').replace(/\s+/g, '');
  return fromHex(text) ?? fromBase64(text);
}
