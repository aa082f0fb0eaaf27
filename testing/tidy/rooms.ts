import { globSync, readFileSync } from 'node:fs';
import { dirname, join, relative, resolve } from 'node:path';

/** One room of the house, as its files say. */
export interface Room {
  /** `wing/room` */
  readonly path: string;
  /** `@concordat/room` */
  readonly name: string;
  readonly wing: string;
  /** Names of the rooms its package.json allows it to reach. */
  readonly declared: readonly string[];
  /** Third-party packages its package.json names for its own code. */
  readonly thirdParty: readonly string[];
  /** Its TypeScript files, tests included, relative to the root. */
  readonly files: readonly SourceFile[];
}

/** One TypeScript file. */
export interface SourceFile {
  readonly path: string;
  readonly text: string;
  readonly isTest: boolean;
  /** Module specifiers it imports, type-only ones included. */
  readonly imports: readonly string[];
}

/** Root of the repository. */
export const root = resolve(import.meta.dirname, '../..');

const importPattern =
  /(?:^|\n)\s*(?:import|export)\b[^'"`;]*?from\s+'([^']+)'|import\('([^']+)'\)|(?:^|\n)import\s+'([^']+)'/g;

/** Reads every room of every wing. */
export function readRooms(): Room[] {
  const manifests = globSync('{core,node,adapters,clients,testing}/*/package.json', { cwd: root });
  return manifests.sort().map((manifest) => {
    const path = dirname(manifest);
    const json = JSON.parse(readFileSync(join(root, manifest), 'utf8')) as {
      name: string;
      dependencies?: Record<string, string>;
    };
    const dependencies = Object.keys(json.dependencies ?? {});
    return {
      path,
      name: json.name,
      wing: path.split('/')[0] as string,
      declared: dependencies.filter((name) => name.startsWith('@concordat/')),
      thirdParty: dependencies.filter((name) => !name.startsWith('@concordat/')),
      files: readFiles(path),
    };
  });
}

function readFiles(room: string): SourceFile[] {
  const paths = globSync(`${room}/**/*.ts`, {
    cwd: root,
    exclude: (path) => path.includes('node_modules'),
  });
  return paths.sort().map((path) => {
    const text = readFileSync(join(root, path), 'utf8');
    const imports = [...text.matchAll(importPattern)].map((m) => (m[1] ?? m[2] ?? m[3]) as string);
    return { path, text, isTest: relative(room, path).startsWith('test/'), imports };
  });
}
