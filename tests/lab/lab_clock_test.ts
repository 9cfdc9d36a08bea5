import { assert, assertEquals, assertLess, assertRejects } from "@std/assert";
import { LabClock } from "./lab_clock.ts";

/** Keeps this process from doing anything else, as a busy machine does. */
function standStill(milliseconds: number): void {
  for (const until = performance.now() + milliseconds; performance.now() < until;);
}

Deno.test("LabClock: a process that stood still has lived next to nothing meanwhile", async () => {
  const clock = new LabClock();
  const order: string[] = [];
  const sleeps = [60, 30].map((length) => clock.sleep(length).then(() => order.push(`${length}`)));
  const begun = clock.now();
  standStill(200);
  assertLess(clock.now() - begun, 25);
  await Promise.all(sleeps);
  assertEquals(order, ["30", "60"]);
});

Deno.test("LabClock: it goes on while nobody sleeps, and never back", async () => {
  const clock = new LabClock();
  const begun = clock.now();
  standStill(50);
  assert(clock.now() - begun >= 49);
  let last = clock.now();
  for (const length of [0, 1, 15, 3]) {
    await clock.sleep(length);
    assert(clock.now() >= last);
    last = clock.now();
  }
});

Deno.test("LabClock: an aborted sleep rejects with the reason, before it begins and meanwhile, and leaves no timer", async () => {
  const clock = new LabClock();
  const stop = new AbortController();
  const hour = clock.sleep(3_600_000, stop.signal);
  const reason = new Error("enough");
  stop.abort(reason);
  assertEquals(await assertRejects(() => hour, Error), reason);
  assertEquals(await assertRejects(() => clock.sleep(1, stop.signal), Error), reason);
});
