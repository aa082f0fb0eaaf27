import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { type Room, readRooms, root, type SourceFile } from '../rooms.ts';

const rooms = readRooms();
const byName = new Map(rooms.map((room) => [room.name, room]));
const sources = rooms.flatMap((room) => room.files.map((file) => ({ room, file })));

/** Wings from the ground up: an arrow may only fall, or stay within its wing without a circle. */
const wings = ['core', 'node', 'adapters', 'clients', 'testing'];
const reachableWings: Readonly<Record<string, readonly string[]>> = {
  core: ['core'],
  node: ['core', 'node'],
  adapters: ['core', 'node', 'adapters'],
  clients: ['core', 'clients'],
  testing: wings,
};

function none(faults: readonly string[], law: string): void {
  assert.equal(faults.length, 0, `${law}\n  ${faults.join('\n  ')}`);
}

test('arrows fall: a room reaches only wings below its own', () => {
  const faults = rooms.flatMap((room) =>
    room.declared
      .filter((name) => {
        const wing = byName.get(name)?.wing;
        return !wing || !reachableWings[room.wing]?.includes(wing);
      })
      .map((name) => `${room.path} -> ${name}`),
  );
  none(faults, 'arrows between wings');
});

test('the arrows drawn in the design hold room by room', () => {
  const allowed: Readonly<Record<string, readonly string[]>> = {
    'core/std': [],
    'core/consensus': ['std'],
    'node/host': ['std', 'bridge'],
    'node/bridge': ['std'],
  };
  const forbidden: Readonly<Record<string, readonly string[]>> = {
    'node/worker-enclave': ['keys', 'governance', 'consensus', 'ledger', 'manager-enclave'],
    adapters: ['keys', 'governance', 'consensus', 'ledger', 'manager-enclave'],
  };
  const faults: string[] = [];
  for (const room of rooms) {
    for (const name of room.declared) {
      const short = name.slice('@concordat/'.length);
      if (allowed[room.path] && !allowed[room.path]?.includes(short)) {
        faults.push(`${room.path} -> ${name}`);
      }
      if ((forbidden[room.path] ?? forbidden[room.wing])?.includes(short)) {
        faults.push(`${room.path} -> ${name}`);
      }
    }
  }
  none(faults, 'arrows of single rooms');
});

test('there is no circle between rooms', () => {
  const done = new Set<string>();
  const faults: string[] = [];
  const visit = (room: Room, trail: readonly string[]): void => {
    if (trail.includes(room.name)) {
      faults.push([...trail.slice(trail.indexOf(room.name)), room.name].join(' -> '));
      return;
    }
    if (done.has(room.name)) return;
    for (const name of room.declared) {
      const next = byName.get(name);
      if (next) visit(next, [...trail, room.name]);
    }
    done.add(room.name);
  };
  for (const room of rooms) visit(room, []);
  none(faults, 'circles');
});

test('there is no circle between files of a room', () => {
  const faults: string[] = [];
  for (const room of rooms) {
    const files = new Map(room.files.map((file) => [file.path, file]));
    const state = new Map<string, 'open' | 'done'>();
    const visit = (path: string, trail: readonly string[]): void => {
      if (state.get(path) === 'done') return;
      if (state.get(path) === 'open') {
        faults.push([...trail.slice(trail.indexOf(path)), path].join(' -> '));
        return;
      }
      state.set(path, 'open');
      for (const specifier of valueImports(files.get(path)?.text ?? '')) {
        const target = join(path, '..', specifier);
        if (files.has(target)) visit(target, [...trail, path]);
      }
      state.set(path, 'done');
    };
    for (const file of room.files) visit(file.path, []);
  }
  none(faults, 'circles between files');
});

/** Relative modules imported for more than their types. */
const valueImports = (text: string): string[] =>
  [...text.matchAll(/(?:^|\n)(?:import|export)\s+(?!type\b)[^;'"]*?from\s+'(\.[^']+)'/g)].map(
    (match) => match[1] as string,
  );

test('a room imports only what its package.json declares, and other rooms by their door', () => {
  const faults: string[] = [];
  for (const { room, file } of sources) {
    for (const specifier of file.imports) {
      if (specifier.startsWith('node:')) continue;
      if (specifier.startsWith('.')) {
        const target = join(file.path, '..', specifier);
        if (!target.startsWith(`${room.path}/`) && !file.isTest) {
          faults.push(`${file.path}: ${specifier} leaves the room`);
        }
        continue;
      }
      const parts = specifier.split('/');
      const name = specifier.startsWith('@') ? parts.slice(0, 2).join('/') : (parts[0] as string);
      const known = room.declared.includes(name) || room.thirdParty.includes(name);
      // Tests may use other rooms and the development tools of the root.
      if (!known && !file.isTest) faults.push(`${file.path}: ${specifier} is not declared`);
      if (name.startsWith('@concordat/') && parts.length > 2) {
        faults.push(`${file.path}: ${specifier} bypasses the door`);
      }
    }
  }
  none(faults, 'imports');
});

test('core rooms do no input or output and take time and entropy as arguments', () => {
  const forbidden = [
    /from 'node:(?!crypto|buffer)/,
    /\bDate\.now\(/,
    /\bnew Date\(\)/,
    /\bMath\.random\(/,
    /\bconsole\./,
    /\bprocess\./,
    /\bsetTimeout\(|\bsetInterval\(|\bsetImmediate\(/,
  ];
  const faults = sources
    .filter(({ room, file }) => room.wing === 'core' && !file.isTest)
    .flatMap(({ room, file }) =>
      [...forbidden, ...(room.path === 'core/crypto' ? [] : [/from 'node:crypto'/])]
        .filter((pattern) => pattern.test(withoutComments(file.text)))
        .map((pattern) => `${file.path}: ${pattern.source}`),
    );
  none(faults, 'purity of core');
});

const withoutComments = (text: string): string =>
  text.replace(/\/\*[\s\S]*?\*\//g, '').replace(/(^|\s)\/\/.*$/gm, '$1');

// Written out in full so that what they work on stays in locals: measured faster than anything shorter.
const writtenOut = [
  'adapters/evm/assembly/interpreter.ts: run',
  'adapters/evm/assembly/keccak.ts: permute',
];

test('files and functions keep their size', () => {
  const faults: string[] = [];
  for (const { file } of sources) {
    const lines = file.text.split('\n');
    if (lines.length > 501) faults.push(`${file.path}: ${lines.length} lines (at most 500)`);
    for (const [name, length] of longFunctions(lines)) {
      if (length <= 70 || file.isTest || writtenOut.includes(`${file.path}: ${name}`)) continue;
      faults.push(`${file.path}: ${name} has ${length} lines`);
    }
  }
  none(faults, 'sizes');
});

/** Functions and methods by the indentation of their first and last lines. */
function longFunctions(lines: readonly string[]): [string, number][] {
  const found: [string, number][] = [];
  const head =
    /^(\s*)(?:export )?(?:async )?(?:function\*? (\w+)|(?:static |override |async |get |set |\*)*(#?\w+)\s*(?:<[^>]*>)?\()/;
  for (let at = 0; at < lines.length; at++) {
    const match = head.exec(lines[at] as string);
    if (!match || /^\s*(if|for|while|switch|return|test|describe)\b/.test(lines[at] as string)) {
      continue;
    }
    const signature = lines.findIndex((line, index) => index >= at && /[{;]$/.test(line));
    if (!/\)(: .+)? \{$/.test(lines[signature] ?? '')) continue;
    const closing = `${match[1]}}`;
    const end = lines.findIndex((line, index) => index >= signature && line.startsWith(closing));
    if (end > at) found.push([(match[2] ?? match[3]) as string, end - at + 1]);
  }
  return found;
}

test('every export has a docstring', () => {
  const faults: string[] = [];
  for (const { file } of sources) {
    if (file.isTest || file.path.endsWith('index.ts')) continue;
    const lines = file.text.split('\n');
    lines.forEach((line, at) => {
      if (!/^export (?!\{|\*|type \{|default)/.test(line)) return;
      let before = at - 1;
      while (before >= 0 && /^\s*\/\/ biome-ignore/.test(lines[before] as string)) before--;
      if (!/\*\/\s*$/.test(lines[before] ?? '')) faults.push(`${file.path}:${at + 1}: ${line}`);
    });
  }
  none(faults, 'docstrings');
});

// The engine is used by strangers without the rest, and its README is all they have.
const longReadmes = ['adapters/evm'];

test('every room has a README of at most 15 lines and a door', () => {
  const faults: string[] = [];
  for (const room of rooms) {
    const readme = join(root, room.path, 'README.md');
    if (!existsSync(readme)) {
      faults.push(`${room.path}: no README.md`);
      continue;
    }
    const lines = readFileSync(readme, 'utf8').trimEnd().split('\n').length;
    if (lines > 15 && !longReadmes.includes(room.path))
      faults.push(`${room.path}/README.md: ${lines} lines`);
    if (!existsSync(join(root, room.path, 'index.ts'))) faults.push(`${room.path}: no index.ts`);
  }
  none(faults, 'READMEs');
});

test('no file hides behind a name that says nothing, and nothing is left open in a comment', () => {
  const faults: string[] = [];
  for (const { file } of sources) {
    if (/(^|\/)(utils?|common|helpers?|misc)(\.ts|\/)/.test(file.path)) faults.push(file.path);
    if (isThisFile(file)) continue;
    const open = /\/\/.*\b(TODO|FIXME|XXX)\b/.exec(file.text);
    if (open) faults.push(`${file.path}: ${open[0].trim()}`);
  }
  none(faults, 'names and open ends');
});

test('one word per idea: the words the glossary rules out are nowhere', () => {
  const ruledOut = /\b(whitelist|blacklist|master|slave|sanity check|dummy)\b/i;
  const faults = sources
    .filter(({ file }) => !isThisFile(file))
    .flatMap(({ file }) =>
      file.text
        .split('\n')
        .map((line, at) => ({ line, at }))
        .filter(({ line }) => ruledOut.test(line))
        .map(({ line, at }) => `${file.path}:${at + 1}: ${line.trim()}`),
    );
  none(faults, 'words');
});

const isThisFile = (file: SourceFile): boolean => file.path.startsWith('testing/tidy/');

test('third-party code in the trusted code base is justified in its room', () => {
  const faults: string[] = [];
  for (const room of rooms) {
    if (room.wing !== 'core' && room.path !== 'node/manager-enclave') continue;
    const readme = readFileSync(join(root, room.path, 'README.md'), 'utf8');
    for (const name of room.thirdParty) {
      if (!readme.includes(`\`${name}\``)) faults.push(`${room.path}: ${name}`);
    }
  }
  none(faults, 'dependencies without a sentence');
});
