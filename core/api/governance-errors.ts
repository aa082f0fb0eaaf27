/** Refusals of governance messages, proposals and changes of the constitution. */
export const governanceErrors = {
  INVALID_CONSTITUTION: {
    status: 400,
    meaning: 'The constitution does not follow its schema; details.path names the place.',
    remedy: 'Correct the value at that path.',
  },
  INVALID_ACTION: {
    status: 400,
    meaning: 'An action of the proposal does not follow its schema; details.path names the place.',
    remedy: 'Correct the value at that path and sign the proposal anew.',
  },
  PROGRAM_MISSING: {
    status: 400,
    meaning: 'A proposal names a program that neither came with it nor is in the ledger.',
    remedy: 'Send the program with the proposal: concordat app deploy does.',
  },
  PROGRAM_MISMATCH: {
    status: 400,
    meaning: 'The program that came with a message is not one that the message names.',
    remedy: 'Name the SHA-256 and the length of exactly the bytes that are sent.',
  },
  PROGRAM_REFUSED: {
    status: 400,
    meaning: 'The adapter cannot run the program; details.reason is its code, with file and line.',
    remedy: 'Correct the application there; nothing was proposed.',
  },
  PROGRAM_UNCHECKED: {
    status: 503,
    retryable: true,
    meaning: 'No worker of the leader could check the program in time.',
    remedy: 'Try again; if it lasts, look at the adapters of the nodes.',
  },
  JWT_ISSUER_NOT_FOUND: {
    status: 409,
    meaning: 'The network trusts no such issuer of tokens.',
    remedy: 'Name an issuer of the constitution, or propose set_jwt_issuer first.',
  },
  JWT_ISSUER_LIMIT: {
    status: 409,
    meaning: 'The network trusts as many issuers of tokens as it can.',
    remedy: 'Propose remove_jwt_issuer for one that is not needed.',
  },
  EXTERNAL_SYSTEM_NOT_FOUND: {
    status: 409,
    meaning: 'The constitution lists no such external system.',
    remedy: 'Name one that externalSystems of the constitution lists.',
  },
  EXTERNAL_SYSTEM_LIMIT: {
    status: 409,
    meaning: 'The constitution lists as many external systems as it can.',
    remedy: 'Propose remove_external_system for one that is not needed.',
  },
  APPLICATION_NOT_FOUND: {
    status: 404,
    meaning: 'There is no application to be ended, or no program of that digest in the ledger.',
    remedy: 'List what is in force with GET /gov/constitution.',
  },
  MESSAGE_TOO_LARGE: {
    status: 413,
    meaning: 'The governance message has more than 262,144 bytes.',
    remedy: 'Split the proposal.',
  },
  MALFORMED_MESSAGE: {
    status: 400,
    meaning: 'The message is not COSE_Sign1 with the headers and canonical payload it must have.',
    remedy: 'Build it with the SDK, or follow docs/format/governance.md.',
  },
  REPLAY: {
    status: 409,
    meaning: 'The same signed message was submitted before; details.messageId names that one.',
    remedy: 'Nothing to do if it was yours; otherwise sign a new message.',
  },
  CREATED_TOO_LONG_AGO: {
    status: 400,
    meaning: 'The message is older than a day, or than what is remembered of its signer.',
    remedy: 'Sign it anew with the present time.',
  },
  CREATED_IN_FUTURE: {
    status: 400,
    meaning: "The message's time is more than five minutes ahead of the network's.",
    remedy: 'Set the clock of the signing machine and sign it anew.',
  },
  PROPOSAL_NOT_FOUND: {
    status: 404,
    meaning: 'There is no proposal of that id.',
    remedy: 'List the proposals with GET /gov/proposals.',
  },
  PROPOSAL_NOT_OPEN: {
    status: 409,
    meaning: 'The proposal is no longer open: decided, withdrawn, expired or superseded.',
    remedy: 'Propose anew if the change is still wanted.',
  },
  ALREADY_VOTED: {
    status: 409,
    meaning: 'The member has voted so on this proposal already; each member gets one vote.',
    remedy: 'None; vote otherwise to change it while the proposal is open.',
  },
  VOTE_CHANGE_LIMIT: {
    status: 409,
    meaning: 'The member has changed its vote on this proposal 16 times.',
    remedy: 'Make the proposal anew to vote on it anew.',
  },
  OLDER_VOTE: {
    status: 409,
    meaning:
      'The vote was signed before the one of the member that stands, and does not replace it.',
    remedy: 'Nothing to do if somebody held it back; otherwise sign it anew with the present time.',
  },
  NODE_NOT_AS_ADMITTED: {
    status: 403,
    meaning: 'The node runs other code, or on another platform, than it was admitted with.',
    remedy: 'Start the image the vote named, or propose the node anew as it is.',
  },
  AUTOMATION_RULE_NOT_FOUND: {
    status: 404,
    meaning: 'No automation rule has that name.',
    remedy: 'List automationRules with GET /gov/constitution.',
  },
  AUTOMATION_RULE_LIMIT: {
    status: 409,
    meaning: 'There are as many automation rules as there can be.',
    remedy: 'Propose remove_automation_rule for one that is not needed.',
  },
  NOT_THE_PROPOSER: {
    status: 403,
    meaning: 'Only the member that made a proposal withdraws it.',
    remedy: 'Vote against it instead.',
  },
  TOO_MANY_OPEN_PROPOSALS: {
    status: 429,
    meaning: 'The member has as many open proposals as one may have.',
    remedy: 'Withdraw one or wait for decisions.',
  },
  ACTOR_EXISTS: {
    status: 409,
    meaning: 'An actor with that certificate, key or name is listed already.',
    remedy: 'Remove it in the same proposal, or choose another name or key.',
  },
  CERTIFICATE_EXISTS: {
    status: 409,
    meaning: 'The actor has that certificate already.',
    remedy: 'None needed.',
  },
  CERTIFICATE_NOT_FOUND: {
    status: 404,
    meaning: 'The actor has no certificate of that fingerprint.',
    remedy: 'GET /gov/constitution lists the certificates of each actor.',
  },
  CERTIFICATE_LIMIT: {
    status: 409,
    meaning: 'An actor has at most four certificates at a time.',
    remedy: 'Propose remove_actor_certificate for one that is no longer used.',
  },
  LAST_CERTIFICATE: {
    status: 409,
    meaning: 'Without that certificate the actor would have none that goes on being valid.',
    remedy: 'Propose add_actor_certificate first, or remove_actor.',
  },
  INVALID_REVOCATION_LIST: {
    status: 400,
    meaning: "The revocation list is malformed or not that of an authority of the actor's.",
    remedy: 'Propose the list as the authority issued it (RFC 5280, version 2, with a number).',
  },
  UNSUPPORTED_REVOCATION_LIST: {
    status: 400,
    meaning: 'The list is a delta, indirect or partial, or has an unknown critical extension.',
    remedy: 'Have the authority issue a complete list of its own certificates.',
  },
  REVOCATION_LIST_NOT_NEWER: {
    status: 409,
    meaning: "The list's number is not greater than that of the list in force.",
    remedy: 'Propose the newest list of the authority.',
  },
  REVOCATION_LIST_NOT_FOUND: {
    status: 404,
    meaning: 'No revocation list of that issuer is in force.',
    remedy: 'GET /gov/constitution shows the lists in force.',
  },
  REVOCATION_LIST_LIMIT: {
    status: 409,
    meaning: 'The network keeps 64 revocation lists, of 1 MiB together.',
    remedy: 'Propose remove_revocation_list for one that is no longer needed.',
  },
  ACTOR_NOT_FOUND: {
    status: 404,
    meaning: 'No actor of that id is in the membership list.',
    remedy: 'List the actors with GET /gov/constitution.',
  },
  NODE_EXISTS: {
    status: 409,
    meaning: 'A node with that key is or was in the VN list; identities are never used twice.',
    remedy: 'Start the node anew: it makes a new key.',
  },
  NODE_NOT_FOUND: {
    status: 404,
    meaning: 'No present node of that id is in the VN list.',
    remedy: 'List the nodes with GET /gov/constitution.',
  },
  WRONG_NODE_STATUS: {
    status: 409,
    meaning: 'The node is not at the point of its life this step starts from.',
    remedy: 'Read its status and try again when it has changed.',
  },
  BAD_NODE_SIGNATURE: {
    status: 400,
    meaning: "The tuple {actor key, address, node key} is not signed by the owning actor's key.",
    remedy: 'Have the owner sign the tuple of exactly this node.',
  },
  ADDRESS_TAKEN: {
    status: 409,
    meaning: 'Another present node has that address.',
    remedy: 'Remove that node in the same proposal, or use another address.',
  },
  CODE_EXISTS: {
    status: 409,
    meaning: 'The measurement is in the code manifest already.',
    remedy: 'Nothing to do.',
  },
  CODE_NOT_FOUND: {
    status: 404,
    meaning: 'The measurement is not in the code manifest.',
    remedy: 'List the manifest with GET /gov/constitution.',
  },
  TEE_EXISTS: {
    status: 409,
    meaning: 'The platform is in the TEE manifest already.',
    remedy: 'Remove it in the same proposal to change its rank.',
  },
  TEE_NOT_FOUND: {
    status: 404,
    meaning: 'The platform is not in the TEE manifest.',
    remedy: 'List the manifest with GET /gov/constitution.',
  },
  UNSUPPORTED_POLICY: {
    status: 400,
    meaning: 'The framework knows no policy of that name.',
    remedy: 'Use one of the names under policies in GET /gov/constitution.',
  },
  INVALID_POLICY: {
    status: 400,
    meaning: 'The policies would contradict each other.',
    remedy: 'Change both in one proposal so that they agree.',
  },
  UNSAFE_QUORUMS: {
    status: 400,
    meaning:
      'With that many voters (details.voters) two quorums might not meet: replication + election must exceed the voters, and so must twice election.',
    remedy:
      'Set replicationQuorum and electionQuorum in the same proposal so that they hold for the voters of now and those that are to join, or remove both policies to have majorities.',
  },
  UNSATISFIABLE_KEY_THRESHOLD: {
    status: 400,
    meaning:
      'The policy keyThreshold asks for more shares (details.threshold) than there are members to hold one (details.members).',
    remedy: 'Lower keyThreshold, or remove the policy to have a majority, in the same proposal.',
  },
  AUDITOR_EXISTS: {
    status: 409,
    meaning: 'The auditor has a grant already.',
    remedy: 'Revoke it in the same proposal to grant other epochs.',
  },
  AUDITOR_NOT_FOUND: {
    status: 404,
    meaning: 'No auditor of that name has a grant.',
    remedy: 'Check the name; who is granted what stands in the accepted proposals.',
  },
  EPOCH_NOT_BEGUN: {
    status: 409,
    meaning: 'An epoch was named that the ledger has not begun yet.',
    remedy: 'Name epochs up to the one in force, which "concordat key status" tells.',
  },
  AUDIT_NOT_GRANTED: {
    status: 403,
    meaning: 'No grant in force lets this auditor, with this key, read one of the epochs.',
    remedy: 'Members vote on grant_audit first; see which epochs the accepted proposal names.',
  },
  NOT_A_HOLDER: {
    status: 403,
    meaning: 'Only a trusted node of a member registers a holder key, and each registration once.',
    remedy: 'Let the node join first; its manager registers again by itself.',
  },
  CONSTITUTION_NOT_IN_FORCE: {
    status: 409,
    meaning: 'The constitution that is acknowledged is not the one in force.',
    remedy: 'Look at the one in force with "concordat constitution show", then acknowledge that.',
  },
  ROTATION_UNFINISHED: {
    status: 409,
    meaning:
      "The holder key that came of the member's last order to replace it was dealt no share yet.",
    remedy: 'Wait until the key ceremony is over, and order it again if that is still wanted.',
  },
  HOLDER_NEEDED: {
    status: 409,
    meaning:
      'The holder key cannot be replaced now: a shared key could not be dealt anew without the share it opens.',
    remedy:
      'Wait until other members hold shares and have dealt; with as many holders as the threshold it cannot be done.',
  },
  KEY_EXPORTED: {
    status: 409,
    meaning: 'The member was given copies of all the shares it holds before.',
    remedy: 'Use those; if one is lost, ask with --again: everybody sees that there are two.',
  },
  NO_KEY_CEREMONY: {
    status: 409,
    meaning: 'No key ceremony is open, or who takes part in it has changed since.',
    remedy: 'Nothing to do: managers open the next one when it is due.',
  },
  KEY_CEREMONY_OPEN: {
    status: 409,
    meaning: 'A key ceremony is open and goes on.',
    remedy: 'Wait until it ends.',
  },
  KEY_CEREMONY_NOT_DUE: {
    status: 409,
    meaning: 'The shared key fits those who are to hold it, or too few of them are there.',
    remedy: 'Nothing to do; with too few holders let more members bring up a node.',
  },
  KEY_CEREMONY_RECORD: {
    status: 500,
    meaning: 'The record of a key ceremony does not come to the key that the ledger has.',
    remedy: 'Do not use the key: somebody changed the ledger. Audit it from its files.',
  },
  KEY_NOT_SHARED: {
    status: 409,
    meaning: 'One share alone reads what was recovered, so no copy of it leaves the enclave.',
    remedy: 'Let nodes of other members join; copies are given once they hold shares too.',
  },
  NETWORK_NOT_RECOVERING: {
    status: 409,
    meaning:
      'The network is not being recovered from the ledger of another, or is restored already.',
    remedy: 'Check the address: shares are given to the node that recovers, before it has enough.',
  },
  NETWORK_NOT_RESTORED: {
    status: 409,
    meaning:
      'What was asked for comes after the state of the former network is restored, and once.',
    remedy: 'Look at "concordat recover status": it says whose shares are missing.',
  },
  POLICY_NOT_SET: {
    status: 404,
    meaning: 'The policy to remove is not set, so its default holds already.',
    remedy: 'Nothing to do.',
  },
  LAST_MEMBER: {
    status: 409,
    meaning: 'The change would leave the network without a member.',
    remedy: 'Add a member first, or in the same proposal.',
  },
  LAST_TRUSTED_NODE: {
    status: 409,
    meaning: 'The change would leave the network without a trusted node.',
    remedy: 'Let another node join first.',
  },
  UNSATISFIABLE_VOTING_POLICY: {
    status: 409,
    meaning:
      'The change would leave a voting policy that asks for more votes than there are members.',
    remedy: 'Change the voting policy in the same proposal.',
  },
} as const;
