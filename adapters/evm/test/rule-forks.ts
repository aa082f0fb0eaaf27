import { forkNames, forkOf, revisions } from '../index.ts';

/** The first fork of each revision, so that the place in the list is the revision's number. */
export const ruleForks: readonly string[] = Object.values(revisions).map(
  (revision) => forkNames.find((name) => forkOf(name).revision === revision) as string,
);
