import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import * as fc from "fast-check";
import { type LogOptions, openLog } from "../../src/report/log_sink.ts";
import type { Log } from "../../src/world.ts";

/** What is written to a log of that kind. */
function written(options: Partial<LogOptions>, write: (log: Log) => void): string[] {
  const lines: string[] = [];
  write(openLog({
    level: "debug",
    format: "text",
    colour: false,
    write: (line) => lines.push(line),
    ...options,
  }));
  return lines;
}

Deno.test("openLog: text lines have time, level, room, sentence and values", () => {
  const lines = written({}, (log) => {
    log.info("Hello {name}", { name: "x", count: 3, on: true, none: undefined, empty: "" });
    log.room("registry").room("auth").warn("Careful", { text: "two words", quote: '"' });
  });
  assertEquals(lines.length, 2);
  assertMatch(
    lines[0] ?? "",
    /^\d\d:\d\d:\d\d\.\d{3} info {2}Hello \{name\} {2}name=x count=3 on=true empty=""$/,
  );
  assertMatch(lines[1] ?? "", /^[\d:.]{12} warn {2}registry\.auth: Careful {2}text="two words" quote="\\""$/);
});

Deno.test("openLog: JSON lines are objects", () => {
  const [line = ""] = written(
    { format: "json" },
    (log) => log.room("device").error("It {broke}", { host: "10.0.0.1", none: undefined }),
  );
  const { time, ...rest } = JSON.parse(line);
  assertMatch(time, /^\d{4}-\d\d-\d\dT[\d:.]+Z$/);
  assertEquals(rest, { level: "error", room: "device", message: "It {broke}", host: "10.0.0.1" });
});

Deno.test("openLog: only its level and above is written", () => {
  const levels = ["debug", "info", "warning", "error"] as const;
  for (const [index, level] of levels.entries()) {
    const lines = written({ level, format: "json" }, (log) => {
      log.debug("d");
      log.info("i");
      log.warn("w");
      log.error("e");
    });
    assertEquals(lines.map((line) => JSON.parse(line).level), levels.slice(index));
  }
});

Deno.test("openLog: nothing from outside forges a line or acts on a terminal", () => {
  const hostile = fc.array(
    fc.oneof(
      fc.constantFrom(
        "\n",
        "\r",
        "\x1b[2K",
        "\x1b]0;t\x07",
        "\x9b1A",
        "\u2028",
        "\u202e",
        "\0",
        "\b",
        "\ud800",
      ),
      fc.constantFrom("12:00:00.000 info  OK updated", "{time}", " a=b", '"', "\\"),
      fc.string({ unit: "binary" }),
    ),
    { maxLength: 8 },
  ).map((parts) => parts.join(""));
  fc.assert(
    fc.property(hostile, hostile, fc.constantFrom("text", "json"), (sentence, value, format) => {
      const lines = written({ format }, (log) => log.info(sentence, { value }));
      assertEquals(lines.length, 1);
      assert(!/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Cs}]/u.test(lines[0] ?? ""), lines[0]);
      if (format === "text") return;
      const parsed = JSON.parse(lines[0] ?? "");
      assertEquals([parsed.message, parsed.value], [sentence, value]);
    }),
    { seed: 20272, numRuns: 1000 },
  );
});

Deno.test("openLog: a value cannot pretend to be another value", () => {
  const [line = ""] = written(
    {},
    (log) => log.info("Seen", { version: "1.0 ok=true", plain: "a=b", path: "c:\\x" }),
  );
  assertStringIncludes(line, 'version="1.0 ok=true" plain="a=b" path="c:\\\\x"');
});
