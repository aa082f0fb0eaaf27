import { connect, type Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { BinaryReader, BinaryWriter } from '@concordat/std';
import { BridgeError } from './errors.ts';

/** Longest address in a dial request, in bytes. */
export const maxDialAddressBytes = 256;
const maxReasonBytes = 1024;

/**
 * Asks the host for a TCP connection to `address` (`host:port`) and returns the socket once bytes
 * written to it reach the peer. The socket is paused: attach to it, then read.
 * @throws BridgeError DIAL_FAILED
 */
export async function dialThroughHost(
  socketPath: string,
  address: string,
  { timeoutMs = 10_000 }: { readonly timeoutMs?: number } = {},
): Promise<Socket> {
  const socket = connect(socketPath);
  const timer = setTimeout(() => {
    socket.destroy(new BridgeError('DIAL_FAILED', `no answer within ${timeoutMs} ms`, { address }));
  }, timeoutMs);
  try {
    socket.write(encodeDialRequest(address));
    const reason = await readDialReply(socket);
    if (reason !== undefined) throw new BridgeError('DIAL_FAILED', reason, { address });
    return socket;
  } catch (error) {
    socket.destroy();
    if (error instanceof BridgeError && error.code === 'DIAL_FAILED') throw error;
    throw new BridgeError('DIAL_FAILED', (error as Error).message, { address });
  } finally {
    clearTimeout(timer);
  }
}

/** The request: u16 length, then the address in UTF-8. */
export const encodeDialRequest = (address: string): Buffer =>
  new BinaryWriter().text(address).take();

/** The answer: u8 0 when connected, else u8 1 and the reason as text. */
export const encodeDialReply = (reason?: string): Buffer =>
  reason === undefined
    ? new BinaryWriter().u8(0).take()
    : new BinaryWriter()
        .u8(1)
        .text(reason.slice(0, maxReasonBytes / 4))
        .take();

/**
 * Reads a dial request; what follows it stays in the socket, which is left paused.
 * @throws BridgeError MALFORMED_FRAME, TRUNCATED_STREAM
 */
export async function readDialRequest(socket: Duplex): Promise<string> {
  const length = new BinaryReader(await readExactly(socket, 2)).u16();
  if (length === 0 || length > maxDialAddressBytes) {
    throw new BridgeError('MALFORMED_FRAME', `dial address of ${length} bytes`);
  }
  return (await readExactly(socket, length)).toString('utf8');
}

async function readDialReply(socket: Duplex): Promise<string | undefined> {
  const answer = (await readExactly(socket, 1))[0];
  if (answer === 0) return undefined;
  if (answer !== 1) throw new BridgeError('MALFORMED_FRAME', `dial answer ${answer}`);
  const length = (await readExactly(socket, 2)).readUInt16BE();
  if (length > maxReasonBytes) throw new BridgeError('MALFORMED_FRAME', 'dial reason too long');
  return (await readExactly(socket, length)).toString('utf8');
}

/** Takes exactly this many bytes and leaves the rest in the socket. */
function readExactly(socket: Duplex, bytes: number): Promise<Buffer> {
  if (bytes === 0) return Promise.resolve(Buffer.alloc(0));
  return new Promise((resolve, reject) => {
    const settle = (): void => {
      socket.off('readable', onReadable);
      socket.off('error', onError);
      socket.off('close', onEnd);
      socket.off('end', onEnd);
    };
    const onReadable = (): void => {
      const chunk: Buffer | null = socket.read(bytes);
      // A socket that has ended returns what is left, however short.
      if (chunk === null) return;
      settle();
      if (chunk.length === bytes) resolve(chunk);
      else reject(new BridgeError('TRUNCATED_STREAM', 'the stream ended inside a message'));
    };
    const onError = (error: Error): void => {
      settle();
      reject(error);
    };
    const onEnd = (): void => {
      settle();
      reject(new BridgeError('TRUNCATED_STREAM', 'the stream ended inside a message'));
    };
    socket.on('readable', onReadable);
    socket.on('error', onError);
    socket.on('close', onEnd);
    socket.on('end', onEnd);
    onReadable();
  });
}
