import assert from 'node:assert/strict';
import { existsSync, globSync, readFileSync } from 'node:fs';
import { dirname, join, normalize } from 'node:path';
import { test } from 'node:test';
import { type ConfigurationSchema, renderConfigurationPage } from '../configuration-page.ts';
import { root } from '../rooms.ts';

/** One relative link of a document. */
interface Link {
  readonly page: string;
  readonly target: string;
  /** Target as a path from the root, without the heading it points at. */
  readonly path: string;
  readonly heading: string | undefined;
}

const notOurs = /(^|\/)(node_modules|build|\.concordat|\.git|artifacts|cache)(\/|$)/;
const pages = globSync('**/*.md', { cwd: root, exclude: (path) => notOurs.test(path) }).sort();
const textOf = (page: string): string => readFileSync(join(root, page), 'utf8');
const links = pages.flatMap(linksOf);

/** A document's text without its code, which may look like links. */
function prose(text: string): string {
  return withoutBlocks(text).replace(/`[^`\n]*`/g, '');
}

/** A document's text without its fenced code. */
function withoutBlocks(text: string): string {
  return text.replace(/^( *)(```|~~~)[\s\S]*?^\1\2/gm, '');
}

function linksOf(page: string): Link[] {
  const text = prose(textOf(page));
  const inline = [...text.matchAll(/\]\(<?([^)\s>]+)>?(?:\s+"[^"]*")?\)/g)];
  const named = [...text.matchAll(/^\[[^\]]+\]:\s*(\S+)/gm)];
  const markup = [...text.matchAll(/\b(?:src|href)="([^"]+)"/g)];
  return [...inline, ...named, ...markup]
    .map((match) => match[1] as string)
    .filter((target) => !/^[a-z][a-z0-9+.-]*:/i.test(target))
    .map((target) => {
      const [file, heading] = target.split('#') as [string, string | undefined];
      const path = file === '' ? page : normalize(join(dirname(page), decodeURIComponent(file)));
      return { page, target, path: path.replace(/\/$/, ''), heading };
    });
}

/** The anchors of a page's headings, as code hosts make them. */
function anchorsOf(page: string): Set<string> {
  const anchors = new Set<string>();
  for (const [, heading] of withoutBlocks(textOf(page)).matchAll(/^#+ (.+)$/gm)) {
    const plain = (heading as string).toLowerCase().replace(/[^\p{L}\p{N}\s_-]/gu, '');
    anchors.add(plain.trim().replace(/\s/g, '-'));
  }
  return anchors;
}

test('every relative link of every document leads somewhere', () => {
  assert.ok(links.length > 0, 'no links were found, so none was checked');
  const dead = links
    .filter(({ path }) => !existsSync(join(root, path)))
    .map(({ page, target }) => `${page}: ${target}`);
  assert.deepEqual(dead, []);
});

test('every link to a heading names one that is there', () => {
  const dead = links
    .filter(({ path, heading }) => heading !== undefined && path.endsWith('.md'))
    .filter(({ path, heading }) => !anchorsOf(path).has(heading as string))
    .map(({ page, target }) => `${page}: ${target}`);
  assert.deepEqual(dead, []);
});

test('every document is found by following links from the README', () => {
  const reached = new Set(['README.md']);
  for (const page of reached) {
    for (const { path } of links.filter((link) => link.page === page)) {
      if (pages.includes(path)) reached.add(path);
    }
  }
  const documents = pages.filter((page) => page.startsWith('docs/') || !page.includes('/'));
  assert.deepEqual(
    documents.filter((page) => !reached.has(page)),
    [],
  );
});

test('every source file that the architecture names is there', () => {
  const sources = globSync('**/*.ts', { cwd: root, exclude: (path) => notOurs.test(path) });
  const named = [...textOf('ARCHITECTURE.md').matchAll(/`([\w./-]+\.ts)`/g)];
  const missing = named
    .map((match) => match[1] as string)
    .filter((name) => !sources.some((path) => `/${path}`.endsWith(`/${name}`)));
  assert.deepEqual(missing, []);
});

test('the page of configuration keys is that of the schema', () => {
  const text = readFileSync(join(root, 'node/host/config.schema.json'), 'utf8');
  const schema = JSON.parse(text) as ConfigurationSchema;
  assert.equal(textOf('docs/operate/configuration.md'), renderConfigurationPage(schema));
});
