import type { Method } from './method.ts';
import { accountMethods } from './methods/accounts.ts';
import { blockMethods } from './methods/blocks.ts';
import { callMethods } from './methods/calls.ts';
import { feeMethods } from './methods/fees.ts';
import { filterMethods } from './methods/filters.ts';
import { inspectionMethods } from './methods/inspection.ts';
import { networkMethods } from './methods/network.ts';
import { subscriptionMethods } from './methods/subscriptions.ts';
import { transactionMethods } from './methods/transactions.ts';

/** Every method that is offered, by name. */
export const methodTable: ReadonlyMap<string, Method> = new Map(
  [
    networkMethods,
    feeMethods,
    accountMethods,
    callMethods,
    blockMethods,
    transactionMethods,
    filterMethods,
    subscriptionMethods,
    inspectionMethods,
  ]
    .flat()
    .map((method) => [method.name, method]),
);
