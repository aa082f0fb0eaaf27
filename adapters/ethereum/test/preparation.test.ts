import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { concatBytes, toHex, utf8 } from '@concordat/std';
import { encodeSubmission } from '../chain-view.ts';
import { signDigest } from '../crypto.ts';
import { EthereumError } from '../errors.ts';
import { createPreparation, decodeSigners } from '../preparation.ts';
import {
  authorityOf,
  blankTransaction,
  type DecodingRules,
  decodeTransaction,
  recoverSender,
  signedAuthorization,
  signedTransaction,
  type UnsignedTransaction,
} from '../transaction.ts';

const rules: DecodingRules = {
  chainId: 7n,
  highestType: 4,
  blobs: true,
  lowS: true,
  maxBytes: 131_072,
};
const key = (seed: number): Uint8Array => new Uint8Array(32).fill(seed);
const signer = (seed: number) => (digest: Uint8Array) => signDigest(digest, key(seed));

function unsigned(
  type: UnsignedTransaction['type'],
  further: Partial<UnsignedTransaction> = {},
): UnsignedTransaction {
  return {
    ...blankTransaction,
    type,
    chainId: 7n,
    nonce: 3n,
    maxFeePerGas: 9n,
    maxPriorityFeePerGas: type < 2 ? 9n : 2n,
    gasLimit: 100_000n,
    to: new Uint8Array(20).fill(5),
    value: 1n,
    data: utf8('some data'),
    blobVersionedHashes: type === 3 ? [new Uint8Array(32).fill(1)] : [],
    maxFeePerBlobGas: type === 3 ? 1n : 0n,
    ...further,
  };
}

const authorization = (seed: number, nonce: bigint) =>
  signedAuthorization({ chainId: 7n, address: new Uint8Array(20).fill(8), nonce }, signer(seed));

const oneOfEach = (): Uint8Array[] =>
  ([0, 1, 2, 3, 4] as const).map((type) =>
    signedTransaction(
      unsigned(type, type === 4 ? { authorizationList: [authorization(2, 0n)] } : {}),
      signer(1),
    ),
  );

const prepare = (raw: Uint8Array) => createPreparation().prepare(encodeSubmission('main', raw));

/** What decoding comes to: the transaction without functions, or the code of the refusal. */
function decoded(raw: Uint8Array, prepared?: Uint8Array): unknown {
  try {
    const known = prepared === undefined ? undefined : decodeSigners(prepared, raw);
    const { fields, from, hash } = decodeTransaction(raw, rules, known);
    const authorities = fields.authorizationList.map((entry) => {
      const authority = authorityOf(entry);
      return authority && toHex(authority);
    });
    return { fields, from: toHex(from), hash: toHex(hash), authorities };
  } catch (error) {
    if (error instanceof EthereumError) return error.code;
    throw error;
  }
}

describe('Ethereum transactions prepared beside the main thread', () => {
  it('are decoded to the same with what was prepared as without, of every type', () => {
    for (const raw of oneOfEach()) {
      const prepared = prepare(raw);
      assert.ok(prepared.length > 0);
      assert.ok(decodeSigners(prepared, raw));
      assert.deepEqual(decoded(raw, prepared), decoded(raw));
    }
  });

  it('are decoded without recovering anything', () => {
    const [raw] = oneOfEach().slice(4) as [Uint8Array];
    const known = { hash: key(1), from: key(2).slice(12), authorities: [key(3).slice(12)] };
    const { from, hash, fields } = decodeTransaction(raw, rules, known);
    assert.deepEqual([hash, from], [known.hash, known.from]);
    assert.deepEqual(authorityOf(fields.authorizationList[0]!), known.authorities[0]);
  });

  it('are refused the same way when they are cut, extended or flipped', () => {
    for (const raw of oneOfEach()) {
      const changed = [
        ...Array.from({ length: raw.length }, (_, length) => raw.slice(0, length)),
        concatBytes(raw, Uint8Array.of(0)),
        ...Array.from(raw, (byte, at) => raw.with(at, byte ^ (1 << (at % 8)))),
      ];
      for (const bytes of changed) {
        const prepared = prepare(bytes);
        if (prepared.length === 0) continue;
        assert.deepEqual(decoded(bytes, prepared), decoded(bytes));
      }
    }
  });

  it('whose signature no key fits are refused with that code, and recovered once', () => {
    // r = 5 is the x of no point of the curve.
    const raw = signedTransaction(unsigned(2), () => ({
      signature: new Uint8Array(64).fill(0).with(31, 5).with(63, 1),
      yParity: 0,
    }));
    const prepared = prepare(raw);
    assert.deepEqual(decodeSigners(prepared, raw)?.from, undefined);
    assert.ok(prepared.length > 0);
    assert.equal(decoded(raw, prepared), 'INVALID_SIGNATURE');
    assert.equal(decoded(raw), 'INVALID_SIGNATURE');
  });

  it('keep an authorization that nobody can have signed as what it is', () => {
    const forged = { ...authorization(2, 0n), s: 2n ** 256n - 1n };
    const authorizationList = [authorization(2, 0n), forged, authorization(3, 1n)];
    const raw = signedTransaction(unsigned(4, { authorizationList }), signer(1));
    const known = decodeSigners(prepare(raw), raw);
    assert.deepEqual(
      known?.authorities.map((found) => found !== undefined),
      [true, false, true],
    );
    assert.deepEqual(decoded(raw, prepare(raw)), decoded(raw));
  });

  it('with very many authorizations have the first recovered; the rest is paid for by then', () => {
    const authorizationList = Array.from({ length: 40 }, (_, at) => authorization(2, BigInt(at)));
    const raw = signedTransaction(unsigned(4, { authorizationList }), signer(1));
    assert.equal(decodeSigners(prepare(raw), raw)?.authorities.length, 16);
    assert.deepEqual(decoded(raw, prepare(raw)), decoded(raw));
  });

  it('are not given the signers of another transaction', () => {
    const [one, other] = [
      signedTransaction(unsigned(2), signer(1)),
      signedTransaction(unsigned(2), signer(2)),
    ];
    assert.equal(decodeSigners(prepare(one), other), undefined);
    const whole = prepare(one);
    for (let length = 0; length < whole.length; length++) {
      assert.equal(decodeSigners(whole.subarray(0, length), one), undefined);
    }
    assert.equal(decodeSigners(concatBytes(whole, Uint8Array.of(1)), one), undefined);
  });

  it('that come again are not recovered again, among the newest 16,384', () => {
    let recovered = 0;
    const preparation = createPreparation({
      sender: (parsed) => {
        recovered += 1;
        return parsed.fields.nonce === 0n ? recoverSender(parsed) : new Uint8Array(20);
      },
      authority: authorityOf,
    });
    const raws = Array.from({ length: 49_152 }, (_, nonce) =>
      signedTransaction(unsigned(2, { nonce: BigInt(nonce) }), () => ({
        signature: new Uint8Array(64).fill(1),
        yParity: 0,
      })),
    );
    const ask = (at: number) => preparation.prepare(encodeSubmission('main', raws[at]!));
    const first = ask(0);
    assert.deepEqual(ask(0), first);
    assert.equal(recovered, 1);
    for (let at = 1; at < 16_384; at++) ask(at);
    assert.deepEqual(ask(0), first);
    assert.equal(recovered, 16_384);
    for (let at = 1; at < raws.length; at++) ask(at);
    assert.equal(recovered, raws.length);
    ask(0);
    assert.equal(recovered, raws.length + 1);
  });

  it('are recovered for each chain that they are sent to', () => {
    let recovered = 0;
    const preparation = createPreparation({
      sender: (parsed) => {
        recovered += 1;
        return recoverSender(parsed);
      },
      authority: authorityOf,
    });
    const raw = signedTransaction(unsigned(2), signer(1));
    for (const chain of ['main', 'other', 'main', 'other']) {
      preparation.prepare(encodeSubmission(chain, raw));
    }
    assert.equal(recovered, 2);
  });

  it('are recovered for each chain without a preparation, too', () => {
    const raw = signedTransaction(unsigned(2, { nonce: 77n }), signer(1));
    const on = (chain: string): Uint8Array => decodeTransaction(raw, { ...rules, chain }).from;
    const [first, again, other] = [on('one'), on('one'), on('other')];
    assert.equal(again, first, 'found again');
    assert.notEqual(other, first, 'recovered anew');
    assert.deepEqual(other, first);
  });

  it('are nothing when they name no chain or are no transaction', () => {
    const { prepare: direct } = createPreparation();
    for (const bytes of ['', 'x', '\0\0\0\xff', '\0\0\0\x04main', '\0\0\0\x04main\xc0']) {
      assert.equal(direct(Buffer.from(bytes, 'latin1')).length, 0);
    }
  });
});
