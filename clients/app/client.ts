import { parseErrorBody, transactionIdHeader } from '@concordat/api';
import {
  type ApplicationAnswer,
  type ApplicationClient,
  type ApplicationRequest,
  SdkError,
} from '@concordat/sdk';
import { AnswerError } from './answer-error.ts';
import {
  type AppType,
  type CallAnswer,
  type CallArguments,
  type CallInput,
  type PlainCall,
  type RouteOf,
  targetOf,
} from './calls.ts';

/** How a call is sent; see the client of the sdk. */
export type CallOptions = Pick<
  ApplicationRequest,
  'consistency' | 'idempotencyKey' | 'timeoutMs' | 'signal' | 'headers' | 'safe'
> & {
  /** The transaction that a historical endpoint is asked about: `view.seqno`. */
  readonly transactionId?: string | undefined;
};

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
    { transactionId: about, headers, ...options }: CallOptions = {},
  ): Promise<CallResult<unknown>> => {
    const { method, path } = targetOf(route, input);
    const request = {
      method,
      ...(input.body !== undefined && { json: input.body }),
      headers: { ...(about !== undefined && { [transactionIdHeader]: about }), ...headers },
      ...options,
    };
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
    const answer = await client.request(path, request);
    // What is not ready yet is an error of the application like any other.
    const early = answer.status === 202 ? parseErrorBody(answer.json) : undefined;
    if (early === undefined) return answer;
    const { code, message, details } = early.error;
    throw new AnswerError(answer.status, code, message, details);
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
