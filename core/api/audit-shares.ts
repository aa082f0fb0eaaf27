/** POST /gov/audit-shares, after the giving is recorded and committed. */
export interface AuditSharesAnswer {
  /** The epochs shares were given for, ascending. */
  readonly epochs: readonly number[];
  /** Text of the file for the auditor, sealed to its key: docs/format/audit-files.md. */
  readonly file: string;
}
