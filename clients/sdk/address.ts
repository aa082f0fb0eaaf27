import { SdkError } from './errors.ts';

/** Where a node listens. */
export interface HostAndPort {
  /** Name or address, IPv6 without brackets. */
  readonly host: string;
  /** 1-65,535. */
  readonly port: number;
}

/**
 * Reads `host:port` or `[v6]:port`, as node lists hold them.
 * @throws SdkError INVALID_ADDRESS
 */
export function parseAddress(address: string): HostAndPort {
  const match = /^(?:\[([0-9a-fA-F:.]+)\]|([^:/?#@\s]+)):(\d{1,5})$/.exec(address);
  const host = match?.[1] ?? match?.[2];
  const port = Number(match?.[3]);
  if (host === undefined || port < 1 || port > 65_535) {
    throw new SdkError('INVALID_ADDRESS', `${address.slice(0, 100)} is not host:port`);
  }
  return { host, port };
}
