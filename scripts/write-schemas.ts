import { writeFileSync } from 'node:fs';
import { constitutionSchema, proposalSchema } from '@concordat/governance';

// Writes docs/format/constitution.schema.json and proposal.schema.json from the definitions of
// core/governance. A test there fails while they are not current.
const schemas = { constitution: constitutionSchema, proposal: proposalSchema };
for (const [name, schema] of Object.entries(schemas)) {
  const page = new URL(`../docs/format/${name}.schema.json`, import.meta.url);
  writeFileSync(page, `${JSON.stringify(schema, undefined, 2)}\n`);
}
