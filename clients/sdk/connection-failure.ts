import { SdkError } from './errors.ts';

/**
 * What a failed connection means to who wants it, from what sockets and TLS report. A failure that
 * is explained already is passed on.
 */
export function explainFailure(error: Error, address: string): SdkError {
  if (error instanceof SdkError) return error;
  const code = String((error as NodeJS.ErrnoException).code ?? '');
  const explained = byCode.get(code) ?? byAlert(code);
  const [kind, why] = explained ?? (['CONNECTION_LOST', 'the connection broke'] as const);
  return new SdkError(kind, `${address}: ${why}`, { address, reason: code || error.message });
}

type Explanation = readonly [
  (
    | 'UNREACHABLE'
    | 'WRONG_NETWORK'
    | 'NOT_TLS'
    | 'SERVER_CERTIFICATE_INVALID'
    | 'CERTIFICATE_REFUSED'
    | 'CONNECTION_LOST'
  ),
  string,
];

const unreachable = (why: string): Explanation => ['UNREACHABLE', why];
const foreign: Explanation = [
  'WRONG_NETWORK',
  'the server is no node of the pinned network, or one that the network has not endorsed yet',
];
const notTls: Explanation = ['NOT_TLS', 'the server does not speak TLS 1.3'];
const refused: Explanation = ['CERTIFICATE_REFUSED', 'the server refused the client certificate'];

const byCode: ReadonlyMap<string, Explanation> = new Map([
  ['ECONNREFUSED', unreachable('nothing listens there')],
  ['ENOTFOUND', unreachable('the host name is unknown')],
  ['EAI_AGAIN', unreachable('the host name cannot be looked up now')],
  ['EHOSTUNREACH', unreachable('there is no route to the host')],
  ['ENETUNREACH', unreachable('there is no route to the host')],
  ['EADDRNOTAVAIL', unreachable('there is no local address to connect from')],
  ['ETIMEDOUT', unreachable('the host does not answer')],
  ['ENOENT', unreachable('nothing listens there')],
  ['DEPTH_ZERO_SELF_SIGNED_CERT', foreign],
  ['SELF_SIGNED_CERT_IN_CHAIN', foreign],
  ['UNABLE_TO_VERIFY_LEAF_SIGNATURE', foreign],
  ['UNABLE_TO_GET_ISSUER_CERT', foreign],
  ['UNABLE_TO_GET_ISSUER_CERT_LOCALLY', foreign],
  ['CERT_SIGNATURE_FAILURE', foreign],
  ['CERT_UNTRUSTED', foreign],
  ['CERT_REJECTED', foreign],
  ['INVALID_CA', foreign],
  ['INVALID_PURPOSE', foreign],
  ['PATH_LENGTH_EXCEEDED', foreign],
  ['CERT_HAS_EXPIRED', ['SERVER_CERTIFICATE_INVALID', 'the certificate of the node is expired']],
  ['CERT_NOT_YET_VALID', ['SERVER_CERTIFICATE_INVALID', 'the node certificate is not valid yet']],
  ['ERR_SSL_WRONG_VERSION_NUMBER', notTls],
  ['ERR_SSL_UNSUPPORTED_PROTOCOL', notTls],
  ['ERR_SSL_NO_PROTOCOLS_AVAILABLE', notTls],
  ['ERR_SSL_PACKET_LENGTH_TOO_LONG', notTls],
  ['ERR_SSL_TLSV1_ALERT_PROTOCOL_VERSION', notTls],
  ['EPROTO', notTls],
]);

/** OpenSSL names alerts with a prefix that differs by version: `TLSV1_ALERT_`, `SSL/TLS_ALERT_`. */
function byAlert(code: string): Explanation | undefined {
  if (!/^ERR_SSL_.*ALERT/.test(code)) return undefined;
  if (/CERTIFICATE|UNKNOWN_CA|ACCESS_DENIED|HANDSHAKE_FAILURE/.test(code)) return refused;
  return undefined;
}
