import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { type ClientHttp2Session, connect } from 'node:http2';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Put } from '../workloads/key-value-load.ts';
import { freePort, PeerProcess, waitForPeer } from './peer-process.ts';

const program = '/usr/bin/etcd';

/** Whether Debian's etcd is installed. */
export const etcdIsInstalled = (): boolean => existsSync(program);

/** What is asked of etcd: a method of `etcdserverpb.KV` and its message in a gRPC frame. */
interface Call {
  readonly path: string;
  readonly message: Buffer;
}

/**
 * etcd members on the loopback, without TLS, with fsync as they come. The client speaks etcd's own
 * gRPC (`etcdserverpb.KV`) over HTTP/2, with messages encoded here.
 */
export class EtcdCluster {
  readonly #members: PeerProcess[] = [];
  readonly #directory = mkdtempSync(join(tmpdir(), 'concordat-etcd-'));
  #leader: ClientHttp2Session[] = [];
  #follower: ClientHttp2Session[] = [];

  /** Starts so many members and connects to their leader and, from two on, to a follower. */
  static async start(members = 3): Promise<EtcdCluster> {
    const cluster = new EtcdCluster();
    try {
      await cluster.#start(members);
      return cluster;
    } catch (error) {
      await cluster.stop();
      throw error;
    }
  }

  async #start(members: number): Promise<void> {
    const ports: { client: number; peer: number }[] = [];
    while (ports.length < members) ports.push({ client: await freePort(), peer: await freePort() });
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
    this.#leader = sessionsTo(leader as number);
    const other = ports.find(({ client }) => client !== leader);
    if (other) this.#follower = sessionsTo(other.client);
  }

  /** A put over gRPC at the leader, committed when answered. */
  get put(): Put {
    return this.#calls(this.#leader, (key, value) => ({
      path: '/etcdserverpb.KV/Put',
      message: putMessage(key, value),
    }));
  }

  /** A linearizable read (etcd's default) over gRPC, in the place of a put. */
  reads(at: 'leader' | 'follower'): Put {
    return this.#calls(at === 'leader' ? this.#leader : this.#follower, (key) => ({
      path: '/etcdserverpb.KV/Range',
      message: rangeMessage(key),
    }));
  }

  /** A read of what the leader has committed, without asking the others ("serializable"). */
  get localRead(): Put {
    return this.#calls(this.#leader, (key) => ({
      path: '/etcdserverpb.KV/Range',
      message: rangeMessage(key, 'local'),
    }));
  }

  #calls(
    sessions: readonly ClientHttp2Session[],
    callOf: (key: string, value: Uint8Array) => Call,
  ): Put {
    let turn = 0;
    return (key, value, done) => {
      const session = sessions[turn++ % sessions.length] as ClientHttp2Session;
      const { path, message } = callOf(key, value);
      const stream = session.request({
        ':method': 'POST',
        ':path': path,
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
      stream.end(message);
    };
  }

  /** Processor microseconds of the members so far. */
  cpuMicros(): number {
    return this.#members.reduce((sum, member) => sum + member.figures().cpuMicros, 0);
  }

  /** Ends everything and removes its files. */
  async stop(): Promise<void> {
    for (const session of [...this.#leader, ...this.#follower]) session.destroy();
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

/** Several connections, since one shares its flow-control window among all requests. */
const sessionsTo = (port: number): ClientHttp2Session[] =>
  Array.from({ length: 4 }, () => connect(`http://127.0.0.1:${port}`));

/**
 * etcdserverpb.PutRequest {1: key, 2: value} in a gRPC frame: u8 0 (not compressed) | u32 length.
 */
export function putMessage(key: string, value: Uint8Array): Buffer {
  return grpcFrame(field(1, Buffer.from(key)), field(2, value));
}

/**
 * etcdserverpb.RangeRequest {1: key, 7: serializable}: the value of one key, linearizably unless it
 * is asked of the member's own state.
 */
export const rangeMessage = (key: string, of: 'network' | 'local' = 'network'): Buffer =>
  grpcFrame(
    field(1, Buffer.from(key)),
    ...(of === 'local' ? [Buffer.from([(7 << 3) | 0, 1])] : []),
  );

/** A length-delimited field of protocol buffers. */
const field = (number: number, bytes: Uint8Array): Buffer =>
  Buffer.concat([Buffer.from([(number << 3) | 2, ...varint(bytes.length)]), bytes]);

function grpcFrame(...fields: readonly Buffer[]): Buffer {
  const body = Buffer.concat(fields);
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
