import * as ccfapp from '@microsoft/ccf-app';

const statements = ccfapp.typedKv('statements', ccfapp.string, ccfapp.arrayBuffer);

export function keepSigned(request: ccfapp.Request): ccfapp.Response {
  const caller = request.caller as
    | ccfapp.UserCOSESign1AuthnIdentity
    | ccfapp.MemberCOSESign1AuthnIdentity;
  statements.set(caller.id, caller.cose.content);
  const content = ccfapp.string.decode(caller.cose.content);
  return { body: { policy: caller.policy, id: caller.id, content } };
}

export function whoCalls({ caller }: ccfapp.Request): ccfapp.Response {
  return { body: caller };
}
