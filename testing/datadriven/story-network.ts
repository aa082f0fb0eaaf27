import {
  decodeMessage,
  type Effects,
  encodeMessage,
  type Message,
  type Outgoing,
} from '@concordat/consensus';
import type { Height, NodeId } from '@concordat/std';
import { DatadrivenError } from './errors.ts';
import { messageWords } from './message-words.ts';
import { entryText, idOf, nameOf, positionText } from './names.ts';
import { type Cause, changesOf, sentBy, type Work } from './reasons.ts';
import { StoryNode, type StorySettings } from './story-node.ts';
import { chunkBytes, readChunk, snapshotName } from './story-snapshots.ts';
import { type Packet, Wire } from './wire.ts';

/** Most messages that are delivered before a network must be quiet. */
const maxDeliveries = 20_000;

/** How much is told: `all`: messages as well; `changes`: what they change; `nothing`. */
export type TraceLevel = 'all' | 'changes' | 'nothing';

/**
 * A small network that does nothing but what it is told, and tells what that changes. Whatever
 * happens, no two nodes may commit different entries and no view may have two leaders.
 */
export class StoryNetwork {
  readonly settings: StorySettings;
  readonly nodes = new Map<string, StoryNode>();
  readonly wire = new Wire();
  readonly #trace: string[] = [];
  #tells: TraceLevel = 'all';
  #indent = '';
  readonly #committed: string[] = [];
  readonly #leaders = new Map<number, string>();

  constructor(settings: StorySettings) {
    this.settings = settings;
  }

  add(name: string, timeoutTicks: number): StoryNode {
    if (this.nodes.has(name)) throw new DatadrivenError('BAD_ARGUMENT', `there is a node ${name}`);
    const node = new StoryNode(name, this.settings, timeoutTicks);
    this.nodes.set(name, node);
    return node;
  }

  /** @throws DatadrivenError BAD_ARGUMENT when there is no such node, or it is down */
  node(name: string, state: 'running' | 'any' = 'running'): StoryNode {
    const node = this.nodes.get(name);
    if (!node) throw new DatadrivenError('BAD_ARGUMENT', `there is no node ${name}`);
    if (state === 'running' && !node.up) {
      throw new DatadrivenError('BAD_ARGUMENT', `${name} is down`);
    }
    return node;
  }

  running(): StoryNode[] {
    return [...this.nodes.values()].filter((node) => node.up);
  }

  /** Adds a line to the trace, indented under the message that caused it. */
  say(line: string): void {
    if (this.#tells !== 'nothing') this.#trace.push(`${this.#indent}${line}`);
  }

  /** The trace since the last call; a line that repeats itself stands there once. */
  takeTrace(): string[] {
    const lines: { text: string; times: number }[] = [];
    for (const text of this.#trace.splice(0)) {
      const last = lines[lines.length - 1];
      if (last?.text === text) last.times += 1;
      else lines.push({ text, times: 1 });
    }
    return lines.map(({ text, times }) => (times === 1 ? text : `${text} (${times} times)`));
  }

  /** Does something with less in the trace. */
  tell<Result>(level: TraceLevel, action: () => Result): Result {
    this.#tells = level;
    try {
      return action();
    } finally {
      this.#tells = 'all';
    }
  }

  /** One unit of time passes for a node; answers whether it began to ask for votes. */
  tick(node: StoryNode): boolean {
    return this.act(node, { kind: 'tick' }, () => {
      node.ticks += 1;
      node.machine.tick();
    });
  }

  /** Hands a message to its receiver, over the encoding that travels. */
  deliver({ from, to, message }: Packet): void {
    const heading = `${to} <- ${from}  ${messageWords(message)}`;
    const node = this.nodes.get(to);
    if (!node?.up) {
      if (this.#tells === 'all') this.say(`${heading} (lost: ${to} is down)`);
      return;
    }
    if (this.#tells === 'all') this.say(heading);
    if (this.#tells === 'all') this.#indent = '  ';
    const travelled = decodeMessage(Buffer.concat(encodeMessage(message)));
    this.act(node, { kind: 'message', from, message }, () => this.#step(node, from, travelled));
    this.#indent = '';
  }

  /** Delivers until nobody has anything to say; answers how many messages that took. */
  settle(): number {
    let delivered = 0;
    for (let packets = this.wire.takeFree(); packets.length > 0; packets = this.wire.takeFree()) {
      for (const packet of packets) this.deliver(packet);
      delivered += packets.length;
      if (delivered > maxDeliveries) {
        throw new DatadrivenError('UNSAFE', `not quiet after ${maxDeliveries} messages`);
      }
    }
    return delivered;
  }

  /** Does something to a node, tells what it changes; answers whether it asks for votes now. */
  act(node: StoryNode, cause: Cause, action: () => void): boolean {
    const before = node.picture();
    action();
    const work: Work = { effects: [], dropped: [] };
    const due: Outgoing[] = [];
    for (let effects = node.machine.takeEffects(); effects; effects = node.machine.takeEffects()) {
      work.effects.push(effects);
      if (effects.truncateAfter !== undefined) {
        work.dropped.push(...node.disk.above(effects.truncateAfter));
      }
      if (effects.receptionDropped) node.disk.forgetReception();
      node.disk.give(effects);
      due.push(...effects.messages);
      if (this.settings.disk === 'auto') due.push(...this.#sync(node));
      this.#readFor(node, effects);
    }
    this.#check(node, before.committed);
    for (const line of changesOf(node, cause, before, work)) this.say(line);
    this.#noteFed(node, before.role === 'leader');
    this.send(node, due);
    return sentBy(work).some((message) => message.type === 'vote-request');
  }

  /** Completes disk work of a node: `count` jobs of it, or all. */
  sync(node: StoryNode, count?: number): void {
    const before = node.disk.durableHeight;
    const sends: Outgoing[] = [];
    this.act(node, { kind: 'command' }, () => sends.push(...this.#sync(node, count)));
    if (node.disk.durableHeight !== before) {
      this.say(`${node.name}  has up to ${node.disk.durableHeight} on disk`);
    }
    this.send(node, sends);
  }

  send(node: StoryNode, outgoing: readonly Outgoing[]): void {
    for (const { to, message } of outgoing) {
      const packet = { from: node.name, to: nameOf(to), message };
      const lost = this.wire.post(packet) ? '' : ' (lost: the link is cut)';
      if (this.#tells === 'all') {
        this.say(`${packet.from} -> ${packet.to}  ${messageWords(message)}${lost}`);
      }
    }
  }

  #step(node: StoryNode, from: string, message: Message): void {
    const refusal = node.machine.step(idOf(from), message);
    if (!refusal) node.heard(from, message);
    // What comes after a view or an election is over is no news.
    else if (this.#tells === 'all' || !['UNEXPECTED', 'STALE_VIEW'].includes(refusal.code))
      this.say(`${node.name}  takes no notice, ${refusal.code}: ${withNames(refusal.message)}`);
  }

  #sync(node: StoryNode, count?: number): readonly Outgoing[] {
    const { last, chunks, send } = node.disk.sync(count);
    if (last) node.machine.persisted(last.height, last.view);
    for (const { position, index, bytes } of chunks) {
      const { digest } = position;
      const of = `chunk ${index} of snapshot ${snapshotName(digest)}`;
      if (Buffer.from(bytes).equals(chunkBytes(digest, index))) {
        this.say(`${node.name}  stores ${of}`);
        node.machine.chunkStored(digest, index);
      } else {
        this.say(`${node.name}  finds ${of} spoiled`);
        node.machine.restoreFailed(digest);
      }
    }
    return send;
  }

  /** Answers what a machine asks its driver for. */
  #readFor(node: StoryNode, effects: Effects): void {
    for (const { peer, from, maxBytes } of effects.fetch) {
      node.machine.provide(peer, node.disk.read(from, maxBytes));
    }
    for (const { peer, digest, index } of effects.chunkFetch) {
      node.machine.provideChunk(peer, digest, index, readChunk(node, digest, index));
    }
    if (!effects.restore) return;
    const name = snapshotName(effects.restore.digest);
    this.say(`${node.name}  has all of snapshot ${name} and makes its state its own`);
    node.restoring = effects.restore;
    if (this.settings.restore === 'auto') this.restored(node);
  }

  /** The state of a node is that of the snapshot it was restoring. */
  restored(node: StoryNode): void {
    const position = node.restoring;
    if (!position) throw new DatadrivenError('BAD_ARGUMENT', `${node.name} restores nothing`);
    node.restoring = undefined;
    node.disk.restore(position);
    node.machine.restored(position.digest);
    this.say(`${node.name}  begins after ${positionText(position)}`);
  }

  /** A peer that is fed from now on counts as heard now; so do all when a lead begins. */
  #noteFed(node: StoryNode, led: boolean): void {
    if (!led) node.heardAt.clear();
    for (const peer of node.machine.status.progress.keys()) {
      const name = nameOf(peer);
      if (!node.heardAt.has(name)) node.heardAt.set(name, node.ticks);
    }
  }

  #check(node: StoryNode, before: Height): void {
    const { role, view, committed } = node.machine.status;
    for (let height = before + 1; height <= committed; height += 1) {
      const entry = node.disk.entry(height);
      if (!entry) continue;
      const text = entryText(entry);
      this.#committed[height] ??= text;
      if (this.#committed[height] !== text) {
        const why = `${node.name} commits ${text} where ${this.#committed[height]} is committed`;
        throw new DatadrivenError('UNSAFE', why);
      }
    }
    if (role !== 'leader') return;
    const other = this.#leaders.get(view) ?? node.name;
    this.#leaders.set(view, node.name);
    if (other !== node.name) {
      throw new DatadrivenError('UNSAFE', `${other} and ${node.name} both led view ${view}`);
    }
  }
}

/** A sentence of the machine with names in place of identities. */
const withNames = (sentence: string): string =>
  sentence.replace(/[0-9a-f]{64}/g, (id) => nameOf(id as NodeId));
