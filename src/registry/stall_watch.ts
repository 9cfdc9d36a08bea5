import { DeadlineError } from "../deadline.ts";
import type { Clock } from "../world.ts";

/** Fewer bytes than this in a whole idle time are no progress, or a trickle could keep us for ever. */
export const LEAST_PROGRESS: number = 16 * 1024;

/**
 * Aborts its signal when a peer lets us wait: counted is only the time we spend waiting for it, not the time our
 * consumer takes.
 */
export class StallWatch implements Disposable {
  /** Aborted with a `DeadlineError` on a stall, or with the outer signal's reason. */
  readonly signal: AbortSignal;
  readonly #clock: Clock;
  readonly #stalled = new AbortController();
  readonly #over = new AbortController();
  #waitingSince: number | undefined;
  #waited = 0;
  #bytes = 0;

  /** Starts watching; `idle` in milliseconds, `what` for the error. */
  constructor(
    outer: AbortSignal,
    options: { readonly clock: Clock; readonly idle: number; readonly what: string },
  ) {
    this.#clock = options.clock;
    this.signal = AbortSignal.any([outer, this.#stalled.signal]);
    void this.#watch(options.idle, options.what);
  }

  /** Runs one wait for the peer; `measure` tells how many bytes it brought. */
  async wait<Result>(action: () => Promise<Result>, measure: (result: Result) => number): Promise<Result> {
    this.#waitingSince = this.#clock.now();
    try {
      const result = await action();
      this.#bytes += measure(result);
      return result;
    } finally {
      this.#waited += this.#clock.now() - this.#waitingSince;
      this.#waitingSince = undefined;
      if (this.#bytes >= LEAST_PROGRESS) this.#waited = this.#bytes = 0;
    }
  }

  /** Ends the watch. */
  [Symbol.dispose](): void {
    this.#over.abort();
  }

  async #watch(idle: number, what: string): Promise<void> {
    // the sleep rejects only because the watch is over
    const isOn = () =>
      this.#clock.sleep(Math.max(1, idle / 4), this.#over.signal).then(() => true, () => false);
    while (await isOn()) {
      const current = this.#waitingSince === undefined ? 0 : this.#clock.now() - this.#waitingSince;
      if (this.#waited + current >= idle) return this.#stalled.abort(new DeadlineError(what, idle));
    }
  }
}
