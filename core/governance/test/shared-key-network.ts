import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { createSigningKey } from '@concordat/crypto';
import {
  type CeremonyRow,
  closeCeremony,
  governanceTables,
  type HolderRegistration,
  newestCeremony,
  openCeremony,
  recordComplaint,
  recordConfirmation,
  recordDealing,
  registerHolder,
  rerunCeremony,
  resumeCeremony,
  signHolderRegistration,
} from '@concordat/governance';
import {
  createComplaint,
  createConfirmation,
  createDealing,
  createHolderKey,
  type Dealing,
  encodeComplaint,
  encodeConfirmation,
  encodeDealing,
  type HolderKey,
  proveHolderKey,
  receiveShare,
  type Scalar,
} from '@concordat/keys';
import { decodeWriteSet, Store } from '@concordat/kv';
import { type NodeId, type Seqno, toHex, toSeqno } from '@concordat/std';
import { machine, Network, organisation, seed } from './network.ts';

/** Entropy of a test: the same for the same name. */
export function entropyOf(name: string): (bytes: number) => Uint8Array {
  let calls = 0;
  return (bytes) => {
    calls++;
    const parts: Buffer[] = [];
    for (let at = 0; at * 64 < bytes; at++) {
      parts.push(createHash('sha512').update(`${name}/${calls}/${at}`).digest());
    }
    return new Uint8Array(Buffer.concat(parts).subarray(0, bytes));
  };
}

/** An actor's enclaves: its node, its holder key, and its shares by the ceremony that dealt them. */
export interface Enclave {
  readonly name: string;
  readonly nodeId: NodeId;
  readonly node: number;
  holderKey: HolderKey;
  registrations: number;
  readonly shares: Map<number, Scalar>;
}

/** A network whose members' enclaves hold ceremonies; each step one transaction. */
export class SharedKeyNetwork extends Network {
  readonly enclaves = new Map<string, Enclave>();
  readonly writeSets: Uint8Array[] = [];
  readonly entropy = entropyOf('network');
  #seqno = 0;

  /** The next transaction's position. */
  next(by = 1): Seqno {
    this.#seqno += by;
    return toSeqno(this.#seqno);
  }

  /** Runs one transaction and keeps its public writes, as a ledger does. */
  transact<Result>(change: (seqno: Seqno) => Result): Result {
    const result = change(this.next());
    this.writeSets.push(this.set.takeWriteSet().publicWrites);
    return result;
  }

  /** Brings up a member's node and registers its holder key. */
  bringUp(name: string, voters: readonly string[]): Enclave {
    const node = this.enclaves.size + 1;
    const nodeId = this.trust(voters, machine(organisation(name), node));
    const holderKey = createHolderKey(this.entropy(64));
    const enclave = { name, nodeId, node, holderKey, registrations: 0, shares: new Map() };
    this.enclaves.set(name, enclave);
    this.register(enclave);
    return enclave;
  }

  registration(enclave: Enclave, change: Partial<HolderRegistration> = {}): HolderRegistration {
    const { name, nodeId, node, holderKey, registrations } = enclave;
    const { actorId } = organisation(name);
    const owner = { networkId: this.networkId, actor: actorId };
    const unsigned = {
      actorId,
      nodeId,
      number: registrations + 1,
      encryptionKey: toHex(holderKey.encryptionKey),
      proof: toHex(proveHolderKey(owner, holderKey, this.entropy(64))),
      ...change,
    };
    const nodeKey = createSigningKey(seed(50_000 + node));
    return signHolderRegistration(this.networkId, unsigned, nodeKey);
  }

  /** A new holder key. */
  registrationKey(): HolderKey {
    return createHolderKey(this.entropy(64));
  }

  register(enclave: Enclave): void {
    const registration = this.registration(enclave);
    this.transact(() => registerHolder(this.set, registration));
    enclave.registrations++;
  }

  open(): CeremonyRow {
    return this.transact((seqno) => openCeremony(this.set, { seqno }));
  }

  get ceremony(): CeremonyRow {
    return newestCeremony(this.set) as CeremonyRow;
  }

  enclaveOf(actor: string): Enclave {
    return [...this.enclaves.values()].find(
      ({ name }) => organisation(name).actorId === actor,
    ) as Enclave;
  }

  /** The bytes of a dealer's dealing. */
  dealingOf(dealer: number): Uint8Array {
    const { terms } = resumeCeremony(this.set, this.ceremony);
    const { actor } = terms.dealers.find(({ index }) => index === dealer) as { actor: string };
    const enclave = this.enclaveOf(actor);
    const { from } = this.ceremony;
    const authorKey = from ? (enclave.shares.get(from) as Scalar) : enclave.holderKey.decryptionKey;
    return encodeDealing(createDealing(terms, { dealer, authorKey }, this.entropy));
  }

  /** All deal but those left out. */
  deal(but: readonly number[] = []): void {
    for (const { index } of this.ceremony.terms.dealers) {
      if (but.includes(index)) continue;
      const bytes = this.dealingOf(index);
      this.transact((seqno) => recordDealing(this.set, bytes, { seqno }));
    }
  }

  /** One receiver looks at what it was dealt, and complains or confirms. */
  check(index: number): 'confirmed' | 'complained' {
    const row = this.ceremony;
    const ceremony = resumeCeremony(this.set, row);
    const { terms } = ceremony;
    const { actor } = terms.receivers.find((one) => one.index === index) as { actor: string };
    const enclave = this.enclaveOf(actor);
    const { decryptionKey } = enclave.holderKey;
    const receiver = { index, decryptionKey };
    const received = receiveShare(terms, ceremony.good, receiver);
    if ('secret' in received) {
      enclave.shares.set(row.number, received.secret);
      const { counting } = ceremony;
      const bytes = encodeConfirmation(
        createConfirmation(terms, counting, receiver, this.entropy(64)),
      );
      this.transact((seqno) => recordConfirmation(this.set, bytes, { seqno }));
      return 'confirmed';
    }
    const dealing = ceremony.good.find((one) => one.dealer === received.cheatedBy[0]) as Dealing;
    const complaint = createComplaint(terms, dealing, receiver, this.entropy(64));
    const bytes = encodeComplaint(complaint);
    this.transact((seqno) => recordComplaint(this.set, bytes, { seqno }));
    return 'complained';
  }

  close() {
    return this.transact((seqno) => closeCeremony(this.set, { seqno }));
  }

  /** A whole ceremony without cheats. */
  ceremonyOf(): CeremonyRow {
    this.open();
    this.deal();
    for (const { index } of this.ceremony.terms.receivers) {
      assert.equal(this.check(index), 'confirmed');
    }
    assert.equal(this.close().state, 'done');
    assert.ok(rerunCeremony(this.set, this.ceremony.number));
    return this.ceremony;
  }

  /** Another store that saw nothing but the public writes. */
  replayed(): Store {
    const store = new Store(governanceTables);
    const set = store.begin(1);
    for (const writes of this.writeSets) {
      if (writes.length === 0) continue;
      for (const { table, key, value } of decodeWriteSet(writes)) {
        if (value) set.table(table).set(key, Uint8Array.from(value));
        else set.table(table).delete(key);
      }
    }
    set.takeWriteSet();
    set.finish();
    return store;
  }
}

/** Three members. */
export const founders = ['ada', 'bob', 'cyd'];

/** Members with a node and a holder key each, before any ceremony. */
export function networkOf(
  members: readonly string[] = founders,
  policies: Record<string, unknown> = {},
): SharedKeyNetwork {
  const network = new SharedKeyNetwork(members, { policies });
  network.transact(() => undefined);
  for (const member of members) network.bringUp(member, members);
  return network;
}
