import { createKeyvalueAdapter, encodeRequest, operations } from '@concordat/keyvalue';
import { utf8 } from '@concordat/std';
import { adapterSuite } from '../index.ts';

const { put, get, delete: remove } = operations;

adapterSuite({
  name: 'key-value',
  create: createKeyvalueAdapter,
  config: { maxValueBytes: 1_000 },
  invalidConfigs: [7, { maxValueBytes: 0 }, { maxKeyBytes: 1e9 }, { maxValueBytes: '8' }, { x: 1 }],
  genesisData: utf8(JSON.stringify({ first: 'a', second: 'b' })),
  kept: [
    encodeRequest(put, 'fruit', utf8('apple')),
    encodeRequest(put, 'first', utf8('changed')),
    encodeRequest(remove, 'second'),
    encodeRequest(put, 'fruit', utf8('pear')),
  ],
  dropped: [
    encodeRequest(remove, 'nothing'),
    encodeRequest(get, 'fruit'),
    encodeRequest(put, '', utf8('x')),
    encodeRequest(put, 'large', new Uint8Array(1_001)),
    encodeRequest(9, 'fruit'),
  ],
  queries: ['/kv/fruit', '/kv/second', '/kv/none', '/kv', '/kv?limit=1', '/kv?prefix=f'].map(
    (path) => ({ method: 'GET', path }),
  ),
});
