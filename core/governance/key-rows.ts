import {
  type CeremonyTerms,
  decodeThresholdKey,
  encodeThresholdKey,
  type ThresholdKey,
  toElement,
} from '@concordat/keys';
import { type ActorId, emptyBytes, fromHex, type NodeId, toDigest, toHex } from '@concordat/std';

/** The key an actor's enclaves receive shares with, as one of its nodes registered it. */
export interface HolderRegistration {
  readonly actorId: ActorId;
  /** The node that registered it, and whose signature stands below. */
  readonly nodeId: NodeId;
  /** From 1, one more each time: an earlier registration cannot come back. */
  readonly number: number;
  /** Element of ristretto255, hex. */
  readonly encryptionKey: string;
  /** Proof of knowledge of its secret, hex, 64 bytes. */
  readonly proof: string;
  /** Base64 DER signature of the node over `holderStatement`. */
  readonly signature: string;
}

/** Someone who holds a share. */
export interface ShareHolder {
  readonly index: number;
  readonly actorId: ActorId;
  /** Hex: what its share was encrypted to. */
  readonly encryptionKey: string;
  /** Hex: what its decryption shares are checked against. */
  readonly verificationKey: string;
}

/** How a key is shared since a ceremony: kept for ever, as recovery copies are of one sharing. */
export interface SharingRow {
  /** Number of the key. */
  readonly key: number;
  /** Identity of the ceremony, hex. */
  readonly ceremonyId: string;
  readonly threshold: number;
  /** The public side, hex: docs/format/threshold-keys.md. */
  readonly form: string;
  /** By index. */
  readonly holders: readonly ShareHolder[];
}

/** A shared key; the one of the highest number encrypts session keys. */
export interface KeyRow {
  readonly number: number;
  /** Hex. */
  readonly keyId: string;
  /** Number of the ceremony that dealt its newest sharing. */
  readonly sharing: number;
}

/** The terms of a ceremony, as JSON: bytes in hex. */
export interface TermsJson {
  readonly networkId: string;
  readonly openedAt: number;
  readonly threshold: number;
  readonly receivers: readonly {
    readonly index: number;
    readonly actor: string;
    readonly encryptionKey: string;
  }[];
  readonly dealers: readonly {
    readonly index: number;
    readonly actor: string;
    readonly verificationKey?: string;
  }[];
  readonly reshares?: { readonly keyId: string; readonly threshold: number };
}

/** Why a ceremony is held. */
export type CeremonyReason =
  | 'first'
  | 'removal'
  | 'threshold-raised'
  | 'threshold-lowered'
  | 'holders-changed'
  | 'out-of-reach';

/** A ceremony and what became of it. */
export interface CeremonyRow {
  /** From 1. */
  readonly number: number;
  readonly purpose: 'fresh' | 'reshare';
  readonly reason: CeremonyReason;
  /** Number of the key that is made or reshared. */
  readonly key: number;
  /** In a resharing, the number of the ceremony whose sharing is dealt on. */
  readonly from?: number;
  /** 1, or one more than that of the failed ceremony before it. */
  readonly attempt: number;
  readonly terms: TermsJson;
  /** As set at the opening; `progress` has both as moved. */
  readonly dealBy: number;
  readonly checkBy: number;
  readonly progress: {
    readonly dealt: readonly {
      readonly dealer: number;
      readonly digest: string;
      /** Number of the event with its bytes. */
      readonly event: number;
    }[];
    readonly atFault: readonly number[];
    readonly confirmed: readonly number[];
    readonly dealBy: number;
    readonly checkBy: number;
  };
  /** Complaints that convicted nobody: accuser and dealer. Each is heard once. */
  readonly unjust: readonly (readonly [number, number])[];
  /** How many events there were. */
  readonly events: number;
  readonly state: 'open' | 'done' | 'failed';
  /** Seqno. */
  readonly closedAt?: number;
  /** A code: why it failed. */
  readonly failure?: string;
}

/** One transaction of a ceremony, verbatim. */
export interface CeremonyEvent {
  /** `deadline`: the leader ended the phase at hand. */
  readonly kind: 'dealing' | 'complaint' | 'confirmation' | 'deadline';
  readonly seqno: number;
  /** Hex; of a deadline empty. */
  readonly bytes: string;
}

const bytesOf = (hex: string): Uint8Array => fromHex(hex) ?? emptyBytes;

/** Terms as JSON. */
export function termsToJson(terms: CeremonyTerms): TermsJson {
  const { networkId, openedAt, threshold, receivers, dealers, reshares } = terms;
  return {
    networkId,
    openedAt,
    threshold,
    receivers: receivers.map(({ index, actor, encryptionKey }) => {
      return { index, actor, encryptionKey: toHex(encryptionKey) };
    }),
    dealers: dealers.map(({ index, actor, verificationKey }) => {
      return { index, actor, ...(verificationKey && { verificationKey: toHex(verificationKey) }) };
    }),
    ...(reshares && {
      reshares: { keyId: toHex(reshares.keyId), threshold: reshares.threshold },
    }),
  };
}

/** Terms from JSON. @throws KeysError INVALID_ELEMENT */
export function termsFromJson(json: TermsJson): CeremonyTerms {
  const text = JSON.stringify(json);
  if (newestTerms?.text !== text) newestTerms = { text, terms: readTerms(json) };
  return newestTerms.terms;
}

/** Each step of a ceremony reads its terms anew; with many holders, checking their keys costs most of it. */
let newestTerms: { readonly text: string; readonly terms: CeremonyTerms } | undefined;

function readTerms(json: TermsJson): CeremonyTerms {
  const { networkId, openedAt, threshold, receivers, dealers, reshares } = json;
  return {
    networkId,
    openedAt,
    threshold,
    receivers: receivers.map(({ index, actor, encryptionKey }) => {
      return { index, actor, encryptionKey: toElement(bytesOf(encryptionKey)) };
    }),
    dealers: dealers.map(({ index, actor, verificationKey }) => ({
      index,
      actor,
      ...(verificationKey && { verificationKey: toElement(bytesOf(verificationKey)) }),
    })),
    ...(reshares && {
      reshares: { keyId: toDigest(bytesOf(reshares.keyId)), threshold: reshares.threshold },
    }),
  };
}

/** The public side of a sharing. @throws KeysError MALFORMED, INVALID_ELEMENT */
export const thresholdKeyOf = ({ form }: SharingRow): ThresholdKey =>
  decodeThresholdKey(bytesOf(form));

/** A key's public side as hex. */
export const formOf = (key: ThresholdKey): string => toHex(encodeThresholdKey(key));
