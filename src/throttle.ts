import type { Clock } from "./world.ts";

/** How much a {@linkcode Throttle} lets pass. */
export interface ThrottleOptions {
  /** Lines that pass at once. */
  readonly burst: number;
  /** Milliseconds until one more may pass. */
  readonly interval: number;
}

/** Bounds how often something is told that others can provoke: a burst passes, then one at each interval. */
export class Throttle {
  readonly #clock: Clock;
  readonly #options: ThrottleOptions;
  #tokens: number;
  #filledAt: number;
  #suppressed = 0;

  /** Starts with a full burst. */
  constructor(clock: Clock, options: ThrottleOptions) {
    this.#clock = clock;
    this.#options = options;
    this.#tokens = options.burst;
    this.#filledAt = clock.now();
  }

  /** How many were left out since the last that passed, or `undefined`: leave this one out, too. */
  pass(): number | undefined {
    const { burst, interval } = this.#options;
    const earned = Math.floor((this.#clock.now() - this.#filledAt) / interval);
    if (earned > 0) {
      this.#tokens = Math.min(burst, this.#tokens + earned);
      this.#filledAt += earned * interval;
    }
    if (this.#tokens === 0) {
      this.#suppressed++;
      return undefined;
    }
    this.#tokens--;
    const suppressed = this.#suppressed;
    this.#suppressed = 0;
    return suppressed;
  }
}
