import { toActorId, toHex, utf8 } from '@concordat/std';
import type { Actor } from '@concordat/worker-enclave';

/** An actor for tests: the same name gives the same identity, the name's hex padded to 64 digits. */
export const createFakeActor = (name: string, roles: readonly string[] = []): Actor => ({
  actorId: toActorId(toHex(utf8(name)).slice(0, 64).padEnd(64, '0')),
  name,
  kinds: ['participant'],
  roles,
});
