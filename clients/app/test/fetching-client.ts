import { type ApplicationClient, SdkError } from '@concordat/sdk';

/** The client of the sdk as far as calls need it, over plain HTTP: for the fake node. */
export const fetchingClient = (url: string): Pick<ApplicationClient, 'request'> => ({
  async request(path, { method = 'GET', json } = {}) {
    const answer = await fetch(url + path, {
      method,
      ...(json !== undefined && {
        body: JSON.stringify(json),
        headers: { 'content-type': 'application/json' },
      }),
    });
    const body = Buffer.from(await answer.arrayBuffer());
    const parsed: unknown = body.length === 0 ? undefined : JSON.parse(body.toString());
    if (!answer.ok) {
      const { code, message, details } = (parsed as { error: Record<string, unknown> }).error;
      const told = { ...(details as object), status: answer.status, serverCode: code };
      throw new SdkError('UNEXPECTED_ANSWER', String(message), told);
    }
    const transactionId = answer.headers.get('x-ms-ccf-transaction-id') ?? undefined;
    return { status: answer.status, headers: {}, body, json: parsed, transactionId };
  },
});
