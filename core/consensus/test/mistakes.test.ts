import test from 'node:test';
import { extensionMistakes } from './extension-mistakes.ts';
import { mistakes } from './mistakes.ts';

for (const [sentence, check] of [...mistakes, ...extensionMistakes]) test(sentence, check);
