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

interface Token {
  readonly kind: 'word' | 'text' | 'mark';
  readonly value: string;
  readonly line: number;
}

/**
 * Finds the imports of an ES module by its tokens alone (ECMA-262, 16.2 and 13.3.10), for messages
 * with lines. What it does not understand it passes over: the engine parses every module anyway.
 */
export function findImports(source: string): ModuleImports {
  const imports: ModuleImport[] = [];
  const dynamicLines: number[] = [];
  const tokens = [...tokensOf(source)];
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

function* tokensOf(source: string): Generator<Token> {
  let at = 0;
  let line = 1;
  let previous: Token | undefined;
  /** Depth of braces at which each open template literal goes on. */
  const templates: number[] = [];
  let depth = 0;
  const skip = (end: number) => {
    for (; at < end; at++) if (source[at] === '\n') line += 1;
  };
  while (at < source.length) {
    const sign = source[at] as string;
    const pair = source.slice(at, at + 2);
    let token: Token | undefined;
    if (/\s/.test(sign)) skip(at + 1);
    else if (pair === '//') skip(endOf(source, '\n', at));
    else if (pair === '/*') skip(endOf(source, '*/', at + 2) + 2);
    else if (sign === "'" || sign === '"') {
      const end = textEnd(source, at);
      token = { kind: 'text', value: source.slice(at + 1, end - 1), line };
      skip(end);
    } else if (sign === '`' || (sign === '}' && templates.at(-1) === depth)) {
      if (sign === '}') templates.pop();
      const end = templateEnd(source, at + 1);
      if (source[end - 1] === '{') templates.push(depth);
      token = { kind: 'mark', value: '`', line };
      skip(end);
    } else if (identifierStart.test(sign)) {
      let end = at + 1;
      while (end < source.length && identifierPart.test(source[end] as string)) end += 1;
      token = { kind: 'word', value: source.slice(at, end), line };
      skip(end);
    } else if (sign === '/' && beginsExpression(previous)) {
      token = { kind: 'mark', value: '/', line };
      skip(regexEnd(source, at));
    } else {
      if (sign === '{') depth += 1;
      if (sign === '}') depth -= 1;
      token = { kind: 'mark', value: pair === '?.' ? pair : sign, line };
      skip(at + token.value.length);
    }
    if (token === undefined) continue;
    previous = token;
    yield token;
  }
}

/** Whether a slash after this token begins a regular expression, as far as tokens can tell. */
function beginsExpression(previous: Token | undefined): boolean {
  if (previous === undefined) return true;
  if (previous.kind === 'word') return beforeExpression.has(previous.value);
  if (previous.kind === 'text') return false;
  return !/[\w)\]}`]/.test(previous.value);
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
