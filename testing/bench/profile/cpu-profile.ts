/** What V8's sampling profiler writes (`--cpu-prof`), as far as it is read here. */
export interface CpuProfile {
  readonly nodes: readonly ProfileNode[];
  /** Microseconds of the monotonic clock, that of `process.hrtime`. */
  readonly startTime: number;
  /** Ids of the nodes that were being executed. */
  readonly samples: readonly number[];
  /** Microseconds from one sample to the next; the first from `startTime`. */
  readonly timeDeltas: readonly number[];
}

interface ProfileNode {
  readonly id: number;
  readonly callFrame: {
    readonly functionName: string;
    readonly url: string;
    /** From 0; -1 for what is no JavaScript. */
    readonly lineNumber: number;
  };
  readonly children?: readonly number[];
}

/** A stretch of the monotonic clock, microseconds. */
export interface Window {
  readonly from: number;
  readonly to: number;
}

/** How long a function itself ran, not what it called. */
export interface SelfTime {
  /** Its name and where it stands. */
  readonly name: string;
  readonly micros: number;
  /** Its callers, longest first, where that says more than the name: it is the runtime's own. */
  readonly callers: readonly string[];
}

/** What one process did in a window. */
export interface ProfileSummary {
  /** Microseconds in which anything but waiting was sampled. */
  readonly busyMicros: number;
  /** Longest first. */
  readonly functions: readonly SelfTime[];
}

/** Waiting, and what the sampler attributes to no JavaScript while the loop polls. */
const waiting = new Set(['(idle)', '(root)']);
const callersShown = 3;

/**
 * Sums up which functions ran in a window. Functions of the same name and place are one, whoever
 * called them; a function of the runtime is told with its nearest callers that are not.
 */
export function summarizeProfile(profile: CpuProfile, window: Window): ProfileSummary {
  const nodes = new Map(profile.nodes.map((node) => [node.id, node]));
  const parents = parentsOf(profile.nodes);
  const selfMicros = new Map<number, number>();
  let now = profile.startTime;
  for (const [at, id] of profile.samples.entries()) {
    now += profile.timeDeltas[at] ?? 0;
    // A sample stands for the time until the next one.
    const lasted = Math.max(0, profile.timeDeltas[at + 1] ?? 0);
    if (now < window.from || now >= window.to) continue;
    selfMicros.set(id, (selfMicros.get(id) ?? 0) + lasted);
  }
  const byName = new Map<string, { micros: number; callers: Map<string, number> }>();
  let busyMicros = 0;
  for (const [id, micros] of selfMicros) {
    const node = nodes.get(id);
    if (!node || waiting.has(node.callFrame.functionName)) continue;
    busyMicros += micros;
    const name = placeOf(node);
    const entry = byName.get(name) ?? { micros: 0, callers: new Map<string, number>() };
    entry.micros += micros;
    const caller = isOwn(node) ? undefined : nearestOwn(node, nodes, parents);
    if (caller) entry.callers.set(caller, (entry.callers.get(caller) ?? 0) + micros);
    byName.set(name, entry);
  }
  const functions = [...byName].map(([name, { micros, callers }]) => ({
    name,
    micros,
    callers: [...callers]
      .sort(([, a], [, b]) => b - a)
      .slice(0, callersShown)
      .map(([caller]) => caller),
  }));
  return { busyMicros, functions: functions.sort((a, b) => b.micros - a.micros) };
}

function parentsOf(nodes: readonly ProfileNode[]): ReadonlyMap<number, number> {
  const parents = new Map<number, number>();
  for (const { id, children = [] } of nodes) for (const child of children) parents.set(child, id);
  return parents;
}

const isOwn = ({ callFrame: { url } }: ProfileNode): boolean =>
  url !== '' && !url.startsWith('node:');

function nearestOwn(
  node: ProfileNode,
  nodes: ReadonlyMap<number, ProfileNode>,
  parents: ReadonlyMap<number, number>,
): string | undefined {
  for (let at = parents.get(node.id); at !== undefined; at = parents.get(at)) {
    const caller = nodes.get(at);
    if (caller && isOwn(caller)) return caller.callFrame.functionName || '(anonymous)';
  }
  return undefined;
}

function placeOf({ callFrame }: ProfileNode): string {
  const { functionName, url, lineNumber } = callFrame;
  const name = functionName || '(anonymous)';
  if (url === '') return name;
  return `${name} ${url.slice(url.lastIndexOf('/') + 1)}:${lineNumber + 1}`;
}
