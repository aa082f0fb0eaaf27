import test from 'node:test';
import { mistakes } from './mistakes.ts';

for (const [sentence, check] of mistakes) test(sentence, check);
