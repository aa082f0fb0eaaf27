import { coseMediaType } from './administrative-channel.ts';
import { ApiError } from './error-body.ts';

/** The forms a receipt is given in. */
export type ReceiptForm = 'json' | 'cose';

/**
 * The form a request for a receipt asks for: the parameter `format` if there is one, else COSE when
 * the accept header names it and JSON otherwise.
 * @param format value of the query parameter
 * @param accept value of the header
 * @throws ApiError INVALID_PARAMETER
 */
export function receiptFormOf(format: string | null, accept: string | undefined): ReceiptForm {
  if (format === 'json' || format === 'cose') return format;
  if (format !== null) throw new ApiError('INVALID_PARAMETER', 'format is json or cose');
  const types = (accept ?? '').split(',').map((part) => part.split(';')[0]?.trim());
  return types.includes(coseMediaType) ? 'cose' : 'json';
}
