/** One path of an application: `/records/{id}`, each parameter one segment. */
export interface PathTemplate {
  readonly path: string;
  readonly segments: readonly { readonly name?: string; readonly text: string }[];
}

const segmentForm = /^(?:[A-Za-z0-9\-._~!$&'()*+,;=:@%]+|\{[A-Za-z_][A-Za-z0-9_]*\})$/;
const maxSegments = 32;

/** Reads a template; why it is none, otherwise. */
export function parseTemplate(path: string): PathTemplate | string {
  if (!path.startsWith('/')) return 'a path begins with /';
  const texts = path.slice(1).split('/');
  if (texts.length > maxSegments) return `a path has at most ${maxSegments} segments`;
  const names = new Set<string>();
  const segments = [];
  for (const text of texts) {
    if (!segmentForm.test(text) && path !== '/') return `the segment "${text}" is not valid`;
    if (text === '.' || text === '..') return 'a path has no . or .. segments';
    if (!text.startsWith('{')) {
      segments.push({ text });
      continue;
    }
    const name = text.slice(1, -1);
    if (names.has(name)) return `the parameter ${name} stands twice`;
    names.add(name);
    segments.push({ text, name });
  }
  return { path, segments };
}

/** Two templates with the same shape answer the same paths: neither could be chosen. */
export const shapeOf = ({ segments }: PathTemplate): string =>
  segments.map(({ text, name }) => (name === undefined ? text : '{}')).join('/');

/** What a path was matched to. */
export interface Match<Route> {
  readonly route: Route;
  /** Percent-decoded, by parameter name. */
  readonly params: Readonly<Record<string, string>>;
}

interface Branch<Route> {
  readonly fixed: Map<string, Branch<Route>>;
  parameter: Branch<Route> | undefined;
  end: { readonly route: Route; readonly template: PathTemplate } | undefined;
}

const newBranch = <Route>(): Branch<Route> => ({
  fixed: new Map(),
  parameter: undefined,
  end: undefined,
});

/** Finds the route of a path; where a fixed segment and a parameter both fit, the fixed one wins. */
export class PathTree<Route> {
  readonly #root = newBranch<Route>();

  add(template: PathTemplate, route: Route): void {
    let branch = this.#root;
    for (const { text, name } of template.segments) {
      let next = name === undefined ? branch.fixed.get(text) : branch.parameter;
      if (next === undefined) {
        next = newBranch();
        if (name === undefined) branch.fixed.set(text, next);
        else branch.parameter = next;
      }
      branch = next;
    }
    branch.end = { route, template };
  }

  /** @param path as sent, percent-encoded, without the query */
  find(path: string): Match<Route> | undefined {
    const texts = path.slice(1).split('/');
    if (texts.length > maxSegments) return undefined;
    const end = search(this.#root, texts, 0);
    if (end === undefined) return undefined;
    const params: Record<string, string> = Object.create(null) as Record<string, string>;
    for (const [at, { name }] of end.template.segments.entries()) {
      if (name === undefined) continue;
      const value = decoded(texts[at] as string);
      if (value === undefined) return undefined;
      params[name] = value;
    }
    return { route: end.route, params };
  }
}

function search<Route>(
  branch: Branch<Route>,
  texts: readonly string[],
  at: number,
): Branch<Route>['end'] {
  if (at === texts.length) return branch.end;
  const text = texts[at] as string;
  const fixed = branch.fixed.get(text);
  const found = fixed === undefined ? undefined : search(fixed, texts, at + 1);
  if (found !== undefined || branch.parameter === undefined || text === '') return found;
  return search(branch.parameter, texts, at + 1);
}

function decoded(text: string): string | undefined {
  try {
    return decodeURIComponent(text);
  } catch {
    return undefined;
  }
}
