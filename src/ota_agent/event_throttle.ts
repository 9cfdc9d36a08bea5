import type { Clock } from "../world.ts";

/** Events that pass at once. */
const BURST = 20;

/** Milliseconds until one more may pass. */
const INTERVAL = 500;

/** Lets a burst of events about unknown peers pass, then two a second: whoever connects must not fill our log. */
export class EventThrottle {
  readonly #clock: Clock;
  #tokens = BURST;
  #filledAt: number;
  #suppressed = 0;

  constructor(clock: Clock) {
    this.#clock = clock;
    this.#filledAt = clock.now();
  }

  /** How many were left out since the last that passed, or `undefined`: leave this one out, too. */
  pass(): number | undefined {
    const now = this.#clock.now();
    const earned = Math.floor((now - this.#filledAt) / INTERVAL);
    if (earned > 0) {
      this.#tokens = Math.min(BURST, this.#tokens + earned);
      this.#filledAt += earned * INTERVAL;
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
