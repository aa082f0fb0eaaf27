import { actorEntry, type Organisation } from './organisation.ts';

/** Measurement of the manager's code in every run. */
export const managerCode = 'aa'.repeat(32);
/** Measurement of the worker's code in every run. */
export const workerCode = 'bb'.repeat(32);

/** A genesis constitution of these members, who decide by majority. */
export const genesisConstitution = (
  members: readonly Organisation[],
  policies: Readonly<Record<string, unknown>>,
) => ({
  version: 1,
  name: 'simulated network',
  actors: members.map(actorEntry),
  nodes: [],
  codeManifest: [
    { measurement: managerCode, role: 'manager', name: 'manager', version: '1.0.0' },
    {
      measurement: workerCode,
      role: 'worker',
      name: 'worker',
      version: '1.0.0',
      adapters: ['registers'],
    },
  ],
  teeManifest: [{ platform: 'virtual', rank: 0 }],
  votingPolicies: { default: { kind: 'majority' } },
  policies,
  adapters: {},
});
