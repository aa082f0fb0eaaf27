import { writeFileSync } from 'node:fs';
import { renderCatalogueMarkdown } from '@concordat/api';

// Writes docs/errors.md from the catalogue. A test of core/api fails while the page is not current.
writeFileSync(new URL('../docs/errors.md', import.meta.url), renderCatalogueMarkdown());
