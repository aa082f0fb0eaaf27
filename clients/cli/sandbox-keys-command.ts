import { encodeEpochKeys } from '@concordat/auditor';
import { AdminClient, readIdentity } from '@concordat/sdk';
import { type Command, required } from './command.ts';
import { sandboxNode } from './connection-options.ts';
import { requireFree, writeNewPrivateFile } from './private-file.ts';
import { defaultSandboxDirectory } from './sandbox/layout.ts';
import { readSandbox } from './sandbox/sandbox-audit.ts';

/** Reads a sandbox as an auditor whom all its members grant everything. */
export const sandboxKeys: Command = {
  name: 'sandbox epoch-keys',
  summary:
    'gather the session keys of a running sandbox: its members vote, and give an auditor shares',
  usage: '--out epoch-keys.json [--directory sandbox]',
  options: {
    directory: { type: 'string', default: defaultSandboxDirectory },
    out: { type: 'string' },
  },
  examples: ['sandbox epoch-keys --out epoch-keys.json'],
  run: async (invocation) => {
    const { terminal } = invocation;
    const out = required(invocation, 'out');
    requireFree(out);
    const { layout } = await sandboxNode(invocation);
    const record = await layout.read();
    const { nodes = [], networkCertificate = '' } = record ?? {};
    const admin = async (name: string, actor: string): Promise<AdminClient> => {
      const port = nodes.find((node) => node.name === name)?.ports.admin;
      const identity = await readIdentity(layout.identity(actor));
      return new AdminClient({ address: `127.0.0.1:${port}`, networkCertificate, identity });
    };
    const keys = await readSandbox({ nodes, layout, networkCertificate, admin });
    await writeNewPrivateFile(out, encodeEpochKeys(keys));
    const count = keys.keys.length;
    terminal.write(
      `Wrote ${out}: the keys of ${count === 1 ? 'the epoch' : `all ${count} epochs`} so far. The members voted for it, and their nodes gave their shares; the ledger says so.\n` +
        `Use it with: npm run concordat -- audit verify ${nodes[0]?.name ?? 'vn1'} --epoch-keys ${out}\n`,
    );
    return 0;
  },
};
