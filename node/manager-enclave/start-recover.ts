import type { ManagerStart } from '@concordat/bridge';
import { certificateFingerprint, fromPem } from '@concordat/crypto';
import {
  type Constitution,
  certificatesOf,
  isMember,
  markRestored,
  successorConstitution,
  writeRecoveredFrom,
} from '@concordat/governance';
import type { Epoch } from '@concordat/std';
import { requireManifests } from './admission.ts';
import { ManagerError } from './errors.ts';
import { FormerLedger, type Progress, type Survey } from './former-ledger.ts';
import type { Manager } from './manager.ts';
import { RecoveryDesk } from './recovery-desk.ts';
import { requireReadable } from './recovery-shares.ts';
import { beginNetwork } from './start-genesis.ts';
import { StateRestoration } from './state-restoration.ts';

/** Progress is told this often at most. */
const progressMs = 500;

/**
 * Begins a network that goes on from the ledger of one whose nodes are all lost (paper, disaster
 * recovery). What of it is public is verified first; then the new network begins, naming the old one,
 * with this node alone; members give their decryption shares until enough did; what the applications
 * wrote is sealed anew; and everything but governance stays closed until the members vote it open.
 * An attempt that is cut short begins again from nothing: nobody could rely on it yet.
 * @throws ManagerError HOST_FAULT; GovernanceError
 */
export async function startRecover(
  manager: Manager,
  { lastHeight }: NonNullable<ManagerStart['former']>,
): Promise<void> {
  manager.lifeCycle.enter('recovering', 'verifying the former ledger');
  await dropAttempt(manager);
  const prepared = await prepare(manager, lastHeight).catch((error: unknown) => {
    refuse(manager, error);
  });
  if (!prepared) return;
  const { former, survey } = prepared;
  await beginNetwork(manager, successorConstitution(survey.constitution), (set) =>
    writeRecoveredFrom(set, survey.former),
  );
  const desk = new RecoveryDesk(manager, survey, () => waitForShares(manager, desk));
  manager.recovery = desk;
  await manager.serve();
  waitForShares(manager, desk);
  try {
    await restore(manager, { former, survey, keys: await desk.keys });
  } catch (error) {
    // Another launch would only wait for everybody's shares again, and find the same.
    if (!(error instanceof ManagerError) || error.code !== 'LEDGER_CORRUPT') throw error;
    giveUp(manager, desk, error);
  }
}

/** Verifies what is public, and that this node may go on from it. */
async function prepare(manager: Manager, lastHeight: number) {
  const { start, control, verdict } = manager;
  const { networkCertificatePem: networkCertificate = '' } = start;
  const former = new FormerLedger(control, {
    lastHeight,
    networkCertificate,
    workers: start.workers,
  });
  const connected = manager.connectWorkers();
  const telling = progressOf(manager, 'verifying the former ledger');
  const surveyed = former.survey(telling);
  // Whatever comes of the ledger: a worker that is still on its way could not be told to end.
  await Promise.allSettled([surveyed, connected]);
  const survey = await surveyed;
  await requireReadable(survey);
  const { constitution } = survey;
  control.log('recovery.surveyed', { ...survey.former, networkCertificate: undefined });
  requireMember(start, constitution);
  requireManifests(verdict, constitution, 'manager');
  await connected;
  requireWorkers(manager, survey);
  return { former, survey };
}

/** What does not hold now does not hold at the next launch either: this one stays, and says why. */
function refuse({ control, lifeCycle }: Manager, error: unknown): void {
  if (!(error instanceof ManagerError) || !lasting.has(error.code)) throw error;
  const { code, message, details } = error;
  control.log('recovery.refused', { level: 'error', code, why: message, ...details });
  lifeCycle.enter('failed', `${code}: ${message}`);
}

const lasting: ReadonlySet<string> = new Set([
  'LEDGER_CORRUPT',
  'INVALID_START',
  'UNLISTED_MEASUREMENT',
  'UNLISTED_TEE',
]);

/**
 * What is sealed is checked only when it can be read. A ledger that does not hold there has another copy,
 * on some other host or in some archive; with that a recovery has to begin anew.
 */
function giveUp({ control, lifeCycle }: Manager, desk: RecoveryDesk, error: ManagerError): void {
  const { code, message, details } = error;
  control.log('recovery.failed', { level: 'error', code, why: message, ...details });
  desk.failure = `${code}: ${message}`;
  lifeCycle.enter('recovering', `${desk.failure}; begin again with another copy of the ledger`);
}

function waitForShares({ lifeCycle }: Manager, desk: RecoveryDesk): void {
  if (desk.state().stage !== 'shares') return;
  lifeCycle.enter('recovering', `${upTo(desk)}; ${desk.reason}`);
}

/** A ledger cannot prove that nothing followed. */
function upTo(desk: RecoveryDesk): string {
  const { lastHeight, lastTransaction, lastTimeMs } = desk.state().former;
  const when = new Date(lastTimeMs).toISOString();
  return `the former ledger is at hand up to block ${lastHeight}, transaction ${lastTransaction} of ${when}: what it committed after that, if anything, is missing`;
}

/** What an earlier attempt left: it had no member's vote, and nobody was served by it. */
async function dropAttempt(manager: Manager): Promise<void> {
  const { start, control } = manager;
  for (const { height } of start.snapshots) control.snapshotDrop(height);
  if (start.lastHeight === 0) return;
  control.log('recovery.begins-again', { dropped: start.lastHeight });
  await manager.truncateLedger(0);
}

async function restore(
  manager: Manager,
  from: {
    readonly former: FormerLedger;
    readonly survey: Survey;
    readonly keys: ReadonlyMap<Epoch, { readonly epoch: Epoch; readonly key: Uint8Array }>;
  },
): Promise<void> {
  const { control, queue, recovery } = manager;
  const { former, survey, keys } = from;
  try {
    const restoration = new StateRestoration(manager);
    if (recovery) recovery.restoring = () => restoration.counts;
    control.log('recovery.restoring', { epochs: keys.size });
    const startedMs = performance.now();
    const telling = progressOf(manager, 'restoring the state');
    const blocks = former.contents(survey, (epoch) => keys.get(epoch), telling);
    const counts = await restoration.run(blocks);
    await queue.administer((set) => markRestored(set, counts));
    const tookMs = Math.round(performance.now() - startedMs);
    control.log('recovery.restored', { ...counts, tookMs });
  } finally {
    for (const { key } of keys.values()) key.fill(0);
  }
  // Only now: a launch that finds no identity begins again from nothing.
  await manager.sealIdentity();
  manager.nowServes();
}

function progressOf({ lifeCycle }: Manager, doing: string): Progress {
  let toldMs = Number.NEGATIVE_INFINITY;
  return (done, of) => {
    const nowMs = performance.now();
    if (nowMs - toldMs < progressMs && done < of) return;
    toldMs = nowMs;
    lifeCycle.enter('recovering', `${doing}: block ${done} of ${of}`);
  };
}

/** Whoever brings up the first node has no extra right, but must have a vote. */
function requireMember({ node }: ManagerStart, { actors }: Constitution): void {
  const [certificate] = fromPem(node.actorCertificatePem ?? '');
  const fingerprint = certificate && certificateFingerprint(certificate);
  const actor = actors.find((one) =>
    certificatesOf(one).some((listed) => listed.fingerprint === fingerprint),
  );
  if (actor && isMember(actor)) return;
  throw new ManagerError(
    'INVALID_START',
    'the certificate this node is started with is that of no member of the former network',
  );
}

/** The k-th worker takes over what the k-th worker of the former network wrote. */
function requireWorkers({ feed }: Manager, { sources }: Survey): void {
  for (const source of sources) {
    if (feed.link(source)) continue;
    throw new ManagerError(
      'INVALID_START',
      `the former network had a worker ${source} and this node has none: configure the same workers`,
    );
  }
}
