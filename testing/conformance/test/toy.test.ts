import { utf8 } from '@concordat/std';
import { adapterSuite } from '../index.ts';
import { createToyAdapter } from './toy-adapter.ts';

adapterSuite({
  name: 'a toy written from the contract alone',
  create: createToyAdapter,
  invalidConfigs: [{ any: 'thing' }],
  genesisData: utf8('one two three'),
  kept: [utf8('set one 1'), utf8('slow two 2'), utf8('set four 4'), utf8('set one 5')],
  dropped: [utf8('drop one'), utf8('nonsense'), utf8('')],
  queries: [{ method: 'GET', path: '/words' }],
});
