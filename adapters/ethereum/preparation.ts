import { BinaryReader, DecodeError, RecentMap, toLatin1 } from '@concordat/std';
import type { Preparation } from '@concordat/worker-enclave';
import { EthereumError } from './errors.ts';
import {
  authorityOf,
  defaultMaxTransactionBytes,
  type KnownSigners,
  parseTransaction,
  recoverSender,
} from './transaction.ts';

/** A chain's name and its length before the transaction itself. */
const submissionHeadBytes = 4 + 32;
/** Authorizations beyond these are recovered when they are executed, and paid for by then. */
const mostAuthorities = 16;
/** Bytes at the end of a transaction that a record repeats: half of its signature's `s`. */
const tailBytes = 16;
/** At most; at least half of them. */
const rememberedTransactions = 32_768;

/** How signers are found; a test counts it. */
export interface Recovery {
  readonly sender: typeof recoverSender;
  readonly authority: typeof authorityOf;
}

/**
 * What takes longest of an Ethereum transaction beside its execution, from its bytes alone: its hash,
 * sender, and who signed its authorizations (EIP-7702). Wallets resend: what was found is kept, of
 * the newest transactions, by their chain and hash.
 */
export function createPreparation(
  recovery: Recovery = { sender: recoverSender, authority: authorityOf },
): Preparation {
  const known = new RecentMap<string, Uint8Array>(rememberedTransactions);
  return {
    maxBytes: defaultMaxTransactionBytes + submissionHeadBytes,
    prepare(submission) {
      const submitted = submittedIn(submission);
      const parsed = submitted && parsedOrNothing(submitted.raw);
      if (submitted === undefined || parsed === undefined) return nothing;
      const { chain, raw } = submitted;
      const key = chain + toLatin1(parsed.hash());
      const before = known.get(key);
      if (before !== undefined) return before;
      const from = recovery.sender(parsed);
      const authorities = parsed.fields.authorizationList
        .slice(0, mostAuthorities)
        .map(recovery.authority);
      const record = encodeSigners(raw, { hash: parsed.hash(), from, authorities });
      known.set(key, record);
      return record;
    },
  };
}

const nothing = new Uint8Array(0);

/** A chain's name, and what a submission holds after it. */
function submittedIn(
  submission: Uint8Array,
): { readonly chain: string; readonly raw: Uint8Array } | undefined {
  try {
    const reader = new BinaryReader(submission);
    const chain = reader.text(32);
    return { chain, raw: reader.raw(reader.remaining) };
  } catch (error) {
    if (error instanceof DecodeError) return undefined;
    throw error;
  }
}

/** Which transactions a chain takes is for `admit` to say. */
function parsedOrNothing(raw: Uint8Array): ReturnType<typeof parseTransaction> | undefined {
  try {
    return parseTransaction(raw, { highestType: 4, blobs: true });
  } catch (error) {
    if (error instanceof EthereumError) return undefined;
    throw error;
  }
}

const absent = new Uint8Array(20);

/**
 * hash (32) ‖ the transaction's last 16 bytes ‖ signers: the sender, then those of the first
 * authorizations, each u8 whether there is one ‖ address (20).
 */
function encodeSigners(raw: Uint8Array, { hash, from, authorities }: KnownSigners): Uint8Array {
  const signers = [from, ...authorities].flatMap((signer) => [
    Uint8Array.of(signer === undefined ? 0 : 1),
    signer ?? absent,
  ]);
  const tail = raw.subarray(-tailBytes);
  return Buffer.concat([hash, tail, ...signers]);
}

/**
 * Reads what {@link createPreparation} made of a transaction; undefined when it is of another
 * transaction, or none, so that a mistake in handing it on never gives a transaction a false sender.
 */
export function decodeSigners(record: Uint8Array, raw: Uint8Array): KnownSigners | undefined {
  const signersAt = 32 + tailBytes;
  const count = (record.length - signersAt) / 21;
  if (raw.length < tailBytes || !Number.isInteger(count) || count < 1) return undefined;
  for (let back = 1; back <= tailBytes; back++) {
    if (record[signersAt - back] !== raw[raw.length - back]) return undefined;
  }
  const signer = (at: number): Uint8Array | undefined => {
    const from = signersAt + 21 * at;
    return record[from] === 1 ? record.subarray(from + 1, from + 21) : undefined;
  };
  const authorities = Array.from({ length: count - 1 }, (_, at) => signer(at + 1));
  return { hash: record.subarray(0, 32), from: signer(0), authorities };
}
