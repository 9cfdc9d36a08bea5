import { assert, assertEquals, assertRejects } from "@std/assert";
import * as fc from "fast-check";
import { backoffDelay, retry, type RetryPolicy } from "../src/retry.ts";
import type { Clock } from "../src/world.ts";

/** Time that passes only by being slept. */
class SleptClock implements Clock {
  readonly slept: number[] = [];

  now(): number {
    return this.slept.reduce((sum, sleep) => sum + sleep, 0);
  }

  sleep(milliseconds: number, signal?: AbortSignal): Promise<void> {
    if (signal?.aborted) return Promise.reject(signal.reason);
    this.slept.push(milliseconds);
    return Promise.resolve();
  }
}

Deno.test("backoffDelay: doubles up to its cap, with jitter in the upper half", () => {
  const delays = (random: number) =>
    [1, 2, 3, 4, 5].map((attempt) => backoffDelay(attempt, { base: 250, cap: 2000, random }));
  assertEquals(delays(0), [125, 250, 500, 1000, 1000]);
  assertEquals(delays(1), [250, 500, 1000, 2000, 2000]);
  assertEquals(delays(0.5), [187.5, 375, 750, 1500, 1500]);
  fc.assert(
    fc.property(
      fc.integer({ min: 1, max: 5000 }),
      fc.double({ min: 0, max: 1, noNaN: true }),
      (attempt, random) => {
        const delay = backoffDelay(attempt, { base: 250, cap: 30_000, random });
        assert(delay >= 125 && delay <= 30_000);
      },
    ),
    { seed: 20273 },
  );
});

const UP_TO_THREE: RetryPolicy = (attempt) => attempt < 3 ? { retryAfter: attempt * 10 } : "stop";

Deno.test("retry: tries again as the policy says, and ends with the first success", async () => {
  const clock = new SleptClock();
  const { signal } = new AbortController();
  const seen: number[] = [];
  const result = await retry(
    (attempt) => {
      seen.push(attempt);
      return attempt < 3 ? Promise.reject(new Error(`${attempt}`)) : Promise.resolve("done");
    },
    UP_TO_THREE,
    { clock, signal },
  );
  assertEquals([result, seen, clock.slept], ["done", [1, 2, 3], [10, 20]]);
});

Deno.test("retry: the last failure when the policy says stop", async () => {
  const clock = new SleptClock();
  const { signal } = new AbortController();
  const told: unknown[] = [];
  const policy: RetryPolicy = (attempt, failure) => {
    told.push(failure);
    return UP_TO_THREE(attempt, failure);
  };
  const failing = retry((attempt) => Promise.reject(new Error(`number ${attempt}`)), policy, {
    clock,
    signal,
  });
  const error = await assertRejects(() => failing, Error, "number 3");
  assertEquals(told.length, 3);
  assertEquals(told.at(-1), error);
});

Deno.test("retry: nothing is tried once the signal is aborted, and its reason is thrown", async () => {
  const reason = new Error("told to stop");
  const clock = new SleptClock();
  const stop = new AbortController();
  let attempts = 0;
  const during = retry(
    () => {
      attempts++;
      stop.abort(reason);
      return Promise.reject(new Error("broken by the abort"));
    },
    UP_TO_THREE,
    { clock, signal: stop.signal },
  );
  assertEquals(await assertRejects(() => during, Error), reason);
  const after = retry(() => Promise.resolve(attempts++), UP_TO_THREE, { clock, signal: stop.signal });
  assertEquals(await assertRejects(() => after, Error), reason);
  assertEquals([attempts, clock.slept], [1, []]);
});

Deno.test("retry: an abort ends the pause between two attempts", async () => {
  const reason = new Error("told to stop");
  const stop = new AbortController();
  const clock: Clock = {
    now: () => 0,
    sleep: (_, signal) => {
      stop.abort(reason);
      return Promise.reject(signal?.reason);
    },
  };
  const ended = retry(() => Promise.reject(new Error("x")), UP_TO_THREE, { clock, signal: stop.signal });
  assertEquals(await assertRejects(() => ended, Error), reason);
});
