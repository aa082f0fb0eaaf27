import { currentSharedKey, networkKeyRow, recordNetworkKey } from '@concordat/governance';
import { networkIdentityLabel } from '@concordat/keys';
import type { TransactionSet } from '@concordat/kv';
import { type EpochQuestion, refusalOf } from './epoch-rehearsal.ts';
import type { Findings } from './findings.ts';
import { tableNames } from './framework-tables.ts';

/**
 * Judges what a block records of the network's private key, and takes it over into the rehearsal: it is
 * written with the first block, and anew when a fresh shared key took the place of the one it is
 * encrypted to; each time as one ciphertext for this network and that shared key, and none beside it.
 * What is in the ciphertext no auditor can tell.
 */
export function rehearseNetworkKey(
  set: TransactionSet,
  { block, deed, networkId }: EpochQuestion,
  findings: Findings,
): void {
  const written = block.recorded.rows(tableNames.networkKey);
  const wrong = (message: string, cause?: string): void =>
    findings.defect('keys', 'INVALID_NETWORK_KEY', cause ? { message, cause } : { message });
  if (written.size === 0) {
    if (deed.kind === 'genesis') wrong("the first block does not have the network's private key");
    return;
  }
  const known = networkKeyRow(set);
  const shared = currentSharedKey(set);
  const number = shared?.number ?? 0;
  const ciphertext = written.get(digits(number));
  if (!shared || !ciphertext || (known && known.keyNumber >= number)) {
    wrong(`the network's private key is written, and not for a shared key that is fresh`);
    return;
  }
  const refusal = refusalOf(ciphertext, networkIdentityLabel({ networkId, keyId: shared.key.id }));
  if (refusal) wrong(`the network's private key: ${refusal.message}`, refusal.cause);
  recordNetworkKey(set, { keyNumber: number, ciphertext });
  const others = [...written].filter(([key]) => key !== digits(number));
  const isAlone = others.every(([key, value]) => !value && key === digits(known?.keyNumber ?? 0));
  if (!isAlone || others.length !== (known ? 1 : 0)) {
    wrong("the network's private key is kept under more than one shared key");
  }
  findings.examined('keys', 'networkKeys');
}

const digits = (number: number): string => String(number).padStart(16, '0');
