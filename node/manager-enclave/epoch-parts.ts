import type { Constitution } from '@concordat/governance';
import type { ReadView } from '@concordat/kv';
import { toHeight } from '@concordat/std';
import { entropy, pause } from './enclave-sources.ts';
import { EpochDesk, type EpochQuestions } from './epoch-desk.ts';
import { type GatheredKeys, KeyCollector } from './key-collector.ts';
import { NetworkKey } from './network-key.ts';
import { NetworkKeyDesk } from './network-key-desk.ts';
import type { NodeContext } from './node-context.ts';
import { SessionKeys } from './session-keys.ts';
import { ShareDesk } from './share-desk.ts';

/** What a node has to do with session keys. */
export interface EpochParts {
  readonly sessionKeys: SessionKeys;
  readonly keyCollector: KeyCollector;
  readonly shareDesk: ShareDesk;
  readonly epochs: EpochDesk;
  readonly networkKey: NetworkKey;
  readonly networkKeyDesk: NetworkKeyDesk;
}

/** What they ask of the node, and tell it. */
export interface EpochPartQuestions extends EpochQuestions {
  /** The constitution peers are judged by. */
  constitution(): Constitution | undefined;
  /** The committed state that shares are given by; undefined while there is none. */
  committed(): ReadView | undefined;
}

/** Makes them. The node may still be under construction: nothing of it is asked before it is used. */
export function createEpochParts(node: NodeContext, asked: EpochPartQuestions): EpochParts {
  const sessionKeys = new SessionKeys(() => toHeight(node.log.lastHeight + 1));
  const vault = {
    shareOf: (keyNumber: number, sharing: number) => node.vault.shareOf(keyNumber, sharing),
  };
  const networkId = (): string => node.network.id;
  const nowMs = (): number => Date.now();
  const shared = { networkId, vault, entropy, nowMs };
  const collectorOf = (keys: GatheredKeys): KeyCollector =>
    new KeyCollector({
      ...shared,
      self: node.identity.nodeId,
      keys,
      channel: { request: (...request) => node.channel.request(...request) },
      pause,
      tell: (event, fields) => node.control.log(event, fields),
    });
  const keyCollector = collectorOf(sessionKeys);
  const shareDesk = new ShareDesk({
    ...shared,
    committed: () => asked.committed(),
    refused: (code) => node.refusals.add('share', code),
  });
  const epochs = new EpochDesk(node, keyCollector, asked);
  const networkKey = new NetworkKey(() => node.network.certificate);
  const gathering = collectorOf(networkKey);
  const networkKeyDesk = new NetworkKeyDesk(node, gathering, () => epochs.source);
  return { sessionKeys, keyCollector, shareDesk, epochs, networkKey, networkKeyDesk };
}
