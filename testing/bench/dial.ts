/** What the speedometer shows. */
export interface DialReading {
  readonly perSecond: number;
  readonly average: number;
  /** Right end of the scale. */
  readonly fullScale: number;
  /** The mark to pass, and its name. */
  readonly mark: number;
}

const columns = 46;
const rows = 12;
const centreX = columns;
const centreY = rows * 4 - 4;
const radius = 43;
/** Dots of a Braille cell by column and row (Unicode 10.0, Braille Patterns). */
const dots = [
  [0x01, 0x02, 0x04, 0x40],
  [0x08, 0x10, 0x20, 0x80],
] as const;

/** A drawing of two by four dots a character. */
class BrailleCanvas {
  readonly #cells = new Uint8Array(columns * rows);

  dot(x: number, y: number): void {
    const [column, row] = [Math.round(x) >> 1, Math.round(y) >> 2];
    if (column < 0 || column >= columns || row < 0 || row >= rows) return;
    const bit = dots[(Math.round(x) & 1) as 0 | 1][(Math.round(y) & 3) as 0 | 1 | 2 | 3];
    this.#cells[row * columns + column] = (this.#cells[row * columns + column] as number) | bit;
  }

  /** A ray from the centre of the dial, between two distances. */
  ray(angle: number, from: number, to: number): void {
    for (let r = from; r <= to; r += 0.5) {
      this.dot(centreX + r * Math.cos(angle), centreY - r * Math.sin(angle));
    }
  }

  /** An arc around the centre of the dial. */
  arc(from: number, to: number, r: number): void {
    for (let angle = from; angle <= to; angle += 0.5 / r) {
      this.dot(centreX + r * Math.cos(angle), centreY - r * Math.sin(angle));
    }
  }

  lines(): string[] {
    return Array.from({ length: rows }, (_, row) => {
      const cells = this.#cells.subarray(row * columns, (row + 1) * columns);
      return String.fromCodePoint(...Array.from(cells, (cell) => 0x2800 + cell));
    });
  }
}

/** Angle of a value: the left end is zero, the right end the full scale; it never goes beyond. */
export const angleOf = (value: number, fullScale: number): number =>
  Math.PI * (1 - Math.min(1, Math.max(0, value / fullScale)));

/** The dial as lines of text: a half circle with ticks, the mark to pass, and the needle. */
export function drawDial({ perSecond, average, fullScale, mark }: DialReading): string[] {
  const canvas = new BrailleCanvas();
  canvas.arc(0, Math.PI, radius);
  for (let tick = 0; tick <= 8; tick++) {
    canvas.ray(angleOf(tick, 8), radius - (tick % 2 === 0 ? 5 : 3), radius);
  }
  // The stretch still to go to the mark is doubled: beyond it is where we want the needle.
  const markAngle = angleOf(mark, fullScale);
  canvas.arc(markAngle, Math.PI, radius - 2);
  canvas.ray(markAngle, radius - 10, radius);
  canvas.ray(angleOf(average, fullScale), radius - 8, radius - 5);
  canvas.ray(angleOf(perSecond, fullScale), 3, radius - 11);
  for (let r = 0; r <= 3; r++) canvas.arc(0, 2 * Math.PI, r + 0.1);
  const lines = canvas.lines();
  const scale = `0${`${fullScale.toLocaleString('en-US')} tx/s`.padStart(columns - 1)}`;
  return [...lines, scale];
}

const bars = '▁▂▃▄▅▆▇█';

/** A line of bars, the newest at the right. */
export function sparkline(values: readonly number[], width: number): string {
  const shown = values.slice(-width);
  const top = Math.max(1, ...shown);
  return shown
    .map((value) => bars[Math.min(7, Math.floor((Math.max(0, value) / top) * 7.999))])
    .join('');
}

/** Right end of a scale that holds a value: 4,000 or the next doubling. */
export function fullScaleFor(value: number): number {
  let scale = 4_000;
  while (value > scale) scale *= 2;
  return scale;
}
