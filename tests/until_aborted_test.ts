import { assertEquals, assertRejects } from "@std/assert";
import { untilAborted } from "../src/until_aborted.ts";

const REASON = new Error("told to stop");

Deno.test("untilAborted: the promise's own end when it comes first", async () => {
  const stop = new AbortController();
  const failure = new Error("no");
  assertEquals(await untilAborted(Promise.resolve(1), stop.signal), 1);
  assertEquals(await assertRejects(() => untilAborted(Promise.reject(failure), stop.signal), Error), failure);
  stop.abort(REASON);
});

Deno.test("untilAborted: the signal's reason as soon as it is aborted, even if the promise never ends", async () => {
  const stop = new AbortController();
  const ended = untilAborted(new Promise(() => {}), stop.signal);
  stop.abort(REASON);
  assertEquals(await assertRejects(() => ended, Error), REASON);
});

Deno.test("untilAborted: a failure that comes after the abort is nobody's, and harms nobody", async () => {
  for (const early of [true, false]) {
    const stop = new AbortController();
    const { promise, reject } = Promise.withResolvers<never>();
    if (early) stop.abort(REASON);
    const ended = untilAborted(promise, stop.signal);
    stop.abort(REASON);
    assertEquals(await assertRejects(() => ended, Error), REASON);
    reject(new Error("too late"));
    // An unhandled rejection would fail this test by now.
    await new Promise((resolve) => setTimeout(resolve, 0));
  }
});
