import { appCommands } from './app/app-commands.ts';
import { deploymentCommands } from './app/deployment-commands.ts';
import { auditVerify } from './audit-command.ts';
import { auditGrantCommands } from './audit-grant-commands.ts';
import { codeCommands } from './code-commands.ts';
import type { Command } from './command.ts';
import { commandGroups, groupOf } from './command-groups.ts';
import { completionCommand } from './completion-command.ts';
import { constitutionCommands } from './constitution-commands.ts';
import { recoverDecrypt } from './decrypt-command.ts';
import { gatewayCommand } from './gateway-command.ts';
import { identityCommands } from './identity-commands.ts';
import { keyCommands } from './key-commands.ts';
import { memberCommands } from './member-commands.ts';
import { networkCommands } from './network-commands.ts';
import { nodeCommands } from './node-commands.ts';
import { proofCommands } from './proof-commands.ts';
import { proposalCommands } from './proposal-commands.ts';
import { recoverKeys, recoverShares } from './recover-commands.ts';
import { recoverNetworkCommands } from './recover-network-commands.ts';
import { sandboxCommands } from './sandbox-commands.ts';
import { sandboxKeys } from './sandbox-keys-command.ts';
import { startCommand } from './start-command.ts';
import { tokenCommands } from './token-commands.ts';
import { voteCommands } from './vote-commands.ts';
import { watchCommand } from './watch-command.ts';

const unordered: readonly Command[] = [
  startCommand,
  ...sandboxCommands,
  sandboxKeys,
  ...networkCommands,
  watchCommand,
  ...memberCommands,
  ...identityCommands,
  ...nodeCommands,
  ...codeCommands,
  ...constitutionCommands,
  ...proposalCommands,
  ...voteCommands,
  ...appCommands,
  ...deploymentCommands,
  ...proofCommands,
  auditVerify,
  ...auditGrantCommands,
  ...keyCommands,
  ...tokenCommands,
  recoverKeys,
  recoverShares,
  recoverDecrypt,
  ...recoverNetworkCommands,
  gatewayCommand,
  completionCommand(() => commands),
];

/** Every command, in the order of their nouns. */
export const commands: readonly Command[] = commandGroups.flatMap(([group]) =>
  unordered.filter(({ name }) => groupOf(name) === group),
);
