import type { Message } from '@concordat/consensus';
import type { NodeId } from '@concordat/std';
import { type NetworkOptions, nodeOf, type SuiteNetwork } from './consensus-network.ts';

const steps = 1500;

interface Packet {
  readonly to: NodeId;
  readonly from: NodeId;
  readonly message: Message;
}

/** Random orders of ticks, messages, losses, slow disks, proposals and changes, from seeds. */
export const randomSchedules = (
  build: (voters: number, options?: NetworkOptions) => SuiteNetwork,
): [string, () => void][] =>
  [3, 4, 5].map((voters) => [
    `${voters} voters agree whatever order ticks, messages, losses and disks come in`,
    () => {
      for (let seed = 1; seed <= 6; seed += 1) {
        const network = build(voters, {
          seed,
          change: { maxMemoryBytes: 400, maxAppendBytes: 200 },
        });
        try {
          disturb(network);
          calm(network);
        } catch (error) {
          throw new Error(`seed ${seed}: ${(error as Error).message}`, { cause: error });
        }
      }
    },
  ]);

function disturb(network: SuiteNetwork): void {
  const wire: Packet[] = [];
  const { random } = network;
  const pick = <Item>(items: readonly Item[]): Item =>
    items[Math.floor(random() * items.length)] as Item;
  const work = (): void => {
    for (const node of network.nodes.values()) {
      for (const { to, message } of network.work(node)) {
        if (random() < 0.9) wire.push({ from: node.id, to, message });
        if (random() < 0.05) wire.push({ from: node.id, to, message });
      }
    }
  };
  let started = network.voters.length;
  for (let step = 0; step < steps; step += 1) {
    const node = pick([...network.nodes.values()]);
    const dice = random();
    if (dice < 0.45 && wire.length > 0) {
      const [packet] = wire.splice(Math.floor(random() * wire.length), 1) as [Packet];
      network.nodes.get(packet.to)?.machine.step(packet.from, packet.message);
    } else if (dice < 0.75) node.machine.tick();
    else if (dice < 0.8) node.persists = !node.persists;
    else if (dice < 0.95) node.machine.propose(Buffer.from(`${step}`));
    else if (dice < 0.96) node.machine.transferLeadership();
    else if (dice < 0.965 && started < 7 && node.role === 'leader') {
      started += 1;
      network.start(nodeOf(started));
      node.machine.addLearner(nodeOf(started));
    } else if (dice < 0.975 && node.role === 'leader') {
      const known = [node.id, ...node.machine.status.progress.keys()];
      const chosen = known.filter((id) => id === node.id || random() < 0.8);
      node.machine.propose(Buffer.from(`${step}`), network.configuration(chosen));
    }
    work();
  }
}

/** Without losses, with working disks, all of them come to agree. */
function calm(network: SuiteNetwork): void {
  for (const node of network.nodes.values()) {
    node.persists = true;
    node.persist();
  }
  network.leader(network.voters.length > 0 ? undefined : []);
  const voters = (): boolean =>
    network.voters.every((id) => network.nodes.get(id)?.committed === network.history.length);
  network.until(voters, 'all voters agree', 3000);
}
