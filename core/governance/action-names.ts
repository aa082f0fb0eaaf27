/** The kinds of change: the names of the actions a proposal is made of. */
export const actionNames = [
  'add_actor',
  'remove_actor',
  'add_node',
  'remove_node',
  'add_code',
  'remove_code',
  'add_tee',
  'remove_tee',
  'set_voting_policy',
  'remove_voting_policy',
  'set_policy',
  'remove_policy',
  'grant_audit',
  'revoke_audit',
  'begin_epoch',
  'set_application',
  'remove_application',
  'set_jwt_issuer',
  'set_jwt_public_signing_keys',
  'remove_jwt_issuer',
  'set_external_system',
  'remove_external_system',
  'open_network',
] as const;

/** A kind of change. */
export type ActionName = (typeof actionNames)[number];
