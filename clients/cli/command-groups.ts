/** The nouns of the command line, in the order in which people meet them. */
export const commandGroups: readonly (readonly [name: string, summary: string])[] = [
  ['start', 'a consortium on this machine, shown at work'],
  ['sandbox', 'a consortium on this machine, left running'],
  ['app', 'applications: make, try, test, deploy and look at them'],
  ['network', 'a network as a whole'],
  ['member', 'the membership list: organisations that vote, transact, or both'],
  ['node', 'the validating nodes of the network'],
  ['code', 'the measurements of what nodes may run'],
  ['constitution', 'the rules in force, compared and changed'],
  ['proposal', 'proposed changes: make, show, sign elsewhere, submit, withdraw'],
  ['vote', 'a member’s vote on a proposal'],
  ['key', 'identities, and the keys the network shares'],
  ['token', 'keys inside PKCS#11 tokens'],
  ['receipt', 'proofs that a transaction is in the ledger'],
  ['ledger', 'a ledger as files'],
  ['audit', 'examination of a whole ledger, and what auditors are granted'],
  ['recover', 'a network, or the contents of its ledger, from what is left'],
  ['gateway', 'a participant’s access as plain HTTP on this machine'],
  ['completion', 'completion of these commands in a shell'],
];

/** The noun of a command. */
export const groupOf = (name: string): string => name.split(' ', 1)[0] as string;
