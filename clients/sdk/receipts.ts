import {
  type CoseReceiptVerdict,
  type ReceiptVerdict,
  verifyCoseReceipt,
  verifyReceipt,
} from '@concordat/ledger';

/** A receipt of either form, verified. */
export type ExaminedReceipt =
  | { readonly form: 'json'; readonly verdict: ReceiptVerdict }
  | { readonly form: 'cose'; readonly verdict: CoseReceiptVerdict };

/** A COSE_Sign1 message begins with tag 18 (RFC 9052, section 2); no JSON text does. */
const sign1Head = 0xd2;
/** Bytes; receipts have a few thousand. */
const maxBytes = 1024 * 1024;

/**
 * Verifies a receipt offline, as a node gave it, in whichever form it has.
 * @param bytes foreign: any are answered, none throw
 * @param networkCertificatePem the trusted network certificate
 */
export function examineReceipt(bytes: Uint8Array, networkCertificatePem: string): ExaminedReceipt {
  if (bytes[0] === sign1Head) {
    return { form: 'cose', verdict: verifyCoseReceipt(bytes, networkCertificatePem) };
  }
  return { form: 'json', verdict: examineJson(bytes, networkCertificatePem) };
}

function examineJson(bytes: Uint8Array, networkCertificatePem: string): ReceiptVerdict {
  if (bytes.length > maxBytes) {
    return { ok: false, code: 'MALFORMED', why: `a receipt has at most ${maxBytes} bytes` };
  }
  let value: unknown;
  try {
    value = JSON.parse(Buffer.from(bytes).toString('utf8'));
  } catch {
    return { ok: false, code: 'MALFORMED', why: 'it is neither JSON nor COSE_Sign1' };
  }
  return verifyReceipt(value, networkCertificatePem);
}
