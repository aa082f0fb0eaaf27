import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { DecodeError, utf8 } from '@concordat/std';
import {
  decodeForwardRequest,
  decodeRefusal,
  decodeReply,
  encodeForwardRequest,
  encodeReply,
  wasNeverTaken,
} from '../forward-codec.ts';
import type { LedgerAdapter } from '../index.ts';

const plain = {} as LedgerAdapter;
const binary = {
  encodeResult: (result: unknown) => utf8(String(result)),
  decodeResult: (bytes: Uint8Array) => Number(Buffer.from(bytes).toString()),
} as unknown as LedgerAdapter;

describe('forwarded requests and replies', () => {
  it('carry adapter, wait, key and request', () => {
    const key = { id: Buffer.alloc(32, 1), fingerprint: Buffer.alloc(32, 2) };
    for (const wait of ['commit', 'local'] as const) {
      for (const one of [undefined, key, { ...key, sealedAtMs: 2 ** 41 }]) {
        const request = { adapterId: 'toy', wait, key: one, raw: Buffer.from('request') };
        assert.deepEqual(decodeForwardRequest(encodeForwardRequest(request)), request);
      }
    }
  });

  it('refuse requests cut short or with unknown bits', () => {
    const raw = Buffer.alloc(0);
    const key = { id: Buffer.alloc(32, 1), fingerprint: Buffer.alloc(32, 2) };
    const keyed = encodeForwardRequest({ adapterId: 'toy', wait: 'commit', key, raw });
    for (let length = 0; length < keyed.length; length++) {
      assert.throws(() => decodeForwardRequest(keyed.subarray(0, length)), DecodeError);
    }
    const bytes = encodeForwardRequest({ adapterId: 'toy', wait: 'commit', key: undefined, raw });
    for (let length = 0; length < bytes.length; length++) {
      assert.throws(() => decodeForwardRequest(bytes.subarray(0, length)), DecodeError);
    }
    // Sealed is what has a key.
    for (const bits of [4, 5, 8]) {
      bytes[bytes.length - 1] = bits;
      assert.throws(() => decodeForwardRequest(bytes), DecodeError);
    }
  });

  it('carry results as JSON or in the form of the adapter', () => {
    for (const [adapter, result] of [
      [plain, { a: [1, 'x'] }],
      [plain, null],
      [binary, 7],
    ] as const) {
      const answer = { ok: true as const, result, transactionId: '2.5', height: 9 };
      assert.deepEqual(decodeReply(adapter, encodeReply(adapter, answer), 9), answer);
    }
  });

  it('carry refusals with their details', () => {
    const refused = {
      ok: false as const,
      code: 'CONFLICT',
      message: 'no',
      details: { at: 1 },
    };
    assert.deepEqual(decodeRefusal(encodeReply(plain, refused)), refused);
  });

  it('say that the outcome is unknown when the way back broke', () => {
    for (const bytes of [utf8(''), utf8('{"code":"CHANNEL_FAILED"}'), utf8('{}'), utf8('[1]')]) {
      const refused = decodeRefusal(bytes);
      assert.equal(refused.code, 'TRANSACTION_UNKNOWN');
      assert.equal(wasNeverTaken(refused), false);
    }
  });

  it('know the refusals of a manager that found no leader', () => {
    assert.equal(wasNeverTaken(decodeRefusal(utf8('{"code":"NO_LEADER"}'))), true);
  });
});
