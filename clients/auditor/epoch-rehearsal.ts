import {
  type Constitution,
  currentEpoch,
  currentSharedKey,
  type EpochBegun,
  type EpochOwed,
  type EpochReason,
  epochOwed,
  hasPassed,
  newestEpoch,
  owedPatienceMs,
  recordEpoch,
  recordEpochOwed,
  recordKeyGrant,
  recoveredFrom,
  waitsForFreshKey,
} from '@concordat/governance';
import { decodeCiphertext, isCiphertextValid, sessionKeyLabel } from '@concordat/keys';
import type { TransactionSet } from '@concordat/kv';
import { blockFlags } from '@concordat/ledger';
import { CodedError, fromUtf8, toEpoch } from '@concordat/std';
import type { Findings } from './findings.ts';
import { tableNames } from './framework-tables.ts';
import { isoOf, maxClockDifferenceSeconds } from './message-rehearsal.ts';
import type { AdministrativeBlock, Deed } from './rehearsal.ts';

/** Milliseconds that the making of a genesis and the sealing of its block may be apart. */
export const maxGenesisMs = 120_000;

/** What epochs and grants are judged by. */
export interface EpochQuestion {
  readonly block: AdministrativeBlock;
  readonly deed: Deed;
  /** The constitution before the block; absent at the genesis. */
  readonly before?: Constitution;
  /** The constitution with the block's deed done. */
  readonly after: Constitution;
  /** Hex, 32 bytes. */
  readonly networkId: string;
}

/**
 * Judges what a block records of epochs and of who may have their keys, and takes it over into the
 * rehearsal: an epoch begins where one must or may, its session key is encrypted to the shared key of
 * the time for this very epoch, and it is granted to the nodes of the time and to nobody else
 * (paper: Encrypting Persistent State). Grants are compared afterwards, byte for byte.
 */
export function rehearseEpoch(set: TransactionSet, asked: EpochQuestion, findings: Findings): void {
  const { block, deed, after } = asked;
  if (deed.joined && deed.kind === 'join') {
    recordKeyGrant(set, { epochs: [1, currentEpoch(set)], reason: 'joined', to: [deed.joined] });
  }
  const begun = epochBegun(set, asked, findings);
  const rows = [...block.recorded.rows(tableNames.epochKeys)];
  if (!begun) {
    if (rows.length > 0) {
      findings.defect('keys', 'WRONG_EPOCH', { message: 'a session key without a new epoch' });
    }
    return;
  }
  const { epoch } = begun;
  const shared = currentSharedKey(set);
  const keyNumber = shared?.number ?? 0;
  const ciphertext = recordedCiphertext(block, { epoch, keyNumber });
  if (!shared || !ciphertext || rows.length !== 1) {
    const message = `epoch ${epoch}: not exactly one session key, under shared key ${keyNumber}`;
    findings.defect('keys', 'INVALID_EPOCH_KEY', { message });
  } else {
    const label = { networkId: asked.networkId, epoch: toEpoch(epoch), keyId: shared.key.id };
    const refusal = refusalOf(ciphertext, sessionKeyLabel(label));
    if (refusal) {
      const message = `the session key of epoch ${epoch}: ${refusal.message}`;
      findings.defect('keys', 'INVALID_EPOCH_KEY', { message, cause: refusal.cause });
    }
    findings.examined('keys', 'sessionKeys');
  }
  recordEpoch(set, begun, { keyNumber, ciphertext: ciphertext ?? new Uint8Array() });
  const to = after.nodes
    .filter(({ status }) => status === 'learning' || status === 'trusted')
    .map(({ nodeId }) => nodeId as string);
  recordKeyGrant(set, { epochs: [epoch, epoch], reason: 'begun', to });
}

const recordedCiphertext = (
  { recorded }: AdministrativeBlock,
  of: { readonly epoch: number; readonly keyNumber: number },
): Uint8Array | undefined => {
  const digits = (number: number): string => String(number).padStart(16, '0');
  return recorded.get(tableNames.epochKeys, `${digits(of.epoch)}/${digits(of.keyNumber)}`);
};

/** Why bytes are not a ciphertext made for a label; undefined when they are. */
export function refusalOf(
  bytes: Uint8Array,
  label: Uint8Array,
): { readonly message: string; readonly cause: string } | undefined {
  try {
    if (isCiphertextValid(decodeCiphertext(bytes), label)) return undefined;
    return {
      message: 'its ciphertext was not made for what it stands for and this shared key',
      cause: 'INVALID_CIPHERTEXT',
    };
  } catch (error) {
    if (!(error instanceof CodedError)) throw error;
    return { message: error.message, cause: String(error.code) };
  }
}

/** The epoch that a block begins; undefined when it begins none, or what it says is none. */
function epochBegun(
  set: TransactionSet,
  asked: EpochQuestion,
  findings: Findings,
): EpochBegun | undefined {
  const { block, deed } = asked;
  const { header, recorded } = block;
  const before = newestEpoch(set);
  const written = recorded.rows(tableNames.epoch);
  const owed = epochOwed(set);
  if (!written.has('current')) {
    if (mayWait(set, asked, findings)) return undefined;
    const due = isResumption(block) ? [...deed.epochFor, 'resume'] : deed.epochFor;
    if (due.length === 0) return undefined;
    const message = `a new epoch must begin (${due.join(', ')}), and epoch ${before?.epoch ?? 0} goes on`;
    findings.defect('keys', 'EPOCH_MISSING', { message });
    return undefined;
  }
  const current = recorded.get(tableNames.epoch, 'current');
  const row = recorded.get(tableNames.epoch, 'begun');
  const begun = row && (JSON.parse(fromUtf8(row)) as EpochBegun);
  const epoch = (before?.epoch ?? 0) + 1;
  const isNext = begun?.epoch === epoch && current && fromUtf8(current) === String(epoch);
  if (!begun || !isNext || begun.height !== header.height || !isWhole(written, owed)) {
    const named = JSON.stringify({ current: current && fromUtf8(current), begun });
    const message = `after epoch ${epoch - 1} the block of height ${header.height} names ${named.slice(0, 300)}`;
    findings.defect('keys', 'WRONG_EPOCH', { message });
    return undefined;
  }
  const { timeMs } = begun;
  // The genesis is prepared before its block can be; its own time is judged apart.
  const apartMs = before ? maxClockDifferenceSeconds * 1000 : maxGenesisMs;
  if (!(Math.abs(timeMs - header.timeMs) <= apartMs)) {
    const message = `epoch ${epoch} began at ${isoOf(timeMs)}, its block is of ${isoOf(header.timeMs)}`;
    findings.defect('keys', 'WRONG_EPOCH', { message });
  }
  if (!lawfulReasons(set, asked, { before, begun }).includes(begun.reason)) {
    const message = `epoch ${epoch} begins, and the reason it names (${begun.reason}) is not there`;
    findings.defect('keys', 'EPOCH_WITHOUT_REASON', { message });
  }
  findings.examined('keys', 'epochs');
  if (begun.reason === 'resume') {
    findings.observe('network-resumed', `epoch ${epoch} begins as the network resumes`);
  }
  const { reason, height } = begun;
  return { epoch, height, reason, timeMs };
}

/** What begins an epoch, and ends that one is owed. */
const isWhole = (
  written: ReadonlyMap<string, Uint8Array | undefined>,
  owed: EpochOwed | undefined,
): boolean =>
  owed
    ? written.size === 3 && written.has('owed') && !written.get('owed')
    : written.size === 2 && !written.has('owed');

/**
 * Whether the epoch that a change of actors asks for may wait for a fresh shared key, as the block
 * records or an earlier one did; taken over into the rehearsal.
 */
function mayWait(set: TransactionSet, { block, deed }: EpochQuestion, findings: Findings): boolean {
  const { header, recorded } = block;
  const row = recorded.get(tableNames.epoch, 'owed');
  const isAsked = deed.epochFor.length > 0 && deed.epochFor.every((why) => why === 'actors');
  const isLawful = isAsked && !isResumption(block) && waitsForFreshKey(set);
  if (!recorded.rows(tableNames.epoch).has('owed')) return isLawful && epochOwed(set) !== undefined;
  const owed = row && (JSON.parse(fromUtf8(row)) as EpochOwed);
  const isOfBlock =
    owed?.height === header.height &&
    Math.abs(owed.timeMs - header.timeMs) <= maxClockDifferenceSeconds * 1000;
  if (!isLawful || !isOfBlock || epochOwed(set)) {
    const message = 'an epoch is said to wait for a fresh shared key, and none has to';
    findings.defect('keys', 'WRONG_EPOCH', { message });
    return false;
  }
  recordEpochOwed(set, { height: owed.height, timeMs: owed.timeMs });
  const message = `the newest shared key is out of reach: epoch ${currentEpoch(set)} goes on until a fresh one is there`;
  findings.observe('epoch-waits', message);
  return true;
}

/** Its view is that of a network that stood still; it has a sealing key of its own. */
const isResumption = ({ header }: AdministrativeBlock): boolean =>
  (header.flags & blockFlags.resumption) !== 0;

/** Every reason there is for an epoch to begin with a block. */
function lawfulReasons(
  set: TransactionSet,
  { block, deed, before: constitution }: EpochQuestion,
  { before, begun }: { readonly before: EpochBegun | undefined; readonly begun: EpochBegun },
): EpochReason[] {
  if (!before || !constitution) return [recoveredFrom(set) ? 'recovery' : 'genesis'];
  const { epochDuration, epochBlocks } = constitution.policies;
  if (isResumption(block)) return block.opensView ? ['resume'] : [];
  const reasons: EpochReason[] = [...deed.epochFor];
  const owed = epochOwed(set);
  if (owed && hasPassed(owed.timeMs, begun.timeMs, owedPatienceMs(set))) reasons.push('actors');
  const isOver = epochDuration > 0 && hasPassed(before.timeMs, begun.timeMs, epochDuration * 1000);
  if (isOver) reasons.push('time');
  if (epochBlocks > 0 && begun.height - before.height >= epochBlocks) reasons.push('blocks');
  return reasons;
}
