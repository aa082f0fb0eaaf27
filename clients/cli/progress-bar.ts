import { formatCount, paint, type Terminal } from './terminal.ts';

const barWidth = 24;
const redrawMs = 100;

/** How far a long piece of work is. */
export interface Progress {
  readonly done: number;
  readonly total: number;
  /** Beside the bar. */
  readonly figures: string;
}

/** A bar for people at a terminal; nothing for others. */
export class ProgressBar {
  readonly #terminal: Terminal;
  #drawnMs = 0;
  #isDrawn = false;

  constructor(terminal: Terminal) {
    this.#terminal = terminal;
  }

  /** Draws, at most ten times a second. */
  show({ done, total, figures }: Progress): void {
    const nowMs = performance.now();
    if (!this.#terminal.interactive || nowMs - this.#drawnMs < redrawMs) return;
    this.#drawnMs = nowMs;
    this.#isDrawn = true;
    const share = total > 0 ? Math.min(1, done / total) : 0;
    const filled = Math.round(share * barWidth);
    const bar = `${'█'.repeat(filled)}${'░'.repeat(barWidth - filled)}`;
    const percent = `${Math.floor(share * 100)}`.padStart(3);
    const beside = paint(this.#terminal, 'dim', figures);
    this.#terminal.write(`\r  ${bar} ${percent} %  ${beside}\u001b[K`);
  }

  /** Takes the bar away. */
  clear(): void {
    if (this.#isDrawn) this.#terminal.write('\r\u001b[2K');
    this.#isDrawn = false;
  }
}

/** So many a second, since an instant of `performance.now()`. */
export const rateOf = (count: number, sinceMs: number): string =>
  formatCount((count * 1000) / Math.max(1, performance.now() - sinceMs));
