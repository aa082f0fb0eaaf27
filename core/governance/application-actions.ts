import {
  applicationProperties,
  readAdapterId,
  readApplication,
  removeApplication,
  setApplication,
} from './applications.ts';
import type { Action } from './effects.ts';
import {
  readExternalSystem,
  readExternalSystemName,
  removeExternalSystem,
  setExternalSystem,
} from './external-systems.ts';
import {
  readIssuer,
  readJwtIssuer,
  readJwtKeys,
  removeJwtIssuer,
  setJwtIssuer,
  setJwtKeys,
} from './jwt-issuers.ts';

/** Changes of the applications in force, of what they trust and of what they may call. */
export const applicationActions = {
  set_application: (args) => {
    const application = readApplication(args.only(applicationProperties));
    return (set) => setApplication(set, application);
  },
  remove_application: (args) => {
    const adapter = readAdapterId(args.only(['adapter']).at('adapter'));
    return (set) => removeApplication(set, adapter);
  },
  set_jwt_issuer: (args) => {
    const given = readJwtIssuer(args);
    return (set) => setJwtIssuer(set, given);
  },
  set_jwt_public_signing_keys: (args) => {
    const given = readJwtKeys(args);
    return (set) => setJwtKeys(set, given);
  },
  remove_jwt_issuer: (args) => {
    const issuer = readIssuer(args.only(['issuer']).at('issuer'));
    return (set) => removeJwtIssuer(set, issuer);
  },
  set_external_system: (args) => {
    const system = readExternalSystem(args);
    return (set) => setExternalSystem(set, system);
  },
  remove_external_system: (args) => {
    const name = readExternalSystemName(args.only(['name']).at('name'));
    return (set) => removeExternalSystem(set, name);
  },
} satisfies Record<string, Action>;
