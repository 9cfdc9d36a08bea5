import { assertEquals, assertRejects } from "@std/assert";
import { sideBySide } from "../src/side_by_side.ts";

const NEVER = new AbortController().signal;

Deno.test("sideBySide: all results in their order, started at the same time", async () => {
  const first = Promise.withResolvers<string>();
  const both = sideBySide(NEVER, [
    () => first.promise,
    () => {
      first.resolve("a");
      return Promise.resolve(2);
    },
  ]);
  const results: readonly [string, number] = await both;
  assertEquals(results, ["a", 2]);
  assertEquals(await sideBySide(NEVER, []), []);
});

Deno.test("sideBySide: the first failure aborts the others, which are awaited, and is what is thrown", async () => {
  const failure = new Error("first");
  const seen: unknown[] = [];
  const stopped = (signal: AbortSignal): Promise<never> =>
    new Promise((_, reject) =>
      signal.addEventListener("abort", async () => {
        seen.push(signal.reason);
        await Promise.resolve();
        seen.push("cleaned up");
        reject(new Error("a later one"));
      })
    );
  const ended = sideBySide(NEVER, [stopped, () => Promise.reject(failure), stopped]);
  assertEquals(await assertRejects(() => ended, Error), failure);
  assertEquals(seen, [failure, failure, "cleaned up", "cleaned up"]);
});

Deno.test("sideBySide: what throws before it waits is a failure like others", async () => {
  const failure = new Error("at once");
  const ended = sideBySide(NEVER, [() => {
    throw failure;
  }, () => Promise.resolve(1)]);
  assertEquals(await assertRejects(() => ended, Error), failure);
});

Deno.test("sideBySide: an abort from outside reaches all of them", async () => {
  const stop = new AbortController();
  const reason = new Error("told to stop");
  const seen: unknown[] = [];
  const stopped = (signal: AbortSignal): Promise<never> =>
    new Promise((_, reject) =>
      signal.addEventListener("abort", () => {
        seen.push(signal.reason);
        reject(signal.reason);
      })
    );
  const ended = sideBySide(stop.signal, [stopped, stopped]);
  stop.abort(reason);
  assertEquals(await assertRejects(() => ended, Error), reason);
  assertEquals(seen, [reason, reason]);
});
