import { setTimeout as sleep } from 'node:timers/promises';
import { unnumbered } from '@concordat/kv';
import { fromUtf8, utf8 } from '@concordat/std';
import {
  AdapterError,
  type AdapterMemory,
  type Admitted,
  type BatchSet,
  deferred,
  type LedgerAdapter,
  type Outcome,
} from '@concordat/worker-enclave';

type Command = readonly string[];

const table = 'toy/words';

/**
 * Commands as text: `set k v`, `slow k v` (asynchronous), `drop k` (writes, then is dropped),
 * `throw`, `hang`, `leak` (ends no transaction), `steal` (another's table), `big n` (n bytes), `stamp k`
 * (writes the seqno that k was written by before, once that is certain), `never` (is deferred each time),
 * `spill` (is deferred and leaves a write).
 * Beside its table it remembers where each block began in the ledger, for `GET /words`.
 */
export function createToyAdapter(): LedgerAdapter<Command, string> & {
  readonly executions: (readonly Command[])[];
} {
  const executions: (readonly Command[])[] = [];
  let places: string[] = [];
  return {
    id: 'toy',
    executions,
    tables: [{ name: table, kind: 'ordered', versioned: true }],
    endpoints: [
      {
        kind: 'http',
        path: '/echo/*',
        methods: ['GET', 'POST'],
        handle: ({ path, query, body }, actor) => ({
          status: 200,
          headers: { 'content-type': 'application/json' },
          body: JSON.stringify({
            path,
            query: query.toString(),
            bytes: body.length,
            actor: actor.name,
          }),
        }),
      },
      {
        kind: 'http',
        path: '/submit',
        methods: ['POST'],
        handle: async ({ body }, actor, host) => {
          const answer = await host.submit(body, actor);
          const status = answer.ok ? 200 : 409;
          return { status, body: JSON.stringify(answer) };
        },
      },
      {
        kind: 'http',
        path: '/words',
        methods: ['GET'],
        handle: (_request, _actor, host) => {
          const words = [...host.committed().table(table).entries()];
          const texts = words.map(([word, value]) => `${word}=${fromUtf8(value)}`);
          return { status: 200, body: JSON.stringify({ places, texts }) };
        },
      },
      {
        kind: 'http',
        path: '/fail',
        methods: ['GET'],
        handle: () => Promise.reject(new Error('x')),
      },
      {
        kind: 'websocket',
        path: '/socket',
        protocols: ['toy.v1'],
        open: (socket, actor) => {
          socket.send(`hello ${actor.name}`);
          socket.onMessage = (data, isBinary) => socket.send(isBinary ? data : data.toString());
        },
      },
      {
        kind: 'stream',
        path: '/frames',
        open: (stream, actor, host) => {
          stream.onFrame = (id, body) =>
            host.submitWith(body, actor, 'commit', (answer) => {
              stream.send(id, utf8(answer.ok ? `ok ${answer.result}` : answer.code));
            });
        },
      },
    ],
    configure: (config) => {
      if (config !== undefined) throw new AdapterError('INVALID_CONFIGURATION', 'toys need none');
    },
    *genesis(open, data) {
      for (const word of fromUtf8(data ?? utf8(''))
        .split(' ')
        .filter(Boolean)) {
        open().table(table).set(word, utf8('genesis'));
        yield;
      }
    },
    committed: ({ view, firstSeqno }) => {
      places.push(`${view}.${firstSeqno}`);
    },
    freezeMemory: (): AdapterMemory => {
      const bytes = utf8(places.join(' '));
      return { bytes: bytes.length, parts: () => [bytes] };
    },
    restored: (memory) => {
      places = fromUtf8(memory).split(' ').filter(Boolean);
      if (!places.every((place) => /^\d+\.\d+$/.test(place))) {
        throw new AdapterError('INVALID_MEMORY', 'toys remember places');
      }
    },
    admit: (raw, actor) => {
      const command = fromUtf8(raw).split(' ');
      if (/^(set|slow|drop|throw|hang|leak|steal|big|stamp|never|spill)$/.test(command[0] ?? '')) {
        return { ok: true, transaction: command };
      }
      const message = `${actor.name} makes no sense`;
      return { ok: false, code: 'INVALID_TRANSACTION', message };
    },
    execute: (set, batch) => {
      executions.push(batch.map(({ transaction }) => transaction));
      return batch.some(({ transaction: [verb] }) => verb === 'slow' || verb === 'hang')
        ? executeSlowly(set, batch)
        : batch.map(({ transaction }) => executeOne(set, transaction));
    },
  };
}

async function executeSlowly(
  set: BatchSet,
  batch: readonly Admitted<Command>[],
): Promise<Outcome<string>[]> {
  const outcomes: Outcome<string>[] = [];
  for (const { transaction } of batch) {
    if (transaction[0] === 'hang') await new Promise(() => {});
    if (transaction[0] === 'slow') await sleep(10);
    outcomes.push(executeOne(set, transaction));
  }
  return outcomes;
}

function executeOne(set: BatchSet, [verb, key = 'k', value = 'v']: Command): Outcome<string> {
  const words = set.table(table);
  if (verb === 'throw') throw new Error('as told');
  if (verb === 'steal') set.table('other/secrets');
  if (verb === 'leak') {
    words.set('leaked', utf8(value));
    return { ok: false, code: 'CONFLICT', message: 'leaked' };
  }
  if (verb === 'never') return deferred;
  if (verb === 'spill') {
    words.set('spilled', utf8(value));
    return deferred;
  }
  const seqno = words.versionOf(key) ?? 'none';
  if (verb === 'stamp' && seqno === unnumbered) return deferred;
  if (verb === 'stamp') return executeOne(set, ['set', key, `${seqno}`]);
  const mark = set.checkpoint();
  words.set(key, verb === 'big' ? new Uint8Array(Number(key)) : utf8(value));
  if (verb === 'drop') {
    set.revert(mark);
    return { ok: false, code: 'CONFLICT', message: 'dropped' };
  }
  set.endTransaction();
  return { ok: true, result: `${key}=${value}` };
}
