/** Where a command writes, and how: tests give their own. */
export interface Terminal {
  readonly write: (text: string) => void;
  /** Colours and moving lines are for people at a terminal only. */
  readonly interactive: boolean;
}

/** Whether a stream may carry colours: a terminal that can show them (no-color.org). */
export const isForPeople = (stream: { readonly isTTY?: boolean }): boolean =>
  stream.isTTY === true && !process.env.NO_COLOR && process.env.TERM !== 'dumb';

/** The terminal of this process. */
export const processTerminal: Terminal = {
  write: (text) => {
    process.stdout.write(text);
  },
  interactive: isForPeople(process.stdout),
};

/** Where errors and progress of this process go. */
export const errorTerminal: Terminal = {
  write: (text) => {
    process.stderr.write(text);
  },
  interactive: isForPeople(process.stderr),
};

const codes = { bold: 1, dim: 2, red: 31, green: 32, yellow: 33, cyan: 36 } as const;

/** Colours a text where colours are shown. */
export const paint = (terminal: Terminal, style: keyof typeof codes, text: string): string =>
  terminal.interactive ? `\u001b[${codes[style]}m${text}\u001b[0m` : text;

/** How the cells after the first column stand: texts to the left, figures to the right. */
export type CellAlignment = 'left' | 'right';

/** A table of plain text under a header row; its first column is always left-aligned. */
export function renderTable(
  header: readonly string[],
  rows: readonly (readonly string[])[],
  alignment: CellAlignment = 'left',
): string {
  const widths = header.map((title, column) =>
    Math.max(title.length, ...rows.map((row) => (row[column] ?? '').length)),
  );
  const line = (cells: readonly string[]): string =>
    widths
      .map((width, column) => {
        const cell = cells[column] ?? '';
        return column > 0 && alignment === 'right' ? cell.padStart(width) : cell.padEnd(width);
      })
      .join('  ')
      .trimEnd();
  const rule = widths.map((width) => '─'.repeat(width)).join('  ');
  return [line(header), rule, ...rows.map(line)].map((text) => `  ${text}\n`).join('');
}

/** A duration as people say it. */
export const formatMs = (ms: number): string =>
  ms < 10
    ? `${ms.toFixed(1)} ms`
    : ms < 1_000
      ? `${Math.round(ms)} ms`
      : `${(ms / 1_000).toFixed(1)} s`;

/** A count with thousands separated. */
export const formatCount = (count: number): string => Math.round(count).toLocaleString('en-US');

/** Reports the steps of a long piece of work as they happen. */
export class Steps {
  readonly #terminal: Terminal;
  readonly #json: boolean;
  #startedMs = performance.now();
  #open: string | undefined;

  constructor(terminal: Terminal, options: { readonly json?: boolean } = {}) {
    this.#terminal = terminal;
    this.#json = options.json ?? false;
  }

  /** Announces what is being done; the next `done` closes it. */
  begin(text: string): void {
    this.#startedMs = performance.now();
    this.#open = text;
    if (this.#terminal.interactive && !this.#json) this.#terminal.write(`  … ${text}`);
  }

  /** Says what has been done, with how long it took. */
  done(text: string, fields: Readonly<Record<string, unknown>> = {}): void {
    const tookMs = performance.now() - this.#startedMs;
    if (this.#json) {
      this.#line({ step: text, tookMs: Math.round(tookMs), ...fields });
    } else {
      const mark = paint(this.#terminal, 'green', '✓');
      const took = paint(this.#terminal, 'dim', formatMs(tookMs));
      this.#terminal.write(`${this.#clear()}  ${mark} ${text} ${took}\n`);
    }
    this.#open = undefined;
    this.#startedMs = performance.now();
  }

  /** Says something that is no step. */
  note(text: string): void {
    if (this.#json) this.#line({ note: text });
    else this.#terminal.write(`${this.#clear()}    ${paint(this.#terminal, 'dim', text)}\n`);
  }

  /** A heading between groups of steps. */
  heading(text: string): void {
    if (!this.#json) this.#terminal.write(`\n${paint(this.#terminal, 'bold', text)}\n`);
  }

  /** Closes the open step as failed. */
  failed(): void {
    if (this.#open === undefined || this.#json) return;
    const mark = paint(this.#terminal, 'red', '✗');
    this.#terminal.write(`${this.#clear()}  ${mark} ${this.#open}\n`);
    this.#open = undefined;
  }

  #clear(): string {
    return this.#open !== undefined && this.#terminal.interactive ? '\r\u001b[2K' : '';
  }

  #line(fields: Readonly<Record<string, unknown>>): void {
    this.#terminal.write(`${JSON.stringify(fields)}\n`);
  }
}
