import { closeSync, openSync, readdirSync, readFileSync, readSync } from 'node:fs';
import { join } from 'node:path';

/** Something that was found where it was looked for. */
export interface Finding {
  /** File, process or connection. */
  readonly where: string;
  /** In which form. */
  readonly form: string;
}

/** The forms a text may take on its way: name and bytes of each. */
export type Forms = ReadonlyMap<string, Buffer>;

const windowBytes = 4 * 1024 * 1024;

/**
 * The forms of a secret text that a search looks for: as bytes, in hex of either case, in base64
 * at each of its three alignments, and in UTF-16 of either byte order.
 */
export function formsOf(text: string): Forms {
  const bytes = Buffer.from(text, 'utf8');
  const hex = bytes.toString('hex');
  const utf16 = Buffer.from(text, 'utf16le');
  const forms = new Map<string, Buffer>([
    ['utf8', bytes],
    ['hex', Buffer.from(hex)],
    ['HEX', Buffer.from(hex.toUpperCase())],
    ['utf16le', utf16],
    ['utf16be', Buffer.from(utf16).swap16()],
  ]);
  for (const shift of [0, 1, 2]) {
    // Characters that mix with what stands before or behind the text are left out.
    const base64 = Buffer.concat([Buffer.alloc(shift), bytes]).toString('base64');
    const whole = base64.slice(
      Math.ceil((shift * 8) / 6),
      Math.floor(((shift + bytes.length) * 8) / 6),
    );
    forms.set(`base64+${shift}`, Buffer.from(whole));
  }
  return forms;
}

/** Names of the forms that some bytes contain. */
export const formsIn = (bytes: Buffer, forms: Forms): string[] =>
  [...forms].filter(([, form]) => bytes.includes(form)).map(([name]) => name);

/** Searches every file under a directory. */
export function searchFiles(directory: string, forms: Forms): Finding[] {
  const findings: Finding[] = [];
  for (const entry of readdirSync(directory, { recursive: true, withFileTypes: true })) {
    if (!entry.isFile()) continue;
    const where = join(entry.parentPath, entry.name);
    for (const form of formsIn(readFileSync(where), forms)) findings.push({ where, form });
  }
  return findings;
}

/** What a search of a process's memory saw. */
export interface MemorySearch {
  readonly findings: readonly Finding[];
  /** Bytes that could be read and were searched. */
  readonly bytes: number;
}

/**
 * Searches the memory of a running process: every readable region of it that is not a read-only
 * image of a file (Linux only). The process goes on meanwhile, so what it moves just then may be
 * missed. With `first` the search ends at the first finding.
 */
export function searchMemory(
  pid: number,
  forms: Forms,
  options: { readonly first?: boolean } = {},
): MemorySearch {
  const longest = Math.max(...Array.from(forms.values(), ({ length }) => length));
  const buffer = Buffer.allocUnsafe(windowBytes);
  const found = new Map<string, Finding>();
  let bytes = 0;
  const memory = openSync(`/proc/${pid}/mem`, 'r');
  try {
    for (const { start, end, name } of regionsOf(pid)) {
      for (let at = start; at < end; ) {
        const length = readAt(memory, buffer, at, Math.min(windowBytes, end - at));
        if (length === 0) break;
        bytes += length;
        for (const form of formsIn(buffer.subarray(0, length), forms)) {
          found.set(`${name} ${form}`, { where: `process ${pid} ${name}`, form });
        }
        if (options.first && found.size > 0) return { findings: [...found.values()], bytes };
        // Windows overlap, so that nothing is cut in two.
        at += length === end - at ? length : Math.max(1, length - longest + 1);
      }
    }
  } finally {
    closeSync(memory);
  }
  return { findings: [...found.values()], bytes };
}

interface Region {
  readonly start: number;
  readonly end: number;
  readonly name: string;
}

function regionsOf(pid: number): Region[] {
  const maps = readFileSync(`/proc/${pid}/maps`, 'latin1');
  return maps.split('\n').flatMap((line) => {
    const match = /^([0-9a-f]+)-([0-9a-f]+) r(.)\S+ \S+ \S+ \d+\s*(.*)$/.exec(line);
    if (!match) return [];
    const [, start = '', end = '', write = '', name = ''] = match;
    // Regions of the kernel cannot be read.
    if (/^\[v(var|syscall|dso)/.test(name) || (name.startsWith('/') && write === '-')) return [];
    return [
      {
        start: Number.parseInt(start, 16),
        end: Number.parseInt(end, 16),
        name: name || 'anonymous memory',
      },
    ];
  });
}

/** Bytes read; 0 where the region cannot be read, for example because it has gone. */
function readAt(file: number, buffer: Buffer, at: number, length: number): number {
  try {
    return readSync(file, buffer, 0, length, BigInt(at));
  } catch {
    return 0;
  }
}
