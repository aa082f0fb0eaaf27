import { createHash } from 'node:crypto';
import { renderTable } from '@concordat/cli';
import {
  type CeremonyTerms,
  combineDecryptionShares,
  createDealing,
  createDecryptionShare,
  createHolderKey,
  type Dealing,
  encodeDealing,
  encryptToThreshold,
  finishSteps,
  isDecryptionShareValid,
  keySteps,
  publicKeyOf,
  type Received,
  receiveSteps,
  requireDealing,
  type Scalar,
  type Steps,
  type ThresholdKey,
  verificationKeyOf,
  verificationKeysOf,
} from '@concordat/keys';
import { utf8 } from '@concordat/std';
import { median } from '../arithmetic.ts';
import { loadAverage } from '../process-figures.ts';
import type { SectionOptions } from './section.ts';

/** What the threshold scheme costs with so many holders; processor milliseconds but for bytes. */
export interface KeysAt {
  readonly holders: number;
  readonly threshold: number;
  readonly deal: number;
  readonly dealingBytes: number;
  readonly checkDealing: number;
  readonly receive: number;
  /** The longest that anybody waits while a share is received or a key made in steps. */
  readonly longestStep: number;
  readonly key: number;
  readonly verificationKey: number;
  readonly encrypt: number;
  readonly share: number;
  readonly verifyShare: number;
  /** Threshold shares checked and combined, verification keys at hand. */
  readonly combine: number;
  /** The same holders dealt to anew by the threshold of them. */
  readonly reshareReceive: number;
  readonly reshareKey: number;
}

/** Medians of the rounds. */
export interface KeysFigures {
  readonly id: 'keys';
  readonly sizes: readonly KeysAt[];
  readonly rounds: number;
  readonly load: number;
}

/** Measures every size, one process, no network. */
export async function keysSection({ rounds, quick, say }: SectionOptions): Promise<KeysFigures> {
  const sizes: KeysAt[] = [];
  // Once for nothing, so that code is compiled.
  measureAt(5);
  for (const holders of quick ? [3, 20] : [3, 5, 20, 50, 100]) {
    say(`threshold keys of ${holders} holders`);
    sizes.push(mediansOf(Array.from({ length: rounds }, () => measureAt(holders))));
  }
  return { id: 'keys', sizes, rounds, load: loadAverage() };
}

function mediansOf(rounds: readonly KeysAt[]): KeysAt {
  const names = Object.keys(rounds[0] as KeysAt) as (keyof KeysAt)[];
  const pairs = names.map((name) => [name, median(rounds.map((round) => round[name]))]);
  return Object.fromEntries(pairs) as KeysAt;
}

/** Processor milliseconds of this process. */
function costOf<Result>(work: () => Result): { readonly result: Result; readonly ms: number } {
  const before = process.cpuUsage();
  const result = work();
  const { user, system } = process.cpuUsage(before);
  return { result, ms: (user + system) / 1_000 };
}

/** Work in steps: its result, its processor time, and the longest step. */
function stepCost<Result>(steps: Steps<Result>) {
  let longest = 0;
  const { result, ms } = costOf(() => {
    for (;;) {
      const before = process.cpuUsage();
      const step = steps.next();
      const { user, system } = process.cpuUsage(before);
      longest = Math.max(longest, (user + system) / 1_000);
      if (step.done) return step.value;
    }
  });
  return { result, ms, longest };
}

function measureAt(holders: number): KeysAt {
  const entropy = entropyOf(`holders ${holders}`);
  const threshold = Math.floor(holders / 2) + 1;
  const parties = Array.from({ length: holders }, (_, at) => ({
    index: at + 1,
    actor: `actor ${at + 1}`,
    ...createHolderKey(entropy(64)),
  }));
  const terms: CeremonyTerms = {
    networkId: 'ab'.repeat(32),
    openedAt: 1,
    threshold,
    receivers: parties.map(({ index, actor, encryptionKey }) => ({ index, actor, encryptionKey })),
    dealers: parties.map(({ index, actor }) => ({ index, actor })),
  };
  const dealt = costOf(() =>
    parties.map(({ index, decryptionKey }) =>
      createDealing(terms, { dealer: index, authorKey: decryptionKey }, entropy),
    ),
  );
  const dealings = dealt.result;
  const checked = costOf(() => {
    for (const dealing of dealings) requireDealing(terms, dealing);
  });
  const [first] = parties as [(typeof parties)[number]];
  const received = stepCost(receiveSteps(terms, dealings, first));
  const key = stepCost(keySteps(terms, dealings));
  const verification = stepCost(verificationKeysOf(key.result));
  const secrets = parties
    .slice(0, threshold)
    .map((party) => secretOf(finishSteps(receiveSteps(terms, dealings, party))));
  const use = useOf(key.result, { secrets, verificationKeys: verification.result, entropy });
  const again = reshare(terms, key.result, { secrets, entropy, first });
  const steps = [received, key, verification, again.received, again.key];
  return {
    holders,
    threshold,
    deal: dealt.ms / holders,
    dealingBytes: encodeDealing(dealings[0] as Dealing).length,
    checkDealing: checked.ms / holders,
    receive: received.ms,
    longestStep: Math.max(...steps.map(({ longest }) => longest)),
    key: key.ms,
    verificationKey: verification.ms / holders,
    ...use,
    reshareReceive: again.received.ms,
    reshareKey: again.key.ms,
  };
}

function secretOf(received: Received): Scalar {
  if ('secret' in received) return received.secret;
  throw new Error(`cheated by ${received.cheatedBy}`);
}

function useOf(
  key: ThresholdKey,
  given: {
    readonly secrets: readonly Scalar[];
    readonly verificationKeys: ReadonlyMap<number, ReturnType<typeof publicKeyOf>>;
    readonly entropy: (bytes: number) => Uint8Array;
  },
) {
  const { secrets, verificationKeys, entropy } = given;
  const label = utf8('label of a session key');
  const message32 = entropy(32);
  const publicKey = publicKeyOf(key);
  const times = 20;
  const encrypted = costOf(() => {
    for (let at = 1; at < times; at++) {
      encryptToThreshold({ publicKey, label, message32, entropy128: entropy(128) });
    }
    return encryptToThreshold({ publicKey, label, message32, entropy128: entropy(128) });
  });
  const request = { ciphertext: encrypted.result, label, requester: utf8('requester') };
  const shared = costOf(() =>
    secrets.map((secret, at) =>
      createDecryptionShare(request, { index: at + 1, secret }, entropy(64)),
    ),
  );
  const verified = costOf(() => {
    for (const share of shared.result) {
      const verificationKey = verificationKeys.get(share.index);
      if (!verificationKey || !isDecryptionShareValid(request, share, verificationKey)) {
        throw new Error(`the share of ${share.index} does not hold`);
      }
    }
  });
  const combined = costOf(() =>
    combineDecryptionShares(request, shared.result, {
      threshold: key.threshold,
      verificationKey: (index) => verificationKeys.get(index),
    }),
  );
  if (!Buffer.from(combined.result).equals(message32)) throw new Error('another message came out');
  return {
    encrypt: encrypted.ms / times,
    share: shared.ms / secrets.length,
    verifyShare: verified.ms / secrets.length,
    combine: combined.ms,
  };
}

function reshare(
  terms: CeremonyTerms,
  key: ThresholdKey,
  given: {
    readonly secrets: readonly Scalar[];
    readonly entropy: (bytes: number) => Uint8Array;
    readonly first: { readonly index: number; readonly decryptionKey: Scalar };
  },
) {
  const { secrets, entropy, first } = given;
  const next: CeremonyTerms = {
    ...terms,
    openedAt: 2,
    dealers: terms.dealers.slice(0, secrets.length).map((dealer) => ({
      ...dealer,
      verificationKey: verificationKeyOf(key, dealer.index) as ReturnType<typeof publicKeyOf>,
    })),
    reshares: { keyId: key.id, threshold: key.threshold },
  };
  const dealings = secrets.map((authorKey, at) =>
    createDealing(next, { dealer: at + 1, authorKey }, entropy),
  );
  const received = stepCost(receiveSteps(next, dealings, first));
  secretOf(received.result);
  return { received, key: stepCost(keySteps(next, dealings, key)) };
}

/** Entropy that is the same every time: what is measured does not depend on it. */
function entropyOf(name: string): (bytes: number) => Uint8Array {
  let calls = 0;
  return (bytes) => {
    calls++;
    const hash = (part: number) => createHash('sha512').update(`${name}/${calls}/${part}`).digest();
    return Uint8Array.from(Buffer.concat([hash(0), hash(1)]).subarray(0, bytes));
  };
}

const ms = (value: number): string => value.toFixed(value < 10 ? 2 : 0);

/** The section as people read it. */
export function renderKeys({ sizes, rounds, load }: KeysFigures): string {
  const rows: [string, (at: KeysAt) => string][] = [
    ['M', (at) => String(at.threshold)],
    ['deal', (at) => ms(at.deal)],
    ['bytes of a dealing', (at) => at.dealingBytes.toLocaleString('en-US')],
    ['check a dealing', (at) => ms(at.checkDealing)],
    ['receive a share', (at) => ms(at.receive)],
    ['make the key', (at) => ms(at.key)],
    ['a verification key', (at) => ms(at.verificationKey)],
    ['receive, resharing', (at) => ms(at.reshareReceive)],
    ['make the key, resharing', (at) => ms(at.reshareKey)],
    ['longest step of these', (at) => ms(at.longestStep)],
    ['encrypt', (at) => ms(at.encrypt)],
    ['decryption share', (at) => ms(at.share)],
    ['verify a share', (at) => ms(at.verifyShare)],
    ['combine M shares', (at) => ms(at.combine)],
  ];
  const table = renderTable(
    ['holders', ...sizes.map(({ holders }) => String(holders))],
    rows.map(([what, of]) => [what, ...sizes.map(of)]),
    'right',
  );
  const how = `processor ms, medians of ${rounds} rounds, load average ${load}`;
  return `\n(k) threshold keys, one process: ${how}\n\n${table}\n`;
}
