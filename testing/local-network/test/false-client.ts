import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { connect as connectTls } from 'node:tls';
import { createSigningKey, issueCertificate, subjectOf, toPem } from '@concordat/crypto';
import { createIdentity, type Identity } from '@concordat/sdk';

const hourMs = 3_600_000;

/** What is wrong with a certificate under an organisation; times are hours from now. */
export interface Fault {
  readonly fromHours?: number;
  readonly untilHours?: number;
  readonly usage?: 'clientAuth' | 'serverAuth';
  /** Its last byte, which is part of the signature, is another one. */
  readonly forged?: boolean;
}

/** A certificate that names an organisation as its issuer, with a fault of one's choice. */
export function faultyStaff(organisation: Identity, fault: Fault): Identity {
  const key = createSigningKey(randomBytes(32));
  const issuerKey = organisation.signingKey;
  if (!issuerKey) throw new TypeError('the organisation cannot sign');
  const nowMs = Date.now();
  const der = issueCertificate({
    subject: { ...subjectOf(organisation.certificateDer), commonName: 'staff' },
    publicKeySpki: key.publicKeySpki,
    issuer: { certificateDer: organisation.certificateDer, key: issuerKey },
    serial: Buffer.concat([Buffer.of(1), randomBytes(8)]),
    notBeforeMs: nowMs + (fault.fromHours ?? -1) * hourMs,
    notAfterMs: nowMs + (fault.untilHours ?? 24) * hourMs,
    isCa: false,
    usages: [fault.usage ?? 'clientAuth'],
  });
  if (fault.forged) der[der.length - 1] = (der.at(-1) as number) ^ 1;
  return createIdentity(toPem(der) + organisation.certificatePem, key.toPkcs8Pem());
}

/** A TCP connection whose errors are nobody's concern. */
export async function openTcp(port: number): Promise<Socket> {
  const socket = connect({ port, host: '127.0.0.1', allowHalfOpen: true });
  socket.on('error', () => undefined);
  socket.resume();
  await once(socket, 'connect');
  return socket;
}

/** A finished TLS handshake, with or without a certificate. */
export async function openTls(port: number, identity?: Identity): Promise<Socket> {
  const socket = connectTls({
    port,
    host: '127.0.0.1',
    rejectUnauthorized: false,
    minVersion: 'TLSv1.3',
    ...(identity && { cert: identity.certificatePem, key: identity.keyPem }),
  });
  socket.on('error', () => undefined);
  socket.resume();
  await once(socket, 'secureConnect');
  return socket;
}
