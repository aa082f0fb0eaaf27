/**
 * Draws console output as an SVG: `npm start --silent -- --once | sed '/^Stopping/,$d' | node
 * scripts/console-picture.ts docs/images/start.svg`. The picture in the README is made so, from a real run.
 */
import { readFileSync, writeFileSync } from 'node:fs';

const [output] = process.argv.slice(2);
if (!output) {
  process.stderr.write('usage: node scripts/console-picture.ts <output.svg>\n');
  process.exit(2);
}

const lineHeight = 19;
const charWidth = 8.43;
const margin = 20;

const escapeXml = (text: string): string =>
  text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;');

/** Marks, times and addresses in colours a terminal would use. */
function paint(line: string): string {
  const heading = /^\S/.test(line) && !line.startsWith('Stop');
  const text = escapeXml(line)
    .replace('✓', '<tspan fill="#7ee787">✓</tspan>')
    .replace(/( [\d.]+ m?s)$/, '<tspan fill="#8b949e">$1</tspan>')
    .replace(/(https?:\/\/[\w.:]+)/g, '<tspan fill="#79c0ff">$1</tspan>');
  return heading ? `<tspan font-weight="bold">${text}</tspan>` : text;
}

const lines = readFileSync(0, 'utf8').trim().split('\n');
const width = Math.ceil(Math.max(...lines.map((line) => line.length)) * charWidth + 2 * margin);
const height = lines.length * lineHeight + 2 * margin;
const rows = lines.map(
  (line, at) =>
    `<text x="${margin}" y="${margin + (at + 0.75) * lineHeight}">${paint(line)}</text>`,
);
writeFileSync(
  output,
  `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}" viewBox="0 0 ${width} ${height}" font-family="ui-monospace, Menlo, Consolas, 'DejaVu Sans Mono', monospace" font-size="14" fill="#e6edf3" xml:space="preserve">
<title>What npm start prints</title>
<rect width="100%" height="100%" rx="8" fill="#0d1117"/>
${rows.join('\n')}
</svg>
`,
);
