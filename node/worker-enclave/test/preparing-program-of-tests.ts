import { fromUtf8, utf8 } from '@concordat/std';
import type { LedgerAdapter } from '../adapter.ts';
import { servePreparations } from '../preparing-program.ts';

let prepared = 0;

/** Commands as text, prepared to `<text>!`; some do the thread harm. */
const adapter = {
  id: 'words',
  preparation: {
    maxBytes: 1_000,
    prepare: (raw: Uint8Array) => {
      const text = fromUtf8(raw);
      prepared += 1;
      if (text === 'throw') throw new Error('a mistake');
      if (text === 'exit') process.exit(3);
      if (text === 'hang') for (;;);
      if (text === 'count') return utf8(`${prepared}`);
      return utf8(`${text}!`);
    },
  },
} as unknown as LedgerAdapter;

servePreparations([adapter]);
