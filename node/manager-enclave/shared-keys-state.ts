import type { SharedKeyState, SharedKeysState, SharingState } from '@concordat/api';
import {
  type Actor,
  type KeyExport,
  keyExports,
  keyNeeds,
  openCeremonyOf,
  type RecordedSharing,
  recordedSharings,
  sharedKeys,
} from '@concordat/governance';
import type { ReadView } from '@concordat/kv';
import type { Epoch } from '@concordat/std';

/** What a state says of the shared keys, of whose shares they are, and of the copies outside. */
export function sharedKeysState(
  view: ReadView,
  { actors, epoch }: { readonly actors: readonly Actor[]; readonly epoch: Epoch },
): SharedKeysState {
  const names = new Map<string, string>(actors.map(({ actorId, name }) => [actorId, name]));
  const copies = new Map<string, KeyExport>();
  for (const row of keyExports(view)) copies.set(`${row.sharing}:${row.actorId}`, row);
  const sharings = Map.groupBy(recordedSharings(view), ({ row }) => row.key);
  const stateOf = ({ number, row }: RecordedSharing): SharingState => ({
    number,
    threshold: row.threshold,
    form: row.form,
    holders: row.holders.map(({ actorId }) => {
      const copy = copies.get(`${number}:${actorId}`);
      return {
        actorId,
        name: names.get(actorId) ?? actorId,
        copies: copy?.times ?? 0,
        ...(copy && { copiedAtSeconds: copy.atSeconds }),
      };
    }),
  });
  const keys = sharedKeys(view).map(({ key: { number, keyId } }): SharedKeyState => {
    return { number, keyId, sharings: (sharings.get(number) ?? []).map(stateOf) };
  });
  const { due, outOfReach } = keyNeeds(view);
  const open = openCeremonyOf(view);
  const state = open ? ('open' as const) : ('due' as const);
  const next = open ?? due;
  return {
    epoch,
    keys,
    ...(next && {
      ceremony: { state, purpose: next.purpose, reason: next.reason, key: next.key },
    }),
    outOfReach,
  };
}
