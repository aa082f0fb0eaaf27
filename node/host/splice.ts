import type { Socket } from 'node:net';

/**
 * Joins two sockets: what one receives the other sends, at the pace of the slower; an end of one
 * direction is passed on, a failure of either closes both. A pair of which one side has ended is
 * closed when no byte has moved for `halfOpenTimeoutMs`. Both sockets must allow half-open.
 */
export function splice(
  left: Socket,
  right: Socket,
  {
    halfOpenTimeoutMs,
    onClose,
  }: { readonly halfOpenTimeoutMs: number; readonly onClose?: () => void },
): void {
  let open = 2;
  const closeBoth = (): void => {
    left.destroy();
    right.destroy();
  };
  const watch = (one: Socket, other: Socket): void => {
    one.on('error', closeBoth);
    one.once('end', () => {
      one.setTimeout(halfOpenTimeoutMs, closeBoth);
      other.setTimeout(halfOpenTimeoutMs, closeBoth);
    });
    one.once('close', () => {
      if (!one.readableEnded || !one.writableFinished) other.destroy();
      open--;
      if (open === 0) onClose?.();
    });
  };
  watch(left, right);
  watch(right, left);
  if (left.destroyed || right.destroyed) {
    closeBoth();
    return;
  }
  left.pipe(right);
  right.pipe(left);
}
