/** One static import of a module. */
export interface ModuleImport {
  readonly specifier: string;
  /** From 1. */
  readonly line: number;
}

/** What a module asks for from elsewhere. */
export interface ModuleImports {
  readonly imports: readonly ModuleImport[];
  /** Lines of `import(...)`, from 1. */
  readonly dynamicLines: readonly number[];
}

const identifierStart = /[A-Za-z_$\u0080-\uffff]/;
const identifierPart = /[\w$\u0080-\uffff]/;
/** Words after which a slash begins a regular expression. */
const beforeExpression = new Set(
  'return typeof instanceof in of new delete void throw case do else yield await default'.split(
    ' ',
  ),
);

/** A token of ECMAScript, as far as imports and exports need it. */
export interface Token {
  readonly kind: 'word' | 'text' | 'mark';
  /** Of a text what is between the quotes. */
  readonly value: string;
  /** From 1. */
  readonly line: number;
  readonly start: number;
  readonly end: number;
  /** Brackets of any kind open around it; those of a bracket itself are outside of it. */
  readonly depth: number;
}

/**
 * Finds the imports of an ES module by its tokens alone (ECMA-262, 16.2 and 13.3.10), for messages
 * with lines. What it does not understand it passes over: the engine parses every module anyway.
 */
export function findImports(source: string): ModuleImports {
  const imports: ModuleImport[] = [];
  const dynamicLines: number[] = [];
  const tokens = tokensOf(source);
  for (let at = 0; at < tokens.length; at++) {
    const { kind, value, line } = tokens[at] as Token;
    if (kind !== 'word' || (value !== 'import' && value !== 'export')) continue;
    const before = tokens[at - 1]?.value;
    if (before === '.' || before === '?.') continue;
    const next = tokens[at + 1];
    if (value === 'import' && next?.value === '(' && next.kind === 'mark') dynamicLines.push(line);
    else if (value === 'import' && next?.kind === 'text') imports.push(importOf(next));
    else {
      const from = clauseSource(tokens, at + 1);
      if (from !== undefined) imports.push(importOf(from));
    }
  }
  return { imports, dynamicLines };
}

const importOf = ({ value, line }: Token): ModuleImport => ({ specifier: value, line });

/** The text after `from` of an import or export clause that begins here. */
function clauseSource(tokens: readonly Token[], start: number): Token | undefined {
  const first = tokens[start];
  const isClause = first?.kind === 'word' || first?.value === '{' || first?.value === '*';
  if (!isClause) return undefined;
  for (let at = start; at < tokens.length; at++) {
    const { kind, value } = tokens[at] as Token;
    const next = tokens[at + 1];
    if (kind === 'word' && value === 'from' && next?.kind === 'text') return next;
    if (kind === 'text' || (kind === 'mark' && !'{},*'.includes(value))) return undefined;
  }
  return undefined;
}

/** The tokens of a source; comments and white space are left out, a template's texts are marks. */
export function tokensOf(source: string): Token[] {
  const tokens: Token[] = [];
  /** Depths at which the substitutions of open template literals stand. */
  const templates: number[] = [];
  let [at, line, depth] = [0, 1, 0];
  const skipTo = (end: number): void => {
    for (; at < end; at++) if (source[at] === '\n') line += 1;
  };
  while (at < source.length) {
    const sign = source[at] as string;
    const pair = source.slice(at, at + 2);
    if (/\s/.test(sign)) skipTo(at + 1);
    else if (pair === '//') skipTo(endOf(source, '\n', at));
    else if (pair === '/*') skipTo(endOf(source, '*/', at + 2) + 2);
    else {
      const closesTemplate = sign === '}' && templates.at(-1) === depth;
      const [kind, end] = tokenAt(source, at, { closesTemplate, previous: tokens.at(-1) });
      const value = source.slice(...(kind === 'text' ? [at + 1, end - 1] : [at, end]));
      if (kind === 'mark' && /^[)\]}]$/.test(value)) depth -= 1;
      tokens.push({ kind, value, line, start: at, end, depth });
      if (closesTemplate) templates.pop();
      if ((sign === '`' || closesTemplate) && source[end - 1] === '{') templates.push(depth);
      if (kind === 'mark' && /^[([{]$/.test(value)) depth += 1;
      skipTo(end);
    }
  }
  return tokens;
}

/** Kind and end of the token that begins here. */
function tokenAt(
  source: string,
  at: number,
  context: { readonly closesTemplate: boolean; readonly previous: Token | undefined },
): [Token['kind'], number] {
  const sign = source[at] as string;
  if (sign === "'" || sign === '"') return ['text', textEnd(source, at)];
  if (sign === '`' || context.closesTemplate) return ['mark', templateEnd(source, at + 1)];
  if (identifierStart.test(sign)) {
    let end = at + 1;
    while (end < source.length && identifierPart.test(source[end] as string)) end += 1;
    return ['word', end];
  }
  if (sign === '/' && beginsExpression(context.previous)) return ['mark', regexEnd(source, at)];
  return ['mark', at + (source.startsWith('?.', at) ? 2 : 1)];
}

/** Whether a slash after this token begins a regular expression, as far as tokens can tell. */
function beginsExpression(previous: Token | undefined): boolean {
  if (previous === undefined) return true;
  if (previous.kind === 'word') return beforeExpression.has(previous.value);
  if (previous.kind === 'text') return false;
  // A template or a regular expression ends with more than a bracket would.
  return !/[\w)\]}`]$/.test(previous.value);
}

function endOf(source: string, sign: string, from: number): number {
  const end = source.indexOf(sign, from);
  return end < 0 ? source.length : end;
}

function textEnd(source: string, start: number): number {
  const quote = source[start];
  let at = start + 1;
  while (at < source.length && source[at] !== quote && source[at] !== '\n') {
    at += source[at] === '\\' ? 2 : 1;
  }
  return Math.min(at + 1, source.length);
}

/** Past the closing backquote, or past the brace that opens a substitution. */
function templateEnd(source: string, start: number): number {
  let at = start;
  while (at < source.length) {
    if (source[at] === '`') return at + 1;
    if (source.startsWith('${', at)) return at + 2;
    at += source[at] === '\\' ? 2 : 1;
  }
  return source.length;
}

function regexEnd(source: string, start: number): number {
  let inClass = false;
  let at = start + 1;
  for (; at < source.length && source[at] !== '\n'; at++) {
    const sign = source[at];
    if (sign === '\\') at += 1;
    else if (sign === '[') inClass = true;
    else if (sign === ']') inClass = false;
    else if (sign === '/' && !inClass) break;
  }
  return Math.min(at + 1, source.length);
}
