import type { Message } from '@concordat/consensus';
import { DatadrivenError } from './errors.ts';
import { parseNames } from './names.ts';

/** A message under way. */
export interface Packet {
  readonly from: string;
  readonly to: string;
  readonly message: Message;
}

/** Most messages under way at a time. */
const maxPackets = 100_000;

/** A choice of packets: `all`, `a->b`, `a->`, `->b`, with several names on a side if need be. */
export interface Choice {
  readonly from: readonly string[] | undefined;
  readonly to: readonly string[] | undefined;
  readonly kind: Message['type'] | undefined;
}

/**
 * Reads a choice of packets, `kind` being a message type.
 * @throws DatadrivenError BAD_ARGUMENT
 */
export function parseChoice(word: string, kind: string | undefined): Choice {
  const types = [
    'append',
    'append-response',
    'vote-request',
    'vote-response',
    'timeout-now',
    'install',
    'install-response',
    'relay',
  ];
  if (kind !== undefined && !types.includes(kind)) {
    throw new DatadrivenError('BAD_ARGUMENT', `kind is one of ${types.join(', ')}, not ${kind}`);
  }
  const type = kind as Message['type'] | undefined;
  if (word === 'all') return { from: undefined, to: undefined, kind: type };
  const ends = word.split('->');
  const [from, to] = ends;
  if (ends.length !== 2 || (from === '' && to === '')) {
    throw new DatadrivenError('BAD_ARGUMENT', `all, a->b, a-> or ->b is expected, not ${word}`);
  }
  return {
    from: from ? parseNames(from) : undefined,
    to: to ? parseNames(to) : undefined,
    kind: type,
  };
}

/** Everything under way, in the order it was sent, and the links that are cut or held. */
export class Wire {
  #packets: Packet[] = [];
  #held: Choice[] = [];
  readonly #cut = new Set<string>();

  get packets(): readonly Packet[] {
    return this.#packets;
  }

  /** Takes a message; answers whether it is under way: over a cut link it is lost at once. */
  post(packet: Packet): boolean {
    if (this.#cut.has(`${packet.from}${packet.to}`)) return false;
    if (this.#packets.length >= maxPackets) {
      throw new DatadrivenError('BAD_ARGUMENT', `more than ${maxPackets} messages are under way`);
    }
    this.#packets.push(packet);
    return true;
  }

  /** Removes and answers the first `count` packets of a choice, passing over `skip` of them. */
  take(choice: Choice, count = Number.POSITIVE_INFINITY, skip = 0): Packet[] {
    const taken: Packet[] = [];
    let seen = 0;
    this.#packets = this.#packets.filter((packet) => {
      if (taken.length >= count || !isChosen(choice, packet)) return true;
      seen += 1;
      if (seen <= skip) return true;
      taken.push(packet);
      return false;
    });
    return taken;
  }

  /** Removes and answers everything that is not held back. */
  takeFree(): Packet[] {
    const held = (packet: Packet) => this.#held.some((choice) => isChosen(choice, packet));
    const free = this.#packets.filter((packet) => !held(packet));
    this.#packets = this.#packets.filter(held);
    return free;
  }

  /** Packets of a choice stay where they are until they are named, released or dropped. */
  hold(choice: Choice): void {
    this.#held.push(choice);
  }

  releaseAll(): void {
    this.#held = [];
  }

  /** Whatever is sent from one to the other from now on is lost. */
  cut(from: string, to: string): void {
    this.#cut.add(`${from}${to}`);
  }

  heal(): void {
    this.#cut.clear();
  }
}

const isChosen = ({ from, to, kind }: Choice, packet: Packet): boolean =>
  (from === undefined || from.includes(packet.from)) &&
  (to === undefined || to.includes(packet.to)) &&
  (kind === undefined || packet.message.type === kind);
