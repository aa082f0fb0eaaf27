const proposed =
  '{proposalId, state, effects, transactionId, voted, actions}; with --print {file, type, networkId}';
const submitted = '{proposalId, state, effects, transactionId}';
const submittedOrPrinted = `${submitted}; with --print {file, type, networkId, proposalId}`;
const steps = '{step, tookMs, …} or {note} a line';

/**
 * What each command prints with `--json`: the properties of one JSON object, in a line. `?` may be absent.
 * Properties are added, and neither renamed nor given another meaning.
 */
export const jsonShapes: Readonly<Record<string, string>> = {
  start: `${steps}, then {ready, readyMs, url, transactionId, …}`,
  'sandbox up': steps,
  'sandbox status': '{running, nodes: [{name, organisation, ports, pid?, status?}], gateway?}',
  'app deploy': '{proposalId, state, digest, transactionId}',
  'app show':
    '{applications: [{adapter, digest, bytes, standing}], node}; of one {digest, standings, bundle}',
  'network show': 'as GET /node/network, and {constitution}',
  'network watch': '{transactionId, timeMs, event}, one line for each event',
  'member list': '{actors: [Actor]}',
  'member add': proposed,
  'member renew': proposed,
  'member retire': proposed,
  'member remove': proposed,
  'member revoke': proposed,
  'node list': '{nodes: [NodeEntry], leader?}',
  'node add': proposed,
  'node remove': proposed,
  'node approve': '{terms, accept}',
  'node refuse': '{terms, accept}',
  'code list': '{codeManifest: [CodeEntry], teeManifest: [TeeEntry]}',
  'code add': proposed,
  'code remove': proposed,
  'constitution show':
    'the constitution; with --from {networkId, terms, digest, constitution, changes?}',
  'constitution diff':
    '{before, after, changes: [{path, before?, after?}]}: digests and differences',
  'constitution policies': '{policies: [{name, value, default}], votingPolicies}',
  'constitution set': proposed,
  'constitution acknowledge': submittedOrPrinted,
  'constitution unset': proposed,
  'constitution voting': proposed,
  'proposal create': proposed,
  'proposal list': '{proposals: [Proposal]}',
  'proposal show':
    '{proposal, changes?: [{path, before?, after?}], wouldFail?: {code, message}}; of a file {type, networkId, signer, createdAtSeconds, payload, proposalId?}',
  'proposal sign': '{file, type, networkId, signer}',
  'proposal submit': submitted,
  'proposal withdraw': submittedOrPrinted,
  'vote accept': submittedOrPrinted,
  'vote reject': submittedOrPrinted,
  'key status': 'as GET /gov/keys',
  'key revoke': '{file, number, revoked, due}',
  'key export': '{written: [{key, sharing, file, checked}], missing: [{key, sharing}]}',
  'key rotate': '{transactionId}',
  'token list': 'a list: [{label, manufacturer, model, serial, …}]',
  'receipt get': 'the receipt, with or without the option',
  'receipt verify': '{form, ok, transactionId, …}, or {form, ok: false, code, why}',
  'ledger verify':
    '{ok, networkId?, networkName?, blocks, transactions, last?, epochs, damage?, …}',
  'audit verify': '{ok, classes: [{class, examined, defects}], …}',
  'audit request': '{auditor, encryptionKey, epochs}',
  'audit grant': '{auditor, epochs, file}',
  'audit collect': '{networkId, networkName, last, missing?, epochs, dealtAnew}',
  'recover keys': '{networkId, networkName, last, missing?, epochs}',
  'recover shares': '{networkId, requester, shares: [{actor, key, sharing, epochs}]}',
  'recover decrypt':
    '{closedBlocks, missing?, …}, beside the lines when these go to standard output',
  'recover submit': 'as GET /gov/recovery',
  'recover status': 'as GET /gov/recovery',
};
