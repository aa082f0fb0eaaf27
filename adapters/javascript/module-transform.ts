import { type Token, tokensOf } from './module-imports.ts';

/** Where an export's value is found: a variable of the module, or an export of another. */
export type ExportPlace =
  | { readonly local: string }
  /** `name` is absent for the whole namespace. */
  | { readonly from: string; readonly name?: string };

/** A module as a function, to be run as often as its state is to be new. */
export interface TransformedModule {
  /**
   * Statements of a function body with the parameter {@link importParameter}; every line stands
   * where it stood. What it exports is returned as functions that read it.
   */
  readonly body: string;
  /** Specifiers, in the order of first mention. */
  readonly imports: readonly string[];
  /** Exports of other modules that this one passes on, by name. */
  readonly passedOn: ReadonlyMap<string, { readonly from: string; readonly name?: string }>;
  /** Modules whose every export is passed on. */
  readonly stars: readonly string[];
}

/** Called with a specifier's place in `imports`, it returns the namespace of that module. */
export const importParameter = 'concordatImport';
const defaultName = 'concordatDefault';
const metaName = 'concordatMeta';

/**
 * Turns an ES module that the engine has accepted into a function body. What a module imports are
 * the values at the time it is evaluated: imports go round in no circle, so they are there, but a
 * variable that its own module changes later keeps its first value elsewhere (ECMA-262, 16.2.1.7).
 * @param exportedBeside names the engine says it exports, without those of its `export *`, whose
 *   specifiers are given
 */
export function transformModule(
  source: string,
  exportedBeside: (stars: readonly string[]) => readonly string[],
): TransformedModule {
  const transform = new Transform(source);
  transform.run();
  const exported = exportedBeside(transform.stars);
  const own = exported.filter((name) => !transform.passedOn.has(name));
  const getters = own.map((name) => {
    const local = transform.locals.get(name) ?? name;
    return `${JSON.stringify(name)}: () => ${local}`;
  });
  const head = `'use strict';const ${metaName}={};${transform.bindings.join('')}`;
  const tail = `\nreturn {__proto__: null, ${getters.join(', ')}};`;
  const { imports, passedOn, stars } = transform;
  return { body: head + transform.text() + tail, imports, passedOn, stars };
}

class Transform {
  readonly imports: string[] = [];
  readonly bindings: string[] = [];
  readonly locals = new Map<string, string>();
  readonly passedOn = new Map<string, { readonly from: string; readonly name?: string }>();
  readonly stars: string[] = [];
  readonly #source: string;
  readonly #tokens: readonly Token[];
  /** Places of the source that are replaced, in order. */
  readonly #edits: { readonly start: number; readonly end: number; readonly text: string }[] = [];

  constructor(source: string) {
    this.#source = source;
    this.#tokens = tokensOf(source);
  }

  run(): void {
    for (let at = 0; at < this.#tokens.length; at++) {
      const { kind, value, depth } = this.#tokens[at] as Token;
      if (kind !== 'word' || this.#isProperty(at)) continue;
      if (value === 'import' && this.#value(at + 1) === '.') {
        this.#replace(at, at + 2, metaName);
      } else if (depth === 0 && value === 'import') at = this.#import(at);
      else if (depth === 0 && value === 'export') at = this.#export(at);
    }
  }

  /** The source with its replacements; lines stay lines. */
  text(): string {
    let [text, from] = ['', 0];
    for (const { start, end, text: replacement } of this.#edits) {
      const lines = this.#source.slice(start, end).replace(/[^\n]/g, '');
      text += this.#source.slice(from, start) + replacement + lines;
      from = end;
    }
    return text + this.#source.slice(from);
  }

  #import(at: number): number {
    if (this.#tokens[at + 1]?.kind === 'text') {
      this.#placeOf(this.#value(at + 1));
      return this.#drop(at, at + 1);
    }
    const end = this.#sourceAfter(at);
    const namespace = `${importParameter}(${this.#placeOf(this.#value(end))})`;
    let next = at + 1;
    if (this.#tokens[next]?.kind === 'word') {
      this.bindings.push(`const ${this.#value(next)}=${namespace}.default;`);
      next += this.#value(next + 1) === ',' ? 2 : 1;
    }
    if (this.#value(next) === '*') {
      this.bindings.push(`const ${this.#value(next + 2)}=${namespace};`);
    } else if (this.#value(next) === '{') {
      for (const [name, alias] of this.#clause(next)) {
        this.bindings.push(`const ${alias}=${namespace}[${JSON.stringify(name)}];`);
      }
    }
    return this.#drop(at, end);
  }

  #export(at: number): number {
    const next = this.#value(at + 1);
    if (next === '*') {
      const end = this.#sourceAfter(at);
      const from = this.#value(end);
      this.#placeOf(from);
      if (this.#value(at + 2) === 'as') this.passedOn.set(this.#value(at + 3), { from });
      else this.stars.push(from);
      return this.#drop(at, end);
    }
    if (next === '{') return this.#exportClause(at);
    if (next === 'default') return this.#exportDefault(at);
    // A declaration: its exports are called what its variables are.
    this.#replace(at, at, '');
    return at;
  }

  #exportClause(at: number): number {
    const pairs = this.#clause(at + 1);
    let end = at + 1;
    while (this.#value(end) !== '}') end += 1;
    if (this.#value(end + 1) === 'from' && this.#tokens[end + 2]?.kind === 'text') {
      const from = this.#value(end + 2);
      this.#placeOf(from);
      for (const [name, alias] of pairs) this.passedOn.set(alias, { from, name });
      return this.#drop(at, end + 2);
    }
    for (const [name, alias] of pairs) this.locals.set(alias, name);
    return this.#drop(at, end);
  }

  #exportDefault(at: number): number {
    let next = at + 2;
    if (this.#value(next) === 'async' && this.#value(next + 1) === 'function') next += 1;
    const isDeclaration = ['function', 'class'].includes(this.#value(next));
    let name = next + 1;
    if (this.#value(name) === '*') name += 1;
    const hasName = this.#tokens[name]?.kind === 'word' && this.#value(name) !== 'extends';
    if (isDeclaration && hasName) {
      this.locals.set('default', this.#value(name));
      this.#replace(at, at + 1, '');
    } else {
      this.locals.set('default', defaultName);
      this.#replace(at, at + 1, `const ${defaultName}=`);
    }
    return at + 1;
  }

  /** `{a, b as c, "d" as e}`: pairs of name and alias. */
  #clause(open: number): [string, string][] {
    const pairs: [string, string][] = [];
    for (let at = open + 1; this.#value(at) !== '}' && at < this.#tokens.length; at++) {
      if (this.#value(at) === ',') continue;
      const name = this.#value(at);
      const isRenamed = this.#value(at + 1) === 'as' && ![',', '}'].includes(this.#value(at + 2));
      pairs.push([name, isRenamed ? this.#value(at + 2) : name]);
      if (isRenamed) at += 2;
    }
    return pairs;
  }

  /** Place of the text after `from`. */
  #sourceAfter(at: number): number {
    let end = at + 1;
    while (end < this.#tokens.length && this.#tokens[end]?.kind !== 'text') end += 1;
    // A text before `from` is a name: `import {"a b" as c} from 'x'`.
    while (end < this.#tokens.length && this.#value(end - 1) !== 'from') end += 1;
    return end;
  }

  #placeOf(specifier: string): number {
    const known = this.imports.indexOf(specifier);
    return known >= 0 ? known : this.imports.push(specifier) - 1;
  }

  #isProperty(at: number): boolean {
    return this.#value(at - 1) === '.' || this.#value(at - 1) === '?.';
  }

  #value(at: number): string {
    return this.#tokens[at]?.value ?? '';
  }

  #drop(from: number, to: number): number {
    const last = this.#value(to + 1) === ';' ? to + 1 : to;
    this.#replace(from, last, ';');
    return last;
  }

  #replace(from: number, to: number, text: string): void {
    const [first, last] = [this.#tokens[from], this.#tokens[to]] as [Token, Token];
    this.#edits.push({ start: first.start, end: last.end, text });
  }
}
