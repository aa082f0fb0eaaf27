import { toBigInt, toMinimalBytes, toWord } from '@concordat/evm';
import { BinaryReader, BinaryWriter, DecodeError, equalBytes, utf8 } from '@concordat/std';
import { EthereumError } from './errors.ts';

/** One account of a chain's initial state. */
export interface ImportedAccount {
  /** 20 bytes. */
  readonly address: Uint8Array;
  readonly nonce: bigint;
  readonly balance: bigint;
  /** Index into the codes of the import; absent without code. */
  readonly code?: number;
  readonly storage: readonly (readonly [slot: bigint, value: bigint])[];
}

/** Initial state of one chain, named as in the configuration. */
export interface ImportedChain {
  readonly name: string;
  readonly accounts: Iterable<ImportedAccount>;
}

const magic = utf8('concordat ethereum import\n');
const version = 1;
const end = 0;
const chainMark = 1;
const accountMark = 2;

/**
 * Writes genesis data (docs/format/ethereum-import.md): codes first, each once, then the accounts of
 * each chain.
 */
export function encodeImport(
  codes: readonly Uint8Array[],
  chains: Iterable<ImportedChain>,
): Uint8Array {
  const writer = new BinaryWriter(1 << 20);
  writer.raw(magic).u8(version).u32(codes.length);
  for (const code of codes) writer.bytes(code);
  for (const chain of chains) {
    writer.u8(chainMark).text(chain.name);
    for (const account of chain.accounts) writeAccount(writer, account);
  }
  return writer.u8(end).take();
}

function writeAccount(writer: BinaryWriter, account: ImportedAccount): void {
  writer.u8(accountMark).raw(account.address);
  writeNumber(writer, account.nonce);
  writeNumber(writer, account.balance);
  writer.u32(account.code === undefined ? 0 : account.code + 1).u32(account.storage.length);
  for (const [slot, value] of account.storage) {
    writer.raw(toWord(slot));
    writeNumber(writer, value);
  }
}

function writeNumber(writer: BinaryWriter, value: bigint): void {
  const bytes = toMinimalBytes(value);
  writer.u8(bytes.length).raw(bytes);
}

/** Genesis data, read step by step: the whole of it is never held decoded. */
export class ImportReader {
  readonly #reader: BinaryReader;
  readonly codes: readonly Uint8Array[];

  /** @throws EthereumError MALFORMED */
  constructor(bytes: Uint8Array) {
    this.#reader = new BinaryReader(bytes);
    this.codes = strictly(() => {
      if (!equalBytes(this.#reader.raw(magic.length), magic)) throw notImport();
      if (this.#reader.u8() !== version) throw notImport();
      const codes: Uint8Array[] = [];
      const count = this.#reader.u32();
      for (let i = 0; i < count; i++) codes.push(this.#reader.bytes());
      return codes;
    });
  }

  /** Chains in order; take all accounts of one before the next. @throws EthereumError MALFORMED */
  *chains(): Generator<ImportedChain> {
    let mark = strictly(() => this.#reader.u8());
    while (mark === chainMark) {
      const name = strictly(() => this.#reader.text(64));
      let next = 0;
      const accounts = this.#accounts((last) => {
        next = last;
      });
      yield { name, accounts };
      for (const _ of accounts) throw new EthereumError('MALFORMED', 'accounts were passed over');
      mark = next;
    }
    if (mark !== end) throw notImport();
    strictly(() => this.#reader.end());
  }

  *#accounts(done: (mark: number) => void): Generator<ImportedAccount> {
    for (;;) {
      const mark = strictly(() => this.#reader.u8());
      if (mark !== accountMark) {
        done(mark);
        return;
      }
      yield strictly(() => this.#account());
    }
  }

  #account(): ImportedAccount {
    const reader = this.#reader;
    const address = reader.raw(20);
    const nonce = this.#number(8);
    const balance = this.#number(32);
    const code = reader.u32();
    if (code > this.codes.length) throw new EthereumError('MALFORMED', 'no such code');
    const storage: [bigint, bigint][] = [];
    const count = reader.u32();
    for (let i = 0; i < count; i++) storage.push([toBigInt(reader.raw(32)), this.#number(32)]);
    return { address, nonce, balance, ...(code === 0 ? {} : { code: code - 1 }), storage };
  }

  #number(most: number): bigint {
    const length = this.#reader.u8();
    if (length > most) throw new EthereumError('MALFORMED', `a number of ${length} bytes`);
    const bytes = this.#reader.raw(length);
    if (bytes[0] === 0) throw new EthereumError('MALFORMED', 'a number with leading zero');
    return toBigInt(bytes);
  }
}

const notImport = (): EthereumError =>
  new EthereumError('MALFORMED', 'not Ethereum genesis data of version 1');

function strictly<Value>(read: () => Value): Value {
  try {
    return read();
  } catch (error) {
    if (!(error instanceof DecodeError)) throw error;
    throw new EthereumError('MALFORMED', error.message);
  }
}
