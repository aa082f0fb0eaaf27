import { readFileSync, writeFileSync } from 'node:fs';
import { renderConfigurationPage } from '@concordat/tidy';

// Writes docs/operate/configuration.md from the host's schema. A test of testing/tidy fails while
// the page is not current.
const schema = new URL('../node/host/config.schema.json', import.meta.url);
const page = renderConfigurationPage(JSON.parse(readFileSync(schema, 'utf8')));
writeFileSync(new URL('../docs/operate/configuration.md', import.meta.url), page);
