import { ceremonyOf, GovernanceError, newestCeremony, rerunCeremony } from '@concordat/governance';
import type { ReadView } from '@concordat/kv';
import { Violation } from './violation.ts';

/**
 * Runs every key ceremony of a ledger again from its record alone.
 * @returns how many there were, and how many failed
 * @throws Violation LEDGER_UNSOUND: a record does not come to the key that it names
 */
export function requireSoundCeremonies(view: ReadView): { held: number; failed: number } {
  const held = newestCeremony(view)?.number ?? 0;
  let failed = 0;
  for (let number = 1; number <= held; number++) {
    if (ceremonyOf(view, number)?.state === 'failed') failed += 1;
    try {
      rerunCeremony(view, number);
    } catch (error) {
      if (!(error instanceof GovernanceError)) throw error;
      throw new Violation('LEDGER_UNSOUND', error.message);
    }
  }
  return { held, failed };
}
