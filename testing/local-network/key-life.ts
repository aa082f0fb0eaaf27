import { adminPaths } from '@concordat/api';
import type { LocalNetwork } from './local-network.ts';
import type { LocalNode } from './local-node.ts';
import { waitUntil } from './waiting.ts';

/**
 * Waits until a node holds no other session key than that of the epoch in force. However short the
 * policy `sessionKeyTtl`, it keeps the others for five seconds.
 */
export async function onlyNewestKey(network: LocalNetwork, node: LocalNode): Promise<void> {
  const admin = await network.admin(node);
  let held: string | undefined;
  const isAlone = async (): Promise<boolean> => {
    const { body } = await admin.connection.request({ path: adminPaths.metrics });
    [, held] = /^\S*session_keys(?:\{\S*\})? (\d+)$/m.exec(body.toString()) ?? [];
    return held === '1';
  };
  const what = `${node.name} to let go of old keys`;
  await waitUntil(isAlone, { what, seen: () => held }).finally(() => admin.close());
}
