import type { Duplex } from 'node:stream';
import type { Admitted, EndUserDesk } from './end-user-desk.ts';
import type { FrameWatch } from './frame-watch.ts';

/** How often it is looked whether a WebSocket may stay, milliseconds. */
const reviewMs = 2_000;
const maxTimerMs = 2 ** 31 - 1;

/**
 * Sees that a WebSocket lasts no longer than what let it in: its session or token, and the claim that the
 * node was told when it was opened. A message through it counts as use of the session.
 */
export function holdSocket(
  socket: Duplex,
  { known, claim }: Admitted,
  { desk, frames }: { readonly desk: EndUserDesk; readonly frames: FrameWatch },
): void {
  if (known === undefined || socket.destroyed) return;
  const { session, endsAtMs } = known;
  const cut = (): void => void socket.destroy();
  const end = setTimeout(cut, Math.min(Math.max(endsAtMs - desk.now(), 0), maxTimerMs));
  const forget = session?.whenOver(cut);
  const review = setInterval(() => {
    if (session && !desk.mayStay(session, claim, frames.wasUsed())) cut();
  }, reviewMs);
  socket.once('close', () => {
    clearTimeout(end);
    clearInterval(review);
    forget?.();
  });
  if (session?.isOver) cut();
}
