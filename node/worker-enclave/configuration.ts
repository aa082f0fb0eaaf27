import type { NetworkTrust } from './actors.ts';
import { WorkerError } from './errors.ts';
import type { ExternalSystem } from './external-call.ts';

/** What the manager tells a worker of the constitution. */
export interface Configuration {
  /** Each adapter's part, by id. */
  readonly adapters: Readonly<Record<string, unknown>>;
  readonly policies: unknown;
  readonly nodeId: unknown;
  readonly networkId: unknown;
  readonly trust: NetworkTrust;
  readonly externalSystems: readonly ExternalSystem[];
}

/** Reads a `configure` frame. @throws WorkerError PROTOCOL */
export function parseConfiguration(json: Uint8Array): Configuration {
  let value: Record<string, unknown>;
  try {
    value = JSON.parse(Buffer.from(json).toString('utf8')) as Record<string, unknown>;
  } catch {
    // The error would quote the text.
    throw new WorkerError('PROTOCOL', 'the configuration is not JSON');
  }
  const adapters = (value.adapters ?? {}) as Record<string, unknown>;
  const trust = (value.trust ?? { actors: [], tokenIssuers: [] }) as NetworkTrust;
  const externalSystems = (value.externalSystems ?? []) as ExternalSystem[];
  const { policies, nodeId, networkId } = value;
  return { adapters, policies, nodeId, networkId, trust, externalSystems };
}
