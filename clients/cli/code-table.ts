import type { CodeEntry } from '@concordat/governance';
import { renderTable } from './terminal.ts';

/** The code manifest; measurements stay whole, as people compare them. */
export const codeTable = (codeManifest: readonly CodeEntry[]): string =>
  renderTable(
    ['code', 'role', 'version', 'adapters', 'measurement'],
    codeManifest.map(({ name, role, version, adapters = [], measurement }) => [
      name,
      role,
      version,
      adapters.join(', '),
      measurement,
    ]),
  );
