import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { setColorEnabled } from "@std/fmt/colors";
import { type Process, runCli } from "../../src/cli/run_cli.ts";
import { denoWorld } from "../../src/deno_world.ts";
import { openLog } from "../../src/report/log_sink.ts";

const ESCAPE = "\x1b";

// The library of colours obeys NO_COLOR of this very process, and nothing can overrule that: then there are none.
setColorEnabled(true);
const SHOWN = !Deno.noColor;
const COLOURED = /^\^\[2m[\d:.]{12}\^\[22m \^\[31merror\^\[39m \^\[36mdevice\^\[39m: Gone \\u001b\[32m/;
const PLAIN = /^[\d:.]{12} error device: Gone \\u001b\[32m/;

Deno.test("openLog: with colour, levels are told apart by it, and values from outside still cannot colour", () => {
  const lines: string[] = [];
  const log = openLog({ level: "info", format: "text", colour: true, write: (line) => lines.push(line) });
  log.room("device").error(`Gone ${ESCAPE}[32m`, { host: `${ESCAPE}[33m` });
  const line = (lines[0] ?? "").replaceAll(ESCAPE, "^");
  assertMatch(line, SHOWN ? COLOURED : PLAIN);
  assertStringIncludes(line, 'host="\\u001b[33m"');
});

/** A program that has faults to tell: what it writes to a standard error of so many columns. */
async function logOf(columns: number | undefined, environment: Record<string, string>): Promise<string> {
  let errors = "";
  const process: Process = {
    args: ["--output", "json"],
    environment: { TERMINATION_LOG: "/nowhere/termination-log", ...environment },
    errors: { write: (text) => void (errors += text), columns: () => columns },
    print: () => {},
    readInput: () => Promise.resolve(""),
    signal: new AbortController().signal,
    self: { path: "flashjob", args: [] },
    openWorld: (log) => denoWorld(log),
  };
  assertEquals(await runCli(process), 2);
  assertStringIncludes(errors, "FAILED configuration");
  return errors;
}

Deno.test("runCli: colours only on a terminal, and not with any NO_COLOR that is not empty", async () => {
  assertEquals((await logOf(80, {})).includes(ESCAPE), SHOWN);
  assertEquals((await logOf(80, { NO_COLOR: "" })).includes(ESCAPE), SHOWN);
  assert(!(await logOf(undefined, {})).includes(ESCAPE));
  for (const value of ["1", "0", "false", " "]) {
    assert(!(await logOf(80, { NO_COLOR: value })).includes(ESCAPE), value);
  }
});
