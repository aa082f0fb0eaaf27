import { fromPem, parseCertificate, verifyCertificateChain } from '@concordat/crypto';
import { emptyBytes, equalBytes, fromHex } from '@concordat/std';
import type { NodeEntry } from './constitution.ts';

/**
 * DER SPKI of a node, when its certificate is of that key and issued by the network; undefined
 * otherwise. Whoever reads a ledger with nothing but the network certificate accepts no other
 * leaders, so no ledger can name leaders of its own making.
 * @param networkCertificate DER
 * @throws CryptoError, TypeError: the entry does not have its form
 */
export function endorsedNodeKey(
  { certificate, publicKey }: Pick<NodeEntry, 'certificate' | 'publicKey'>,
  networkCertificate: Uint8Array,
): Uint8Array | undefined {
  const [leaf] = fromPem(certificate ?? '');
  if (!leaf) return undefined;
  const { notBeforeMs, spki } = parseCertificate(leaf);
  const verdict = verifyCertificateChain({
    leaf,
    intermediates: [],
    roots: [networkCertificate],
    // A ledger does not expire with the certificates of those who wrote it.
    atMs: notBeforeMs,
    usage: 'serverAuth',
  });
  const isEndorsed = verdict.ok && verdict.chain.length > 1;
  return isEndorsed && equalBytes(spki, fromHex(publicKey) ?? emptyBytes) ? spki : undefined;
}
