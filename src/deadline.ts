import type { Clock } from "./world.ts";

/** A wait that took longer than it may. */
export class DeadlineError extends Error {
  /** Says what was waited for and how long, in milliseconds. */
  constructor(what: string, milliseconds: number) {
    super(`Cannot wait any longer for ${what}: ${milliseconds} ms are over`);
    this.name = "DeadlineError";
  }
}

/** What bounds a wait. */
export interface Deadline {
  /** What measures the wait. */
  readonly clock: Clock;
  /** How long the wait may take. */
  readonly milliseconds: number;
  /** Ends the wait from outside; its reason is passed on. */
  readonly signal: AbortSignal;
  /** What is waited for, for the error: "the device's answer". */
  readonly what: string;
}

/**
 * Runs `action` with a signal that is aborted when the outer one is, or when the time is over.
 *
 * Rejects with {@linkcode DeadlineError} when the time is over and the action rejected because of it.
 */
export async function within<Result>(
  deadline: Deadline,
  action: (signal: AbortSignal) => Promise<Result>,
): Promise<Result> {
  const over = new AbortController();
  const finished = new AbortController();
  const timer = deadline.clock.sleep(deadline.milliseconds, finished.signal).then(
    () => over.abort(new DeadlineError(deadline.what, deadline.milliseconds)),
    () => undefined,
  );
  try {
    return await action(AbortSignal.any([deadline.signal, over.signal]));
  } catch (error) {
    if (over.signal.aborted && !deadline.signal.aborted) throw over.signal.reason;
    throw error;
  } finally {
    finished.abort();
    await timer;
  }
}
