/** The one table: keys in binary order of their UTF-8, shared by all actors of the network. */
export const entriesTable = 'keyvalue/entries';

/** What a write found: whether the key was there before. */
export interface KeyvalueResult {
  readonly existed: boolean;
}
