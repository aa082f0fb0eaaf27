const begin = '<!-- transcript: node examples/consortium-life/main.ts --write -->\n';

/** The page with another transcript. */
export function pageWith(page: string, transcript: string): string {
  return `${page.slice(0, page.indexOf(begin) + begin.length)}${chapters(transcript)}`;
}

/** Chapters as headings, everything else as it stood on the terminal. */
function chapters(transcript: string): string {
  const parts = transcript.split(/^## (.*)\n/m).slice(1);
  const texts: string[] = [];
  for (let at = 0; at < parts.length; at += 2) {
    texts.push(`\n## ${parts[at]}\n\n\`\`\`text\n${(parts[at + 1] as string).trim()}\n\`\`\`\n`);
  }
  return texts.join('');
}

/**
 * What stays the same from one life to the next: chapters, what is told, and commands; without ids,
 * ports and figures.
 */
export const outlineOf = (text: string): string[] =>
  text
    .split('\n')
    .filter((line) => /^(## |# |\$ )/.test(line))
    .map((line) => line.replace(/[0-9a-f]{12}…?|\d+/g, 'N'));
