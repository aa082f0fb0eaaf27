import type { SharedKeyState, SharedKeysState, SharingState } from '@concordat/api';
import { paint, renderTable, type Terminal } from './terminal.ts';

/** The shared keys, for people. */
export function sharedKeysText(terminal: Terminal, state: SharedKeysState): string {
  const { epoch, keys, ceremony, outOfReach } = state;
  const parts = [`Epoch ${epoch} is in force.\n`];
  for (const [at, key] of keys.entries()) {
    const use = at === 0 ? 'seals the keys of new epochs' : 'sealed the keys of earlier epochs';
    const heading = paint(terminal, 'bold', `Key ${key.number}`);
    parts.push(`\n${heading} ${use}\n${sharingsText(terminal, key)}`);
    if (outOfReach.includes(key.number)) {
      const why = 'too few of today’s members hold shares of it: its epochs need recovery copies';
      parts.push(`  ${paint(terminal, 'yellow', why)}\n`);
    }
  }
  if (ceremony) {
    const { purpose, reason, key, state: stands } = ceremony;
    const what = purpose === 'fresh' ? `a new key ${key}` : `key ${key} dealt anew`;
    parts.push(`\nA key ceremony is ${stands}: ${what} (${reason}).\n`);
  }
  return parts.join('');
}

/** The newest sharing, and older ones of which there are copies. */
function sharingsText(terminal: Terminal, { sharings }: SharedKeyState): string {
  const newest = sharings.at(-1);
  const told = sharings.filter(
    (sharing) => sharing === newest || sharing.holders.some(({ copies }) => copies > 0),
  );
  const rows = told
    .toReversed()
    .flatMap((sharing) =>
      sharing.holders.map(({ name, copies, copiedAtSeconds }, at) => [
        at === 0 ? `sharing ${sharing.number}${sharing === newest ? '' : ', earlier'}` : '',
        at === 0 ? `${sharing.threshold} of ${sharing.holders.length}` : '',
        name,
        copies === 0
          ? '-'
          : `${dayOf(copiedAtSeconds ?? 0)}${copies > 1 ? `, ${copies} times` : ''}`,
      ]),
    );
  const table = renderTable(['', 'it takes', 'holder', 'copy given'], rows);
  return `${table}  ${copiesText(terminal, told)}\n`;
}

/** Whether the copies outside would do without any node. */
function copiesText(terminal: Terminal, sharings: readonly SharingState[]): string {
  const enough = sharings.find(({ threshold, holders }) => outside(holders) >= threshold);
  if (enough) {
    const said = `the copies of sharing ${enough.number} are enough to read it without any node`;
    return paint(terminal, 'green', said);
  }
  const newest = sharings.at(-1);
  if (!newest) return '';
  const lacking = newest.threshold - outside(newest.holders);
  const said = `${lacking} more ${lacking === 1 ? 'copy' : 'copies'} of sharing ${newest.number} would be enough to read it without any node`;
  return paint(terminal, 'yellow', said);
}

const outside = (holders: SharingState['holders']): number =>
  holders.filter(({ copies }) => copies > 0).length;

const dayOf = (seconds: number): string =>
  seconds <= 8.64e12 ? new Date(seconds * 1000).toISOString().slice(0, 10) : String(seconds);
