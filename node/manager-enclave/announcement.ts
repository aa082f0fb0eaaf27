import type { OpenedBlock } from '@concordat/ledger';
import { formatTransactionId } from '@concordat/std';

/** What a committed administrative block tells those who watch. */
export interface Announcement {
  /** `view.seqno` */
  readonly transactionId: string;
  readonly timeMs: number;
  readonly publicWrites: readonly Uint8Array[];
}

/** The announcement of a block made elsewhere. */
export const announcementOf = ({
  header,
  transactions,
}: Pick<OpenedBlock, 'header' | 'transactions'>): Announcement => ({
  transactionId: formatTransactionId(header.view, header.firstSeqno),
  timeMs: header.timeMs,
  publicWrites: transactions.map(({ publicWrites }) => publicWrites),
});
