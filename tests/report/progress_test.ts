import { assert, assertEquals } from "@std/assert";
import * as fc from "fast-check";
import { type Progress, progressBar, progressLine } from "../../src/report/progress.ts";

const at = (doneBytes: number, totalBytes = 1000, step = "Sending"): Progress => ({
  step,
  doneBytes,
  totalBytes,
});

Deno.test("progressBar: share, amount and width", () => {
  assertEquals(progressBar(at(0), 80), "Sending  ░░░░░░░░░░░░░░░░░░░░░░░░   0%  0 B of 1 kB");
  assertEquals(progressBar(at(512, 1024), 80), "Sending  ████████████░░░░░░░░░░░░  50%  512 B of 1.02 kB");
  assertEquals(progressBar(at(1000), 80), "Sending  ████████████████████████ 100%  1 kB of 1 kB");
  assertEquals(progressBar(at(999), 80).includes("100%"), false);
  assertEquals(progressBar(at(2000), 80), "Sending  ████████████████████████ 100%  2 kB of 1 kB");
  assertEquals(progressBar(at(500, 0), 80), "Sending  500 B");
});

Deno.test("progressBar: never as wide as the terminal, so that it does not wrap", () => {
  fc.assert(
    fc.property(fc.nat(), fc.nat(), fc.nat(200), (done, total, columns) => {
      const bar = progressBar(at(done, total), columns);
      assert(bar.length <= Math.max(0, columns - 1));
      assert(!bar.includes("\n"));
    }),
    { seed: 20271, numRuns: 500 },
  );
});

Deno.test("progressLine: one line at each quarter of a step, none for what is told", () => {
  const told: string[] = [];
  let previous: Progress | undefined;
  for (let done = 0; done <= 1100; done += 10) {
    const line = progressLine(at(done), previous);
    if (line === undefined) continue;
    told.push(line);
    previous = at(done);
  }
  assertEquals(told, [
    "Sending: 25% (250 B of 1 kB)",
    "Sending: 50% (500 B of 1 kB)",
    "Sending: 75% (750 B of 1 kB)",
    "Sending: 100% (1 kB of 1 kB)",
  ]);
});

Deno.test("progressLine: another step begins anew, and an unknown size has no quarters", () => {
  assertEquals(progressLine(at(300), at(900, 1000, "Pulling")), "Sending: 25% (300 B of 1 kB)");
  assertEquals(progressLine(at(300), at(300, 0)), "Sending: 25% (300 B of 1 kB)");
  assertEquals(progressLine(at(300, 0), undefined), undefined);
});

Deno.test("progressLine: the next layer begins anew, and so does a file that is sent again", () => {
  assertEquals(progressLine(at(600, 2000), at(1000, 1000)), "Sending: 25% (600 B of 2 kB)");
  assertEquals(progressLine(at(300), at(700)), "Sending: 25% (300 B of 1 kB)");
  assertEquals(progressLine(at(300), at(300)), undefined);
});
