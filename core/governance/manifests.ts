import type { CodeEntry, TeeEntry } from './constitution.ts';
import type { Field } from './field.ts';

/** Reads one entry of the code manifest. @throws GovernanceError of the field's code */
export function readCode(field: Field): CodeEntry {
  const role = field.at('role').oneOf(['manager', 'worker']);
  const adapters = field.optional('adapters');
  if (adapters && role === 'manager') adapters.fail('must be absent: a manager runs no adapters');
  return {
    measurement: field.at('measurement').hex(32),
    role,
    name: field.at('name').name(),
    version: field.at('version').name(),
    ...(adapters && {
      adapters: [...new Set(adapters.list(32).map((id) => id.identifier()))].sort(),
    }),
  };
}

/** The properties of a code manifest entry. */
export const codeProperties = ['measurement', 'role', 'name', 'version', 'adapters'] as const;

/** Reads one entry of the TEE manifest. @throws GovernanceError of the field's code */
export const readTee = (field: Field): TeeEntry => ({
  platform: field.at('platform').identifier(),
  rank: field.at('rank').integer({ min: 0, max: 1000 }),
});

/** The properties of a TEE manifest entry. */
export const teeProperties = ['platform', 'rank'] as const;
