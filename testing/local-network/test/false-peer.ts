import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { connect } from 'node:tls';
import { reportData } from '@concordat/attestation';
import { FrameConnection, frameBuilder } from '@concordat/bridge';
import { createSigningKey, issueCertificate, toPem } from '@concordat/crypto';
import { VirtualPlatform } from '@concordat/host';
import { BinaryReader, CodedError, toDigest, toEpoch, utf8 } from '@concordat/std';

/** What a false peer claims. */
export interface FalseClaims {
  /** Port of the node channel it calls. */
  readonly port: number;
  /** File of its platform key. */
  readonly platformKeyFile: string;
  /** Measurement its platform vouches for. */
  readonly measurement: string;
  readonly role: 'joiner' | 'resumer' | 'peer';
  readonly networkId: string;
  /** Key its evidence is bound to; default that of the channel. */
  readonly boundKey?: Uint8Array;
  /** What it asks once admitted. */
  readonly ask?: { readonly kind: string; readonly body: (publicKey: Uint8Array) => object };
}

const types = { challenge: 1, proof: 2, refusal: 3, accepted: 4, request: 11, response: 12 };

/**
 * Speaks the node channel's protocol with claims of one's choice, as a dishonest host could with a
 * platform of its own. Resolves with the code of the refusal, or `ACCEPTED`.
 */
export async function falsePeer(claims: FalseClaims): Promise<string> {
  const key = createSigningKey(randomBytes(32));
  const certificate = issueCertificate({
    subject: { commonName: 'false peer' },
    publicKeySpki: key.publicKeySpki,
    issuer: { key },
    serial: Buffer.of(1, 2, 3),
    notBeforeMs: Date.now() - 60_000,
    notAfterMs: Date.now() + 3_600_000,
    isCa: false,
    usages: ['clientAuth', 'serverAuth'],
  });
  const platform = await VirtualPlatform.open(claims.platformKeyFile);
  const socket = connect({
    port: claims.port,
    key: key.toPkcs8Pem(),
    cert: toPem(certificate),
    rejectUnauthorized: false,
    minVersion: 'TLSv1.3',
  });
  await once(socket, 'secureConnect');
  const { promise, resolve } = Promise.withResolvers<string>();
  const timer = setTimeout(() => resolve('SILENCE'), 60_000);
  const accepted = { mine: false, theirs: false };

  const prove = (body: Buffer): void => {
    const reader = new BinaryReader(body);
    reader.text();
    const networkId = reader.text();
    const ledgerRoot = toDigest(Buffer.from(reader.raw(32)));
    const data = reportData({
      domain: 'node',
      networkId,
      publicKeySpki: claims.boundKey ?? key.publicKeySpki,
      ledgerRoot,
      epoch: toEpoch(reader.u64()),
    });
    const evidence = platform.evidence(claims.measurement, data);
    connection.send(frameBuilder.begin(types.proof).raw(evidence).finish());
  };
  const ask = (): void => {
    if (!accepted.mine || !accepted.theirs) return;
    if (!claims.ask) {
      resolve('ACCEPTED');
      return;
    }
    const { kind, body } = claims.ask;
    const frame = frameBuilder.begin(types.request).u32(1).text(kind);
    connection.send(frame.raw(utf8(JSON.stringify(body(key.publicKeySpki)))).finish());
  };
  const connection: FrameConnection = new FrameConnection(socket, {
    onFrame: ({ type, body }) => {
      if (type === types.challenge) prove(body);
      if (type === types.refusal) resolve(new BinaryReader(body).text());
      if (type === types.proof) {
        connection.send(frameBuilder.begin(types.accepted).finish());
        accepted.mine = true;
        ask();
      }
      if (type === types.accepted) {
        accepted.theirs = true;
        ask();
      }
      if (type === types.response) resolve(codeOf(body));
    },
    onClose: (error) => resolve(error instanceof CodedError ? error.code : 'CLOSED'),
  });
  const frame = frameBuilder.begin(types.challenge).text(claims.role).text(claims.networkId);
  connection.send(frame.raw(randomBytes(32)).u64(0).finish());
  const code = await promise;
  clearTimeout(timer);
  connection.close();
  return code;
}

function codeOf(body: Buffer): string {
  const reader = new BinaryReader(body);
  reader.u32();
  if (reader.u8() === 1) return 'ACCEPTED';
  return (JSON.parse(reader.raw(reader.remaining).toString('utf8')) as { code: string }).code;
}
