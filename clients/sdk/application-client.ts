import { ApplicationCalls, type CallOptions } from './application-calls.ts';
import { Connection, type ConnectionOptions } from './connection.ts';

/** How to reach applications. */
export interface ApplicationClientOptions extends ConnectionOptions, CallOptions {}

/** One application port of one node. */
export class ApplicationClient extends ApplicationCalls {
  readonly connection: Connection;

  /** @throws SdkError INVALID_ADDRESS, INVALID_NETWORK_CERTIFICATE */
  constructor(options: ApplicationClientOptions) {
    const connection = new Connection(options);
    super(connection, options);
    this.connection = connection;
  }

  /** Cuts its connections; not the admin client's. */
  close(): void {
    this.connection.close();
  }
}
