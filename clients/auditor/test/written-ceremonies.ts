import { randomBytes } from 'node:crypto';
import {
  type CeremonyRow,
  closeCeremony,
  newestCeremony,
  openCeremony,
  recordConfirmation,
  recordDealing,
  registerHolder,
  resumeCeremony,
} from '@concordat/governance';
import {
  createComplaint,
  createConfirmation,
  createDealing,
  createHolderKey,
  type Dealing,
  decodeDealing,
  encodeComplaint,
  encodeConfirmation,
  encodeDealing,
  type HolderKey,
  receiveShare,
  type Scalar,
  signDealing,
} from '@concordat/keys';
import type { TransactionSet } from '@concordat/kv';
import type { Identity } from '@concordat/sdk';
import { type ActorId, type Seqno, toSeqno } from '@concordat/std';
import { holderRegistration } from '../../../node/manager-enclave/holder-registration.ts';
import type { NodeIdentity } from '../../../node/manager-enclave/node-identity.ts';
import type { WrittenLedger } from './written-ledger.ts';

const entropy = (bytes: number): Uint8Array => new Uint8Array(randomBytes(bytes));

/** What an actor's enclaves hold. */
export interface Enclave {
  readonly holderKey: HolderKey;
  /** Shares by the ceremony that dealt them. */
  readonly shares: Map<number, { readonly index: number; readonly secret: Scalar }>;
}

/** The enclaves of a ledger's actors, which hold ceremonies as nodes and their leader do. */
export class WrittenCeremonies {
  readonly enclaves = new Map<ActorId, Enclave>();
  readonly #ledger: WrittenLedger;

  constructor(ledger: WrittenLedger) {
    this.#ledger = ledger;
  }

  /** An actor's enclave, known from here on. */
  keep(actorId: ActorId, holderKey: HolderKey): Enclave {
    const enclave: Enclave = { holderKey, shares: new Map() };
    this.enclaves.set(actorId, enclave);
    return enclave;
  }

  /** A member's node joins and registers its actor's holder key, two blocks and those of the join. */
  bringUp(member: Identity): NodeIdentity {
    const node = this.#ledger.join({}, member);
    this.register(member, node);
    return node;
  }

  /** A node registers its actor's holder key. */
  register(member: Identity, node: NodeIdentity, number = 1): void {
    const { holderKey } = this.keep(member.actorId, createHolderKey(entropy(64)));
    const registration = holderRegistration({
      networkId: this.#ledger.networkId,
      actorId: member.actorId,
      identity: node,
      holderKey,
      number,
      entropy,
    });
    this.#ledger.administer((set) => registerHolder(set, registration));
  }

  /** The newest ceremony. */
  get ceremony(): CeremonyRow {
    return newestCeremony(this.#ledger.administration.head) as CeremonyRow;
  }

  /** Position of the next transaction. */
  get seqno(): Seqno {
    return toSeqno(this.#ledger.nextSeqno);
  }

  /** The bytes of a dealer's dealing. */
  dealingOf(dealer: number): Uint8Array {
    const { terms } = resumeCeremony(this.#ledger.administration.head, this.ceremony);
    const { actor } = terms.dealers.find(({ index }) => index === dealer) as { actor: string };
    const { holderKey, shares } = this.enclaves.get(actor as ActorId) as Enclave;
    const { from } = this.ceremony;
    const share = from === undefined ? undefined : shares.get(from);
    const authorKey = share?.secret ?? holderKey.decryptionKey;
    return encodeDealing(createDealing(terms, { dealer, authorKey }, entropy));
  }

  /** A receiver's confirmation, with its share kept. */
  confirmationOf(index: number): Uint8Array {
    const row = this.ceremony;
    const ceremony = resumeCeremony(this.#ledger.administration.head, row);
    const { terms, counting } = ceremony;
    const { actor } = terms.receivers.find((one) => one.index === index) as { actor: string };
    const { holderKey, shares } = this.enclaves.get(actor as ActorId) as Enclave;
    const receiver = { index, decryptionKey: holderKey.decryptionKey };
    const received = receiveShare(terms, ceremony.good, receiver);
    if (!('secret' in received)) throw new Error('a dealing is bad');
    shares.set(row.number, { index, secret: received.secret });
    return encodeConfirmation(createConfirmation(terms, counting, receiver, entropy(64)));
  }

  /** A dealing whose shares its dealer spoiled, all but its own, and signed anew. */
  spoiledDealing(dealer: number): Uint8Array {
    const { terms } = resumeCeremony(this.#ledger.administration.head, this.ceremony);
    const { actor } = terms.dealers.find(({ index }) => index === dealer) as { actor: string };
    const honest = decodeDealing(this.dealingOf(dealer));
    const sealedShares = honest.sealedShares.map((sealed, place) =>
      terms.receivers[place]?.actor === actor
        ? sealed
        : Uint8Array.from(sealed, (byte) => byte ^ 1),
    );
    const { holderKey } = this.enclaves.get(actor as ActorId) as Enclave;
    const author = { authorKey: holderKey.decryptionKey, entropy64: entropy(64) };
    return encodeDealing(signDealing(terms, { ...honest, sealedShares }, author));
  }

  /** A receiver's complaint about a dealer, just or not. */
  complaintOf(index: number, dealer: number): Uint8Array {
    const ceremony = resumeCeremony(this.#ledger.administration.head, this.ceremony);
    const { terms, good } = ceremony;
    const { actor } = terms.receivers.find((one) => one.index === index) as { actor: string };
    const { holderKey } = this.enclaves.get(actor as ActorId) as Enclave;
    const receiver = { index, decryptionKey: holderKey.decryptionKey };
    const about = good.find((dealing) => dealing.dealer === dealer) as Dealing;
    return encodeComplaint(createComplaint(terms, about, receiver, entropy(64)));
  }

  open(): void {
    const { seqno } = this;
    this.#ledger.administer((set) => openCeremony(set, { seqno }));
  }

  deal(): void {
    for (const { index } of this.ceremony.terms.dealers) {
      const { seqno } = this;
      const bytes = this.dealingOf(index);
      this.#ledger.administer((set) => recordDealing(set, bytes, { seqno }));
    }
  }

  confirm(): void {
    for (const { index } of this.ceremony.terms.receivers) {
      const { seqno } = this;
      const bytes = this.confirmationOf(index);
      this.#ledger.administer((set) => recordConfirmation(set, bytes, { seqno }));
    }
  }

  /** Closes it; with a fresh key an epoch begins in the same block. */
  close(and: (set: TransactionSet) => void = () => undefined): void {
    const { seqno, ceremony } = this;
    this.#ledger.administer((set) => {
      closeCeremony(set, { seqno });
      if (ceremony.purpose === 'fresh') {
        this.#ledger.beginEpoch(set, 'key');
        this.#ledger.networkKey.write(set, entropy);
      }
      and(set);
    });
  }

  /** A whole ceremony, each step in a block of its own. */
  hold(): void {
    this.open();
    this.deal();
    this.confirm();
    this.close();
  }
}
