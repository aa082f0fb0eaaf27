import { applicationListener, listenerSocket } from '@concordat/bridge';
import { isOpen } from '@concordat/governance';
import { type AdminDesks, AdminServer } from './admin-server.ts';
import { judgeAdministrativeClient } from './administrative-client.ts';
import type { Announcement } from './announcement.ts';
import { judgeApplicationClient } from './anonymous-client.ts';
import { ApplicationListener } from './application-listener.ts';
import { judgeClient } from './client-identity.ts';
import { IdentityWatch } from './identity-watch.ts';
import type { ChannelCredentials } from './node-channel.ts';
import type { NodeContext } from './node-context.ts';

/** Where application ports are opened, and as whom. */
interface ApplicationPlace {
  readonly bridgeDirectory: string;
  readonly credentials: ChannelCredentials;
}

/** The ports clients and operators come in by, from when this node serves. */
export class FrontDoors {
  readonly #node: NodeContext;
  readonly #applications: ApplicationListener[] = [];
  #admin: AdminServer | undefined;
  /** Where applications are to be served, until they are. */
  #closed: ApplicationPlace | undefined;

  readonly #watch: IdentityWatch;

  constructor(node: NodeContext) {
    this.#node = node;
    this.#watch = new IdentityWatch({
      constitution: () => node.administration.committedConstitution,
      cutOff: (gone) => {
        for (const application of this.#applications) application.cutOff(gone);
        this.#admin?.cutOff(gone);
      },
      log: (event, fields) => node.control.log(event, fields),
      nowMs: () => Date.now(),
    });
  }

  /** Opens the application port of every worker, if the network is open, and the administrative one. */
  async open(
    bridgeDirectory: string,
    credentials: ChannelCredentials,
    desks: Omit<AdminDesks, 'connections'>,
  ): Promise<void> {
    const { control } = this.#node;
    this.#closed = { bridgeDirectory, credentials };
    await this.#openApplications();
    this.#admin = new AdminServer({
      path: listenerSocket(bridgeDirectory, 'admin'),
      credentials,
      node: this.#node,
      desks: { ...desks, connections: () => this.connections },
      judge: this.#judgeAdministrativeClient,
    });
    await this.#admin.listen();
    control.listening('admin');
    this.#watch.start();
  }

  readonly #judge = (socket: Parameters<typeof judgeClient>[0]) =>
    judgeClient(socket, this.#node.administration.committedConstitution, Date.now());

  readonly #judgeAdministrativeClient = (socket: Parameters<typeof judgeClient>[0]) => {
    const constitution = this.#node.administration.committedConstitution;
    const atMs = Date.now();
    const leafDer = socket.getPeerX509Certificate()?.raw;
    const judged = judgeClient(socket, constitution, atMs);
    return judgeAdministrativeClient(judged, leafDer, { constitution, atMs });
  };

  readonly #judgeApplicationClient = (socket: Parameters<typeof judgeClient>[0]) =>
    judgeApplicationClient(this.#judge(socket), this.#node.administration.committedConstitution);

  /** Opens the application ports, once and only in a network that is open. */
  async #openApplications(): Promise<void> {
    const { administration, feed, control } = this.#node;
    const place = this.#closed;
    if (!place || !isOpen(administration.committedState)) return;
    this.#closed = undefined;
    const { bridgeDirectory, credentials } = place;
    for (const worker of feed.links) {
      worker.send({ kind: 'start' });
      const which = applicationListener(worker.index);
      const path = listenerSocket(bridgeDirectory, which);
      const application = new ApplicationListener({
        path,
        credentials,
        worker,
        judge: this.#judgeApplicationClient,
      });
      this.#applications.push(application);
      await application.listen();
      control.listening(which);
    }
  }

  /** Client connections open now. */
  get connections(): number {
    return this.#applications.reduce((sum, { connections }) => sum + connections, 0);
  }

  /**
   * Who is nobody any more, or somebody else, is cut off now (M12). A recovered network may have been
   * voted open.
   */
  constitutionChanged(): void {
    this.#openApplications().catch((error: unknown) => {
      this.#node.control.log('applications.not-opened', { level: 'error', why: String(error) });
    });
    this.#watch.constitutionChanged();
  }

  /** As {@link AdminServer.notify}. */
  notify(announcement: Announcement | undefined): void {
    this.#admin?.notify(announcement);
  }

  /** Cuts every connection and stops listening. */
  close(): void {
    this.#closed = undefined;
    this.#watch.stop();
    for (const application of this.#applications) application.stop();
    this.#admin?.stop();
  }
}
