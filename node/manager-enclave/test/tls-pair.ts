import { once } from 'node:events';
import { duplexPair } from 'node:stream';
import { connect, createSecureContext, TLSSocket } from 'node:tls';
import type { NodeIdentity } from '../node-identity.ts';

const optionsOf = (identity: NodeIdentity) => ({
  key: identity.signing.toPkcs8Pem(),
  cert: identity.selfSignedCertificate,
});

/** Two ends of a real TLS 1.3 connection without a port: who dialled, and who was called. */
export async function tlsPair(
  dialling: NodeIdentity,
  called: NodeIdentity,
): Promise<[TLSSocket, TLSSocket]> {
  const [left, right] = duplexPair();
  const server = new TLSSocket(right as never, {
    isServer: true,
    requestCert: true,
    rejectUnauthorized: false,
    secureContext: createSecureContext({ ...optionsOf(called), minVersion: 'TLSv1.3' }),
  });
  const client = connect({
    socket: left,
    rejectUnauthorized: false,
    minVersion: 'TLSv1.3',
    ...optionsOf(dialling),
  });
  for (const socket of [server, client]) socket.on('error', () => undefined);
  await Promise.all([once(client, 'secureConnect'), once(server, 'secure')]);
  return [client, server];
}
