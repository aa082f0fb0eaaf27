import type { Action } from './effects.ts';
import { codeProperties, readCode, readTee, teeProperties } from './manifests.ts';
import { addRow, removeRow, tables } from './tables.ts';

/** Changes of the code manifest and of the TEE manifest. */
export const manifestActions = {
  add_code: (args) => {
    const code = readCode(args.only(codeProperties));
    const { measurement } = code;
    return (set) => {
      addRow(set, tables.code, { key: measurement, row: code, exists: 'CODE_EXISTS' });
      return [{ kind: 'code-added', measurement }];
    };
  },
  remove_code: (args) => {
    const measurement = args.only(['measurement']).at('measurement').hex(32);
    return (set) => {
      removeRow(set, tables.code, { key: measurement, missing: 'CODE_NOT_FOUND' });
      return [{ kind: 'code-removed', measurement }];
    };
  },
  add_tee: (args) => {
    const tee = readTee(args.only(teeProperties));
    return (set) => {
      addRow(set, tables.tees, { key: tee.platform, row: tee, exists: 'TEE_EXISTS' });
      return [{ kind: 'tee-added', platform: tee.platform }];
    };
  },
  remove_tee: (args) => {
    const platform = args.only(['platform']).at('platform').identifier();
    return (set) => {
      removeRow(set, tables.tees, { key: platform, missing: 'TEE_NOT_FOUND' });
      return [{ kind: 'tee-removed', platform }];
    };
  },
} satisfies Record<string, Action>;
