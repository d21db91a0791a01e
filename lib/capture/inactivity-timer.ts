// Keeps Node's inactivity timers from ending a save, which writes nothing to its connection until the reply.
import type { Socket } from 'node:net';

/** The timer of a connection that saves hold off, in milliseconds, and how many saves do so. */
interface Hold {
  readonly timeout: number;
  saves: number;
}

const holds = new WeakMap<Socket, Hold>();

/**
 * Holds off the timer of `server.timeout` and of each `setTimeout` of server, request and response. Saves that are
 * pipelined on one connection hold it off together.
 *
 * @returns Gives the connection its timer back. Call it once.
 */
export function holdInactivityTimer(socket: Socket): () => void {
  // Hosts without a network connection may have no such timer.
  const timed: Partial<Pick<Socket, 'timeout' | 'setTimeout'>> = socket;
  const hold = holds.get(socket) ?? { timeout: timed.timeout ?? 0, saves: 0 };
  holds.set(socket, hold);
  hold.saves++;
  if (hold.timeout > 0) timed.setTimeout?.(0);
  return () => {
    if (--hold.saves > 0) return;
    holds.delete(socket);
    if (hold.timeout > 0) timed.setTimeout?.(hold.timeout);
  };
}
