import {
  type ApplicationAnswer,
  type ApplicationClient,
  type ApplicationRequest,
  SdkError,
} from '@concordat/sdk';
import {
  type AppType,
  type CallAnswer,
  type CallArguments,
  type CallInput,
  type PlainCall,
  type RouteOf,
  targetOf,
} from './calls.ts';
import { AnswerError } from './test-app.ts';

/** How a call is sent; see the client of the sdk. */
export type CallOptions = Pick<
  ApplicationRequest,
  'consistency' | 'idempotencyKey' | 'timeoutMs' | 'signal' | 'headers' | 'safe'
>;

/** What a call answered. */
export interface CallResult<Body> {
  readonly status: number;
  readonly body: Body;
  /** `view.seqno` of the transaction it made, or of the state it was answered from. */
  readonly transactionId: string | undefined;
}

/** An application behind a connection, with the types of its definition. */
export interface AppClient<A extends AppType> {
  /**
   * Calls an endpoint.
   * @throws AnswerError with the application's code, SdkError with one of the network's
   */
  call<R extends RouteOf<A>>(
    route: R,
    ...given: CallArguments<CallInput<A, R>, CallOptions>
  ): Promise<CallResult<CallAnswer<A, R>>>;
}

/** A client with the types of a definition: `createClient<typeof app>(connection)`. */
export function createClient<A extends AppType>(
  client: Pick<ApplicationClient, 'request'>,
): AppClient<A> {
  const call = async (
    route: string,
    input: PlainCall = {},
    options: CallOptions = {},
  ): Promise<CallResult<unknown>> => {
    const { method, path } = targetOf(route, input);
    const request = { method, ...(input.body !== undefined && { json: input.body }), ...options };
    const { status, json, transactionId } = await sent(client, path, request);
    return { status, body: json, transactionId };
  };
  return { call: call as AppClient<A>['call'] };
}

async function sent(
  client: Pick<ApplicationClient, 'request'>,
  path: string,
  request: ApplicationRequest,
): Promise<ApplicationAnswer> {
  try {
    return await client.request(path, request);
  } catch (error) {
    throw applicationError(error) ?? error;
  }
}

/** The error of an application, whose codes the catalogue does not have. */
function applicationError(error: unknown): AnswerError | undefined {
  if (!(error instanceof SdkError)) return undefined;
  const { status, serverCode, ...details } = error.details;
  if (typeof serverCode !== 'string' || typeof status !== 'number') return undefined;
  return new AnswerError(status, serverCode, error.message, details);
}
