import type { RecordedTransaction } from '@concordat/api';
import { Store } from '@concordat/kv';
import type {
  Actor,
  Admitted,
  BatchEnvironment,
  BatchSet,
  Outcome,
  Refused,
} from '@concordat/worker-enclave';
import type { EthereumAdapter } from '../adapter.ts';
import type { EthereumTransaction } from '../batch-execution.ts';
import type { SubmittedTransaction } from '../chain-reader.ts';
import { encodeSubmission } from '../chain-view.ts';
import { ethereumTables } from '../tables.ts';

/** Who submits in tests. */
export const someActor = {
  actorId: 'a'.repeat(64),
  name: 'alice',
  kinds: ['participant'],
  roles: [],
} as unknown as Actor;

/** Our own code of a refusal; the outer code is the framework's. */
export function reasonOf(outcome: { readonly ok: true } | Refused): string {
  if (outcome.ok) return 'kept';
  return String(outcome.details?.reason);
}

/** Drives an adapter over a real store, batch by batch, without a node around it. */
export class Bench {
  readonly store = new Store(ethereumTables);
  readonly adapter: EthereumAdapter;
  #layer = 0;
  timeMs = 1_700_000_000_000;
  writeSetBytes = 0;
  leaves = 0;
  /** What was written, by batch and transaction; the first is the initial state. */
  readonly recorded: RecordedTransaction[][] = [];

  constructor(adapter: EthereumAdapter) {
    this.adapter = adapter;
  }

  get env(): BatchEnvironment {
    return {
      timeMs: this.timeMs,
      view: 1,
      nodeId: '0'.repeat(64),
      random: (bytes) => new Uint8Array(bytes).fill(7),
    };
  }

  begin(layer = ++this.#layer): BatchSet & { finish(): void } {
    this.#layer = layer;
    const set = this.store.begin(layer);
    const block: RecordedTransaction[] = [];
    this.recorded.push(block);
    const end = (claimsDigest?: Uint8Array) => {
      const { publicWrites, privateWrites } = set.takeWriteSet();
      this.writeSetBytes += privateWrites.length;
      this.leaves++;
      if (privateWrites.length === 0) return;
      block.push({ publicWrites, privateWrites, ...(claimsDigest && { claimsDigest }) });
    };
    return {
      table: (name) => set.table(name),
      checkpoint: () => set.checkpoint(),
      revert: (mark) => set.revert(mark),
      endTransaction: end,
      finish: () => {
        end();
        set.finish();
      },
    };
  }

  commit(): void {
    this.store.commit(this.#layer);
    this.adapter.committed(
      { height: this.#layer, view: 1, firstSeqno: 1, timeMs: this.timeMs, count: 1 },
      this.store.committed(),
    );
  }

  genesis(config: unknown, data?: Uint8Array): void {
    this.adapter.configure(config);
    const set = this.begin();
    for (const _ of this.adapter.genesis(() => set, data, this.env)) set.endTransaction();
    set.finish();
    this.commit();
    this.adapter.start({
      committed: () => this.store.committed(),
      head: () => this.store.head(),
      submit: () => Promise.reject(new Error('not here')),
      submitWith: () => {},
      askLedger: () => Promise.reject(new Error('not asked here')),
      readPast: () => Promise.reject(new Error('not asked here')),
      callExternal: () => Promise.reject(new Error('not called here')),
      whenCurrent: (_actor, done) => process.nextTick(done),
      role: () => ({ leader: true, view: 1 }),
      timeMs: () => this.timeMs,
      log: () => {},
    });
  }

  /** Admits a raw transaction against the head. */
  admit(chain: string, raw: Uint8Array) {
    return this.adapter.admit(encodeSubmission(chain, raw), someActor, this.store.head());
  }

  /** Admits and executes one batch, seals and commits it; outcomes in the order given. */
  async run(
    raws: readonly { readonly chain: string; readonly raw: Uint8Array }[],
  ): Promise<readonly Outcome<SubmittedTransaction>[]> {
    const verdicts = await Promise.all(raws.map(({ chain, raw }) => this.admit(chain, raw)));
    const batch = verdicts.filter((verdict) => verdict.ok);
    const set = this.begin();
    const outcomes = [...(await this.execute(set, batch))];
    set.finish();
    this.commit();
    return verdicts.map((verdict) =>
      verdict.ok ? (outcomes.shift() as Outcome<SubmittedTransaction>) : verdict,
    );
  }

  /** Executes and seals, without ending the set. */
  async execute(set: BatchSet, batch: readonly Admitted<EthereumTransaction>[]) {
    const outcomes = await this.adapter.execute(set, batch, this.env);
    if (outcomes.some(({ ok }) => ok)) this.adapter.seal(set);
    return outcomes;
  }
}
