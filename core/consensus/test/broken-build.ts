import assert from 'node:assert/strict';
import { registerHooks } from 'node:module';
import type * as room from '../index.ts';

/** One deliberate mistake: a passage of one file of this room, and what stands there instead. */
export interface Mutation {
  readonly file: string;
  /** Stands in the file exactly once. */
  readonly passage: string;
  readonly instead: string;
}

/** A mistake somebody once made or might make, how to make it here, and the checks that find it. */
export interface Mutant extends Mutation {
  readonly mistake: string;
  readonly foundBy: readonly string[];
}

const home = new URL('../', import.meta.url).href;
const marker = 'mutation';
const mutations: Mutation[] = [];

// A broken build is the room's own files under addresses that name the mutation: they are read,
// changed in memory and run beside the sound ones. Nothing in the product knows of it.
registerHooks({
  resolve(specifier, context, next) {
    const resolved = next(specifier, context);
    const number = numberOf(context.parentURL);
    if (number === undefined || !resolved.url.startsWith(home)) return resolved;
    return { ...resolved, url: `${resolved.url}?${marker}=${number}` };
  },
  load(url, context, next) {
    const number = numberOf(url);
    if (number === undefined) return next(url, context);
    const sound = url.slice(0, url.indexOf('?'));
    const loaded = next(sound, context);
    const { file, passage, instead } = mutations[number] as Mutation;
    if (sound !== new URL(file, home).href) return loaded;
    const text = Buffer.from(loaded.source as Uint8Array).toString('utf8');
    const parts = text.split(passage);
    assert.equal(parts.length, 2, `${file} has ${parts.length - 1} times: ${passage}`);
    return { ...loaded, source: parts.join(instead) };
  },
});

/** This room with one mistake in it. */
export async function brokenBuild(mutation: Mutation): Promise<typeof room> {
  const number = mutations.push(mutation) - 1;
  return (await import(`${home}index.ts?${marker}=${number}`)) as typeof room;
}

function numberOf(url: string | undefined): number | undefined {
  const found = url && new RegExp(`[?]${marker}=(\\d+)$`).exec(url);
  return found ? Number(found[1]) : undefined;
}
