import type { Clock } from "../../src/world.ts";

/** Between two beats, in milliseconds, where nobody is to be woken earlier. */
const BEAT = 10;

/** The most that passes between two beats, in milliseconds: what is beyond it this process did not live. */
const LONGEST_BEAT = 12;

interface Sleeper {
  readonly until: number;
  readonly wake: () => void;
}

/**
 * The time that this process lives. While somebody sleeps it beats, and where the machine lets the process stand still,
 * the time stands still too. The lab and the job under test share a process and so a clock: a busy machine makes both
 * slow, and neither is late for the other.
 */
export class LabClock implements Clock {
  readonly #sleepers = new Set<Sleeper>();
  #time = Date.now();
  #takenAt = performance.now();
  #beat: { readonly timer: ReturnType<typeof setTimeout>; readonly wakes: number } | undefined;

  /** Milliseconds since the Unix epoch, less what the process did not live. */
  now(): number {
    return Math.floor(this.#now());
  }

  /** Resolves when so much was lived, or rejects with the signal's reason. */
  sleep(milliseconds: number, signal?: AbortSignal): Promise<void> {
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    if (signal?.aborted) return Promise.reject(signal.reason);
    this.#takeTime();
    const onAbort = (): void => {
      this.#takeTime();
      this.#sleepers.delete(sleeper);
      if (this.#sleepers.size === 0) this.#schedule();
      reject(signal?.reason);
    };
    const sleeper: Sleeper = {
      until: this.#time + Math.max(0, milliseconds),
      wake: () => {
        signal?.removeEventListener("abort", onAbort);
        resolve();
      },
    };
    signal?.addEventListener("abort", onAbort, { once: true });
    this.#sleepers.add(sleeper);
    if (this.#beat === undefined || sleeper.until < this.#beat.wakes) this.#schedule();
    return promise;
  }

  #now(): number {
    const passed = performance.now() - this.#takenAt;
    // Nobody can be late while nobody sleeps.
    return this.#time + (this.#sleepers.size === 0 ? passed : Math.min(passed, LONGEST_BEAT));
  }

  #takeTime(): void {
    this.#time = this.#now();
    this.#takenAt = performance.now();
  }

  #wake(): void {
    this.#takeTime();
    for (const sleeper of this.#sleepers) {
      if (sleeper.until > this.#time) continue;
      this.#sleepers.delete(sleeper);
      sleeper.wake();
    }
    this.#schedule();
  }

  #schedule(): void {
    clearTimeout(this.#beat?.timer);
    this.#beat = undefined;
    if (this.#sleepers.size === 0) return;
    const first = Math.min(...[...this.#sleepers].map(({ until }) => until));
    const wakes = Math.min(first, this.#time + BEAT);
    this.#beat = { timer: setTimeout(() => this.#wake(), Math.max(0, wakes - this.#time)), wakes };
  }
}

/** The one clock of a lab and its jobs. */
export const labClock: Clock = new LabClock();
