import { administrationErrors } from './administration-errors.ts';
import { externalErrors } from './external-errors.ts';
import { governanceErrors } from './governance-errors.ts';
import { identityErrors } from './identity-errors.ts';
import { requestErrors } from './request-errors.ts';
import { signInErrors } from './sign-in-errors.ts';

/** What the catalogue says of a code. */
export interface CatalogueEntry {
  /** HTTP status it is answered with; 0 where it is never an HTTP answer (logs, TLS, JSON-RPC). */
  readonly status: number;
  /** What happened, in a sentence. */
  readonly meaning: string;
  /** What whoever reads it can do, in a sentence. */
  readonly remedy: string;
  /** Whether the same request may succeed later, unchanged; absent means it will not. */
  readonly retryable?: true;
}

/**
 * Every code an HTTP answer, a JSON-RPC error's `data.code`, a CLI or a log line of Concordat
 * carries. One word, one meaning: a code is never reused and never renamed.
 */
export const errorCatalogue = {
  ...requestErrors,
  ...externalErrors,
  ...identityErrors,
  ...administrationErrors,
  ...governanceErrors,
  ...signInErrors,
} as const satisfies Readonly<Record<string, CatalogueEntry>>;

/** A code of the catalogue. */
export type ErrorCode = keyof typeof errorCatalogue;

/** Whether a text is a code of the catalogue. */
export const isErrorCode = (code: string): code is ErrorCode => Object.hasOwn(errorCatalogue, code);

/** The entry of a code. */
export const catalogueEntry = (code: ErrorCode): CatalogueEntry => errorCatalogue[code];

/** The parts of the catalogue, as the documentation shows them. */
export const catalogueParts: readonly (readonly [
  string,
  Readonly<Record<string, CatalogueEntry>>,
])[] = [
  ['Requests and transactions', requestErrors],
  ['Systems outside of the network', externalErrors],
  ['Identity and TLS', identityErrors],
  ['Nodes and administration', administrationErrors],
  ['Governance', governanceErrors],
  ['End users and the gateway', signInErrors],
];
