import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { type ClientHttp2Session, connect } from 'node:http2';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Put } from '../workloads/key-value-load.ts';
import { freePort, PeerProcess, waitForPeer } from './peer-process.ts';

const program = '/usr/bin/etcd';

/** Whether Debian's etcd is installed. */
export const etcdIsInstalled = (): boolean => existsSync(program);

/**
 * Three etcd members on the loopback, without TLS, with fsync as they come. The client speaks
 * etcd's own gRPC (etcdserverpb.KV/Put) over HTTP/2, with messages encoded here.
 */
export class EtcdCluster {
  readonly #members: PeerProcess[] = [];
  readonly #directory = mkdtempSync(join(tmpdir(), 'concordat-etcd-'));
  #sessions: ClientHttp2Session[] = [];

  /** Starts the members and connects to their leader. */
  static async start(): Promise<EtcdCluster> {
    const cluster = new EtcdCluster();
    try {
      await cluster.#start();
      return cluster;
    } catch (error) {
      await cluster.stop();
      throw error;
    }
  }

  async #start(): Promise<void> {
    const ports: { client: number; peer: number }[] = [];
    for (let at = 0; at < 3; at++) ports.push({ client: await freePort(), peer: await freePort() });
    const initial = ports.map(({ peer }, at) => `m${at}=http://127.0.0.1:${peer}`).join(',');
    for (const [at, { client, peer }] of ports.entries()) {
      const args = [
        ...['--name', `m${at}`, '--data-dir', join(this.#directory, `m${at}`)],
        ...['--listen-client-urls', `http://127.0.0.1:${client}`],
        ...['--advertise-client-urls', `http://127.0.0.1:${client}`],
        ...['--listen-peer-urls', `http://127.0.0.1:${peer}`],
        ...['--initial-advertise-peer-urls', `http://127.0.0.1:${peer}`],
        ...['--initial-cluster', initial, '--initial-cluster-state', 'new'],
        ...['--log-level', 'error'],
      ];
      this.#members.push(new PeerProcess(program, args));
    }
    let leader: number | undefined;
    await waitForPeer(this.#members[0] as PeerProcess, async () => {
      leader = await leaderPort(ports.map(({ client }) => client));
      return leader !== undefined;
    });
    // Several connections, since one shares its flow-control window among all requests.
    this.#sessions = Array.from({ length: 4 }, () => connect(`http://127.0.0.1:${leader}`));
  }

  /** A put over gRPC, committed when answered. */
  get put(): Put {
    let turn = 0;
    return (key, value, done) => {
      const session = this.#sessions[turn++ % this.#sessions.length] as ClientHttp2Session;
      const stream = session.request({
        ':method': 'POST',
        ':path': '/etcdserverpb.KV/Put',
        'content-type': 'application/grpc',
        te: 'trailers',
      });
      let status: string | undefined;
      stream.on('trailers', (trailers) => {
        status = String(trailers['grpc-status']);
      });
      stream.on('error', done);
      stream.on('end', () => {
        done(status === '0' ? undefined : new Error(`etcd answered gRPC status ${status}`));
      });
      stream.resume();
      stream.end(putMessage(key, value));
    };
  }

  /** Processor microseconds of the three members so far. */
  cpuMicros(): number {
    return this.#members.reduce((sum, member) => sum + member.figures().cpuMicros, 0);
  }

  /** Ends everything and removes its files. */
  async stop(): Promise<void> {
    for (const session of this.#sessions) session.destroy();
    await Promise.all(this.#members.map((member) => member.stop()));
    rmSync(this.#directory, { recursive: true, force: true });
  }
}

/** Asks the members, over their JSON gateway, which of them leads. */
async function leaderPort(ports: readonly number[]): Promise<number | undefined> {
  for (const port of ports) {
    const answer = await fetch(`http://127.0.0.1:${port}/v3/maintenance/status`, {
      method: 'POST',
      body: '{}',
    });
    const { leader, header } = (await answer.json()) as {
      leader?: string;
      header?: { member_id?: string };
    };
    if (leader !== undefined && leader === header?.member_id) return port;
  }
  return undefined;
}

/**
 * etcdserverpb.PutRequest {1: key, 2: value} in a gRPC frame: u8 0 (not compressed) | u32 length.
 */
export function putMessage(key: string, value: Uint8Array): Buffer {
  const keyBytes = Buffer.from(key);
  const body = Buffer.concat([
    Buffer.from([0x0a, ...varint(keyBytes.length)]),
    keyBytes,
    Buffer.from([0x12, ...varint(value.length)]),
    value,
  ]);
  const frame = Buffer.alloc(5);
  frame.writeUInt32BE(body.length, 1);
  return Buffer.concat([frame, body]);
}

/** Base-128 number of protocol buffers. */
export function varint(value: number): number[] {
  const bytes: number[] = [];
  let rest = value;
  while (rest > 127) {
    bytes.push((rest & 127) | 128);
    rest >>>= 7;
  }
  return [...bytes, rest];
}
