/** Refusals on the way in: TLS, certificates, actors, nodes' evidence. */
export const identityErrors = {
  CLIENT_CERTIFICATE_REQUIRED: {
    status: 401,
    meaning: 'The client presented no certificate.',
    remedy: "Connect with an actor's certificate and key.",
  },
  CLIENT_CERTIFICATE_EXPIRED: {
    status: 401,
    meaning: 'The certificate, or one of its chain, is past its validity.',
    remedy: 'Issue a new certificate under the same organisation certificate.',
  },
  CLIENT_CERTIFICATE_NOT_YET_VALID: {
    status: 401,
    meaning: 'The certificate, or one of its chain, is not valid yet.',
    remedy: 'Check the clocks of the issuer and of the node.',
  },
  CLIENT_CERTIFICATE_INVALID: {
    status: 401,
    meaning: 'The certificate cannot be read, its signature is wrong or its usage forbids this.',
    remedy: 'Issue a certificate for client authentication from a certificate authority.',
  },
  CLIENT_CERTIFICATE_REVOKED: {
    status: 401,
    meaning: 'The certificate, or one of its chain, is on the revocation list of its authority.',
    remedy: 'Have the organisation issue a new certificate.',
  },
  CERTIFICATE_RETIRED: {
    status: 401,
    meaning: 'The certificate was one of the actor, which has put another in its place.',
    remedy: "Use the actor's newer certificate; GET /gov/constitution shows it.",
  },
  UNKNOWN_ACTOR: {
    status: 401,
    meaning: 'The certificate or signer belongs to no actor of this network.',
    remedy: 'Use a certificate of a listed organisation, or have a member propose add_actor.',
  },
  ACTOR_REMOVED: {
    status: 403,
    meaning: 'The actor was removed from the network while the connection was open.',
    remedy: 'None on this network, unless its members add the actor again.',
  },
  NOT_A_MEMBER: {
    status: 403,
    meaning: 'Participants transact but neither propose nor vote.',
    remedy: 'Ask a member to propose the change.',
  },
  BAD_SIGNATURE: {
    status: 401,
    meaning: "The signature is not that of the signer's key over these bytes.",
    remedy: 'Sign again with the key of the certificate that kid names.',
  },
  WRONG_NETWORK: {
    status: 400,
    meaning: 'The message, node or file belongs to a network with another identity.',
    remedy: 'Compare the network id with that of GET /node/network.',
  },
  TLS_HANDSHAKE_FAILED: {
    status: 0,
    meaning: 'A connection to a listener never became TLS; it was closed.',
    remedy: 'Connect with TLS 1.3 to the right port.',
  },
  NODE_NOT_ADMITTED: {
    status: 403,
    meaning: 'The node is not in the VN list, or not yet.',
    remedy: 'Have a member propose add_node; the node tries again by itself.',
    retryable: true,
  },
  NODE_TOO_EARLY: {
    status: 403,
    meaning: 'The vote on admitting the node is still open.',
    remedy: 'None needed: the node asks again until the vote has passed.',
    retryable: true,
  },
  CONSTITUTION_NOT_APPROVED: {
    status: 0,
    meaning: "The network's constitution waits for the approval of the newcomer's operator.",
    remedy: 'Read it with "concordat constitution show --from", then approve or refuse it.',
  },
  CONSTITUTION_CHANGED: {
    status: 403,
    meaning: 'The constitution is not the one that the newcomer approved.',
    remedy: 'None needed: the node shows the changed one, and asks again.',
    retryable: true,
  },
  CONSTITUTION_REFUSED: {
    status: 0,
    meaning: 'The operator of a newcomer refused the constitution; nothing was downloaded.',
    remedy: 'None; started again, the node asks again.',
  },
  NODE_REMOVED: {
    status: 403,
    meaning: 'The node was removed from the VN list.',
    remedy: 'None for this node; its owner may ask for a new one to be admitted.',
  },
  REJOIN_REFUSED: {
    status: 403,
    meaning: "The restarted node may not take its predecessor's place without a vote.",
    remedy:
      'Have a member propose remove_node, if its address is still listed, with add_node for the new key.',
  },
  EVIDENCE_INVALID: {
    status: 403,
    meaning: 'The attestation evidence is malformed, forged, stale or not about this key.',
    remedy: 'Check the TEE and its platform key; the message names the check.',
  },
  UNLISTED_MEASUREMENT: {
    status: 403,
    meaning: 'The code the enclave runs is not in the code manifest for that role.',
    remedy: 'Run a listed image, or have a member propose add_code.',
  },
  UNLISTED_TEE: {
    status: 403,
    meaning: 'The trusted execution environment is not in the TEE manifest.',
    remedy: 'Run on a listed platform, or have a member propose add_tee.',
  },
  WRONG_ROLE: {
    status: 403,
    meaning: 'The code manifest lists the code, but not for the role it was started in.',
    remedy: 'Start the image that is listed for that role.',
  },
  WRONG_PLATFORM_KEY: {
    status: 403,
    meaning: 'Another machine vouches for the enclave than the one the network admitted.',
    remedy: 'Run the node on the machine it was admitted with, or admit a new node.',
  },
  DEBUG_ENCLAVE: {
    status: 403,
    meaning: 'The enclave was started so that it can be inspected.',
    remedy: 'Start it without debugging.',
  },
  ACTOR_KIND_MISSING: {
    status: 0,
    meaning: 'The actor is not of the kind (participant, member) that the policy asks for.',
    remedy: 'Use the identity of an actor of that kind.',
  },
  SEALED_REQUEST_MALFORMED: {
    status: 400,
    meaning: 'The sealed request, or the signed message in it, does not have its form.',
    remedy: 'Build it with the SDK, or follow docs/format/sealed-request.md.',
  },
  SEALED_KEY_UNKNOWN: {
    status: 409,
    meaning: 'The request is sealed to the key of an epoch that is over, or not known here.',
    remedy: 'Fetch /.well-known/concordat/request-key again, and seal the request to that key.',
  },
  SEALED_REQUEST_UNREADABLE: {
    status: 400,
    meaning:
      'The sealed request does not open: it was altered, or sealed to another key or network.',
    remedy: 'Compare the network; if it is the right one, whoever passes requests on alters them.',
  },
  SEALED_REQUEST_MISDIRECTED: {
    status: 421,
    meaning: 'The sealed request is for another worker of the node, or for none it has.',
    remedy: 'Name the worker whose application port the requests are passed on to.',
  },
  SEALED_REQUEST_EXPIRED: {
    status: 400,
    meaning: 'The sealed request was created more than five minutes ago by the clock of the node.',
    remedy: 'Seal it anew; if that does not help compare the clocks of client and node.',
  },
  SEALED_REQUEST_TOO_EARLY: {
    status: 400,
    meaning: 'The sealed request was created more than a minute ahead of the clock of the node.',
    remedy: 'Compare the clocks of client and node.',
  },
  SEALED_REQUEST_REPLAYED: {
    status: 409,
    meaning: 'This node has opened this very sealed request before.',
    remedy: 'Seal it anew, under the same idempotency key if it writes: then it is executed once.',
  },
  REQUEST_KEY_UNAVAILABLE: {
    status: 503,
    meaning: 'This node does not have the keys yet that requests are sealed to.',
    remedy: 'Send it again after the seconds in the Retry-After header, or to another node.',
    retryable: true,
  },
  TOKEN_MISSING: {
    status: 0,
    meaning: 'The request carries no bearer token, which the policy jwt asks for.',
    remedy: 'Send the header authorization: Bearer <token>.',
  },
  TOKEN_MALFORMED: {
    status: 401,
    meaning: 'The bearer token is not a JWT in compact form.',
    remedy: 'Send the token as its issuer gave it.',
  },
  TOKEN_KEY_UNKNOWN: {
    status: 401,
    meaning: 'The kid of the token names no key of an issuer that is trusted.',
    remedy:
      'At a node, have members propose set_jwt_issuer or set_jwt_public_signing_keys with the key; at a gateway, compare the keys the provider publishes.',
  },
  TOKEN_SIGNATURE_INVALID: {
    status: 401,
    meaning: 'The key that the kid names did not sign the token by an algorithm it is for.',
    remedy: 'Get a new token from the issuer.',
  },
  TOKEN_CLAIMS_INVALID: {
    status: 401,
    meaning: 'The token lacks a claim that is asked for (exp, nbf, subject), or it is malformed.',
    remedy: 'Have the issuer put it into its tokens; the message names it.',
  },
  TOKEN_EXPIRED: {
    status: 401,
    meaning: 'The time in exp has passed by the clock of the node or gateway, leeway included.',
    remedy: 'Get a new token from the issuer.',
  },
  TOKEN_NOT_YET_VALID: {
    status: 401,
    meaning: 'The time in nbf is yet to come by the clock of the node or gateway, leeway included.',
    remedy: 'Wait, or compare the clocks of the issuer and the node.',
  },
  TOKEN_ISSUER_WRONG: {
    status: 401,
    meaning: 'The claims iss and tid are not those that the key of the token may speak for.',
    remedy:
      'Use a token of an issuer that is trusted: by the network (jwtIssuers of the constitution), by the gateway (its configuration).',
  },
  TOKEN_AUDIENCE_WRONG: {
    status: 401,
    meaning: 'The token was issued for somebody else: its aud does not name the gateway.',
    remedy: 'Ask the issuer for a token for the audience that the gateway is configured with.',
  },
  TOKEN_ALGORITHM_REFUSED: {
    status: 401,
    meaning: 'The token is not signed, or by an algorithm that the gateway does not accept.',
    remedy: 'Have the issuer sign with one of the algorithms that the gateway is configured with.',
  },
  SIGNED_BODY_MALFORMED: {
    status: 0,
    meaning: 'The body is not a tagged COSE_Sign1 message with its payload inside.',
    remedy: 'Send the signed message itself, content type application/cose.',
  },
  SIGNER_UNKNOWN: {
    status: 0,
    meaning: 'The kid of the signed body names no certificate that an actor uses.',
    remedy:
      "Put the SHA-256 of the actor's certificate, 64 hex digits, into the protected header kid.",
  },
  SIGNER_CERTIFICATE_EXPIRED: {
    status: 0,
    meaning: 'The certificate that the membership list has of the signer is past its validity.',
    remedy: 'Have a new certificate of the organisation voted in, and sign with its key.',
  },
  SIGNER_CERTIFICATE_NOT_YET_VALID: {
    status: 0,
    meaning: 'The certificate that the membership list has of the signer is not valid yet.',
    remedy: 'Check the clocks of the issuer and of the node.',
  },
  BODY_SIGNATURE_INVALID: {
    status: 0,
    meaning: "The key of the actor's certificate did not sign the body by ES256.",
    remedy: 'Sign with the key of the certificate that the membership list has.',
  },
} as const;
