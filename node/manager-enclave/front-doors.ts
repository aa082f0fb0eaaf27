import { applicationListener, listenerSocket } from '@concordat/bridge';
import type { ActorId } from '@concordat/std';
import { type AdminDesks, AdminServer } from './admin-server.ts';
import type { Announcement } from './announcement.ts';
import { ApplicationListener } from './application-listener.ts';
import { judgeClient } from './client-identity.ts';
import type { ChannelCredentials } from './node-channel.ts';
import type { NodeContext } from './node-context.ts';

/** The ports clients and operators come in by, from when this node serves. */
export class FrontDoors {
  readonly #node: NodeContext;
  readonly #applications: ApplicationListener[] = [];
  #admin: AdminServer | undefined;

  constructor(node: NodeContext) {
    this.#node = node;
  }

  /** Opens the application port of every worker, then the administrative port. */
  async open(
    bridgeDirectory: string,
    credentials: ChannelCredentials,
    desks: Omit<AdminDesks, 'connections'>,
  ): Promise<void> {
    const { administration, feed, control } = this.#node;
    const judge = (socket: Parameters<typeof judgeClient>[0]) =>
      judgeClient(socket, administration.committedConstitution, Date.now());
    for (const worker of feed.links) {
      worker.send({ kind: 'start' });
      const which = applicationListener(worker.index);
      const path = listenerSocket(bridgeDirectory, which);
      const application = new ApplicationListener({ path, credentials, worker, judge });
      this.#applications.push(application);
      await application.listen();
      control.listening(which);
    }
    this.#admin = new AdminServer({
      path: listenerSocket(bridgeDirectory, 'admin'),
      credentials,
      node: this.#node,
      desks: { ...desks, connections: () => this.connections },
      judge,
    });
    await this.#admin.listen();
    control.listening('admin');
  }

  /** Client connections open now. */
  get connections(): number {
    return this.#applications.reduce((sum, { connections }) => sum + connections, 0);
  }

  /** The membership list changed: whoever was removed is cut off now (M12). */
  actorsChanged(): void {
    const { actors } = this.#node.administration.committedConstitution;
    const present = new Set(actors.map(({ actorId }) => actorId));
    const removed = (actor: ActorId): boolean => !present.has(actor);
    for (const application of this.#applications) application.cutOff(removed);
    this.#admin?.cutOff(removed);
  }

  /** Tells those who watch the administrative channel what a committed block changed. */
  notify(announcement: Announcement): void {
    this.#admin?.notify(announcement);
  }

  /** Cuts every connection and stops listening. */
  close(): void {
    for (const application of this.#applications) application.stop();
    this.#admin?.stop();
  }
}
