import { assert, assertEquals, assertRejects } from "@std/assert";
import { DeadlineError, within } from "../src/deadline.ts";
import type { Clock } from "../src/world.ts";

const NEVER = new AbortController().signal;

/** Time that passes when it is told to. */
class ToldClock implements Clock {
  readonly #sleepers: { readonly at: number; readonly wake: () => void }[] = [];
  #now = 0;
  sleeping = 0;

  now(): number {
    return this.#now;
  }

  sleep(milliseconds: number, signal?: AbortSignal): Promise<void> {
    this.sleeping++;
    return new Promise<void>((resolve, reject) => {
      signal?.addEventListener("abort", () => reject(signal.reason), { once: true });
      this.#sleepers.push({ at: this.#now + milliseconds, wake: resolve });
    }).finally(() => this.sleeping--);
  }

  pass(milliseconds: number): void {
    this.#now += milliseconds;
    for (const { at, wake } of this.#sleepers) if (at <= this.#now) wake();
  }
}

/** Ends only when its signal is aborted, with the signal's reason. */
function untilStopped(signal: AbortSignal): Promise<never> {
  return new Promise((_, reject) => signal.addEventListener("abort", () => reject(signal.reason)));
}

Deno.test("within: the result of an action that is in time, and no timer is left", async () => {
  const clock = new ToldClock();
  const deadline = { clock, milliseconds: 100, signal: NEVER, what: "it" };
  assertEquals(await within(deadline, () => Promise.resolve(7)), 7);
  assertEquals(clock.sleeping, 0);
});

Deno.test("within: what the action fails with is passed on", async () => {
  const clock = new ToldClock();
  const failure = new Error("no");
  const deadline = { clock, milliseconds: 100, signal: NEVER, what: "it" };
  assertEquals(await assertRejects(() => within(deadline, () => Promise.reject(failure)), Error), failure);
  assertEquals(clock.sleeping, 0);
});

Deno.test("within: at the end of the time the action is aborted and a DeadlineError says what took so long", async () => {
  const clock = new ToldClock();
  const ended = within({ clock, milliseconds: 100, signal: NEVER, what: "the device" }, untilStopped);
  clock.pass(99);
  clock.pass(1);
  const error = await assertRejects(() => ended, DeadlineError);
  assertEquals(error.message, "Cannot wait any longer for the device: 100 ms are over");
  assertEquals(clock.sleeping, 0);
});

Deno.test("within: it waits until the action has cleaned up, and its own failure does not hide the deadline", async () => {
  const clock = new ToldClock();
  let cleaned = false;
  const ended = within({ clock, milliseconds: 100, signal: NEVER, what: "it" }, async (signal) => {
    await untilStopped(signal).catch(() => undefined);
    await Promise.resolve();
    cleaned = true;
    throw new Error("the clean-up's own");
  });
  clock.pass(100);
  await assertRejects(() => ended, DeadlineError);
  assert(cleaned);
});

Deno.test("within: the outer signal's reason wins over the deadline", async () => {
  const clock = new ToldClock();
  const stop = new AbortController();
  const reason = new Error("told to stop");
  const ended = within({ clock, milliseconds: 100, signal: stop.signal, what: "it" }, untilStopped);
  stop.abort(reason);
  assertEquals(await assertRejects(() => ended, Error), reason);
  assertEquals(clock.sleeping, 0);
});
