import assert from 'node:assert/strict';
import { after, mock, test } from 'node:test';
import { createSigningKey } from '@concordat/crypto';
import { buildHolderRotation } from '@concordat/governance';
import { CodedError, toHex } from '@concordat/std';
import { seed } from '../../../core/governance/test/network.ts';
import { type Enclave, networkOf } from '../../../core/governance/test/shared-key-network.ts';
import { type HolderContext, HolderPart } from '../holder-part.ts';
import { decodeCeremonyMessage } from '../key-messages.ts';
import { ShareVault } from '../share-vault.ts';

let skippedMs = 0;
const realNow = performance.now.bind(performance);
mock.method(performance, 'now', () => realNow() + skippedMs);
after(() => mock.restoreAll());

test('a registration that does not come through is sent again, of the same key, and the old key is kept', async () => {
  const governance = networkOf();
  governance.ceremonyOf();
  governance.submit(buildHolderRotation(governance.options('ada')));
  const ada = governance.enclaves.get('ada') as Enclave;
  const vault = new ShareVault({ put: async () => undefined });
  await vault.keepHolder(ada.holderKey);
  const context = {
    administration: {
      isCommitted: true,
      committedState: governance.set,
      committedConstitution: governance.constitution,
    },
    takesPart: true,
    leader: ada.nodeId,
    identity: { nodeId: ada.nodeId, signing: createSigningKey(seed(50_000 + ada.node)) },
    network: { id: governance.networkId },
    vault,
    control: { log: () => undefined },
  };
  const sent = new Set<string>();
  const part = new HolderPart(context as unknown as HolderContext, async (body) => {
    const message = decodeCeremonyMessage(body);
    assert.ok(message.kind === 'registration');
    sent.add(message.registration.encryptionKey);
    throw new CodedError('PEER_TIMEOUT', 'nobody answers');
  });
  for (let attempt = 0; attempt < 6; attempt++) {
    await part.work();
    skippedMs += 1_100;
  }
  assert.equal(sent.size, 1, 'any of them may yet commit');
  for (const encryptionKey of [toHex(ada.holderKey.encryptionKey), ...sent]) {
    assert.ok(vault.holderOf(encryptionKey));
  }
});
