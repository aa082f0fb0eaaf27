import { type CatalogueEntry, catalogueParts } from './error-catalogue.ts';

/** The page docs/errors.md, made from the catalogue. */
export function renderCatalogueMarkdown(): string {
  const parts = catalogueParts.map(([title, entries]) => {
    const rows = Object.entries(entries)
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([code, entry]) => row(code, entry));
    return [`## ${title}`, '', ...head, ...rows, ''].join('\n');
  });
  return [...preface, ...parts].join('\n');
}

const preface = [
  '# Errors',
  '',
  'Generated from the catalogue in `core/api`; do not edit. An HTTP error answers',
  '`{"error":{"code","message","details"}}` with the status below; JSON-RPC errors carry the code in',
  '`data.code`. A status of – means that the code is never an HTTP status of its own. "Again" means',
  'that the same request may succeed later, unchanged.',
  '',
];

const head = ['| code | status | again | meaning | what to do |', '|---|---|---|---|---|'];

const cell = (text: string): string => text.replaceAll('|', '\\|');

const row = (code: string, entry: CatalogueEntry): string =>
  `| \`${code}\` | ${entry.status || '–'} | ${entry.retryable ? 'yes' : ''} ` +
  `| ${cell(entry.meaning)} | ${cell(entry.remedy)} |`;
