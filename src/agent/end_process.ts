import type { Child, Clock, Log } from "../world.ts";

/** What the ending of a process needs. */
export interface EndProcessOptions {
  /** Measures the grace. */
  readonly clock: Clock;
  /** Milliseconds for each of the two signals. */
  readonly grace: number;
  /** Told where the process may not be signalled. */
  readonly log: Log;
  /** Aborted when the process has ended. */
  readonly ended: AbortSignal;
}

/**
 * Asks a process to end, and after the grace makes it. Rejects with the reason of `ended` once it has; resolves when it
 * stays all the same, as one of another user may, or one that waits for a disk.
 */
export async function endProcess(child: Child, options: EndProcessOptions): Promise<void> {
  const { clock, grace, log, ended } = options;
  for (const signal of ["SIGTERM", "SIGKILL"] as const) {
    signalProcess(child, signal, log);
    await clock.sleep(grace, ended);
  }
}

/** Signals a process; where that is not permitted it may yet end by itself, and the log is told. */
export function signalProcess(child: Child, signal: "SIGTERM" | "SIGKILL", log: Log): void {
  try {
    child.kill(signal);
  } catch (error) {
    log.warn(`Cannot signal process ${child.pid}: ${String(error)}`);
  }
}
