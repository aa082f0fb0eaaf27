import { fromHex } from '@concordat/std';

/**
 * Code of the contract that keeps the hashes of the last 8,191 blocks, as EIP-2935 gives it. On the
 * public network somebody deploys it before the fork; a chain made here has it from the start.
 */
export const historyCode: Uint8Array = fromHex(
  '3373fffffffffffffffffffffffffffffffffffffffe14604657602036036042575f35600143038111604257611fff' +
    '81430311604257611fff9006545f5260205ff35b5f5ffd5b5f35611fff60014303065500',
) as Uint8Array;
