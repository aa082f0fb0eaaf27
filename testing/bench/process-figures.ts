import { readdirSync, readFileSync } from 'node:fs';

/** Ticks of `/proc/<pid>/stat` a second (USER_HZ), 100 on every Linux this runs on. */
const ticksPerSecond = 100;

/**
 * Processor time of a process from the text of its `/proc/<pid>/stat`, microseconds, user and
 * system together (proc(5), fields 14 and 15); undefined when the text is none.
 */
export function cpuMicrosOf(stat: string): number | undefined {
  // The program's name stands in brackets and may itself hold blanks and brackets.
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  const ticks = Number(fields[11]) + Number(fields[12]);
  return Number.isFinite(ticks) ? (ticks * 1e6) / ticksPerSecond : undefined;
}

/** Parent of a process from its `/proc/<pid>/stat` (field 4). */
export const parentOf = (stat: string): number =>
  Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[1]);

/** Peak resident memory from the text of `/proc/<pid>/status`, bytes; 0 without the line. */
export const peakBytesOf = (status: string): number =>
  Number(/^VmHWM:\s+(\d+) kB$/m.exec(status)?.[1] ?? 0) * 1024;

/** Present resident memory from the text of `/proc/<pid>/status`, bytes; 0 without the line. */
export const residentBytesOf = (status: string): number =>
  Number(/^VmRSS:\s+(\d+) kB$/m.exec(status)?.[1] ?? 0) * 1024;

/** What a process and those it started have used. */
export interface ProcessFigures {
  readonly cpuMicros: number;
  /** The largest of them, at its largest. */
  readonly peakBytes: number;
  /** The largest of them now. */
  readonly residentBytes: number;
}

/**
 * Figures of a process and those below it, since a jail puts processes between; without the
 * processes listed in `others`, and what is below them.
 */
export function figuresOf(pid: number, others: readonly number[] = []): ProcessFigures {
  let cpuMicros = 0;
  let peakBytes = 0;
  let residentBytes = 0;
  for (const member of withDescendants(pid, others)) {
    cpuMicros += cpuMicrosOf(read(member, 'stat')) ?? 0;
    const status = read(member, 'status');
    peakBytes = Math.max(peakBytes, peakBytesOf(status));
    residentBytes = Math.max(residentBytes, residentBytesOf(status));
  }
  return { cpuMicros, peakBytes, residentBytes };
}

/** A process and those below it, without those listed in `others` and what is below them. */
export function withDescendants(pid: number, others: readonly number[] = []): readonly number[] {
  const children = new Map<number, number[]>();
  for (const name of readdirSync('/proc')) {
    if (!/^\d+$/.test(name) || others.includes(Number(name))) continue;
    const parent = parentOf(read(Number(name), 'stat'));
    const siblings = children.get(parent);
    if (siblings) siblings.push(Number(name));
    else children.set(parent, [Number(name)]);
  }
  const found = [pid];
  for (const member of found) found.push(...(children.get(member) ?? []));
  return found;
}

/** Empty when the process has ended. */
function read(pid: number, file: 'stat' | 'status'): string {
  try {
    return readFileSync(`/proc/${pid}/${file}`, 'latin1');
  } catch {
    return '';
  }
}

/** Load average of the last minute. */
export const loadAverage = (): number =>
  Number(readFileSync('/proc/loadavg', 'latin1').split(' ', 1)[0]);
