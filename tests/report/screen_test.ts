import { assert, assertEquals } from "@std/assert";
import { Screen } from "../../src/report/screen.ts";

/** A stream of so many columns that keeps what is written; without columns it is no terminal. */
function screenOf(columns: number | undefined): { screen: Screen; written: string[] } {
  const written: string[] = [];
  return {
    screen: new Screen({ write: (text) => void written.push(text), columns: () => columns }),
    written,
  };
}

const ERASE = "\r\x1b[K";

Deno.test("Screen: on a terminal a line goes above the bar, which is drawn again below it", () => {
  const { screen, written } = screenOf(80);
  screen.line("first");
  screen.progress({ step: "Sending", doneBytes: 100, totalBytes: 1000 }, 1000, () => assert(false));
  screen.line("second");
  screen.clear();
  screen.clear();
  screen.line("third");
  const [first, bar = "", second = "", erased, third, ...more] = written;
  assertEquals(more, []);
  assertEquals([first, erased, third], ["first\n", ERASE, "third\n"]);
  assert(bar.startsWith(`${ERASE}Sending`) && bar.includes("10%") && !bar.includes("\n"));
  assertEquals(second, `${ERASE}second\n${bar.slice(ERASE.length)}`);
});

Deno.test("Screen: a bar is drawn at most ten times a second, and taken away at its end", () => {
  const { screen, written } = screenOf(80);
  for (let now = 0; now < 1000; now += 10) {
    screen.progress({ step: "Sending", doneBytes: now, totalBytes: 1000 }, now, () => assert(false));
  }
  assertEquals(written.length, 10);
  screen.progress({ step: "Sending", doneBytes: 1000, totalBytes: 1000 }, 1000, () => assert(false));
  assertEquals(written.at(-1), ERASE);
  screen.line("done");
  assertEquals(written.at(-1), "done\n");
});

Deno.test("Screen: a step of unknown size keeps its bar", () => {
  const { screen, written } = screenOf(80);
  screen.progress({ step: "Pulling", doneBytes: 500, totalBytes: 0 }, 0, () => assert(false));
  assertEquals(written, [`${ERASE}Pulling  500 B`]);
});

Deno.test("Screen: elsewhere progress is lines of the log, without any control character", () => {
  const { screen, written } = screenOf(undefined);
  const told: string[] = [];
  for (let done = 0; done <= 1000; done++) {
    screen.progress(
      { step: "Sending", doneBytes: done, totalBytes: 1000 },
      done * 10,
      (line) => told.push(line),
    );
  }
  screen.line("a line");
  screen.clear();
  assertEquals(told.map((line) => line.split(" (")[0]), [
    "Sending: 25%",
    "Sending: 50%",
    "Sending: 75%",
    "Sending: 100%",
  ]);
  assertEquals(written, ["a line\n"]);
});

Deno.test("Screen: a step that takes a moment is one line in a log, its end", () => {
  const { screen } = screenOf(undefined);
  const told: string[] = [];
  for (let done = 0; done <= 1000; done++) {
    screen.progress(
      { step: "Sending", doneBytes: done, totalBytes: 1000 },
      done / 10,
      (line) => told.push(line),
    );
  }
  assertEquals(told, ["Sending: 100% (1 kB of 1 kB)"]);
});
