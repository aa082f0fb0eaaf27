import { writeFileSync } from 'node:fs';
import { commands } from '../clients/cli/commands.ts';
import { renderCommandsPage } from '../clients/cli/commands-page.ts';

// Writes docs/operate/commands.md from the table of commands. A test of clients/cli fails while the
// page is not current.
const page = new URL('../docs/operate/commands.md', import.meta.url);
writeFileSync(page, renderCommandsPage(commands));
