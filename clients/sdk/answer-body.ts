import type { IncomingMessage } from 'node:http';
import { SdkError } from './errors.ts';

/**
 * The whole body of an answer. By events: asynchronous iteration costs several times as much.
 * @throws SdkError UNEXPECTED_ANSWER beyond `maxBytes`, CONNECTION_LOST; what the stream throws
 */
export function collectBody(message: IncomingMessage, maxBytes: number): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const parts: Buffer[] = [];
    let bytes = 0;
    message.on('data', (part: Buffer) => {
      bytes += part.length;
      parts.push(part);
      if (bytes <= maxBytes) return;
      message.destroy(new SdkError('UNEXPECTED_ANSWER', `a body of more than ${maxBytes} bytes`));
    });
    message.on('end', () => {
      resolve(parts.length === 1 ? (parts[0] as Buffer) : Buffer.concat(parts, bytes));
    });
    message.on('error', reject);
    message.on('close', () => {
      if (!message.readableEnded) reject(new SdkError('CONNECTION_LOST', 'the body was cut off'));
    });
  });
}
