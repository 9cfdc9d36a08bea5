import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { Interruption } from "../../src/cli/command.ts";
import { COMMANDS } from "../../src/cli/command_table.ts";
import { VERSION } from "../../src/cli/version.ts";
import denoJson from "../../deno.json" with { type: "json" };
import { runLine as run } from "./run_line.ts";

/** What `flash` needs to be told. */
const ENOUGH = {
  FIRMWARE: "registry.example/team/thermo:1.1",
  DEVICE: "esp32s3",
  HOST_ENDPOINT: "192.168.11.20",
  DICE_AUTH_URL: "http://attestation:8000",
  TERMINATION_LOG: "/nowhere/termination-log",
};

Deno.test("runCli: --version is the version in deno.json, with any command", async () => {
  assertEquals(VERSION, denoJson.version);
  for (const args of [["--version"], ["version"], ["flash", "--version"], ["pull", "--version"]]) {
    assertEquals(await run(args), { code: 0, stdout: `flashjob ${VERSION}\n`, stderr: "" });
  }
});

Deno.test("runCli: help goes to standard output and does nothing else", async () => {
  for (const args of [["--help"], ["-h"], ["help"]]) {
    const { code, stdout, stderr } = await run(args);
    assertEquals([code, stderr], [0, ""]);
    assertStringIncludes(stdout, "Commands:");
  }
  for (const { name } of COMMANDS) {
    for (const flag of ["--help", "-h"]) {
      const { code, stdout, stderr } = await run([name, flag, "--nonsense"]);
      assertEquals([code, stderr], [0, ""]);
      assertStringIncludes(stdout, `Usage: flashjob ${name} `);
    }
  }
});

Deno.test("runCli: an unknown command names the nearest one", async () => {
  const table: [string, string][] = [["flsh", "flash"], ["inspct", "inspect"], ["agnt", "agent"]];
  for (const [command, nearest] of table) {
    const { code, stdout, stderr } = await run([command, "--device", "x"]);
    assertEquals([code, stdout], [2, ""]);
    assertStringIncludes(stderr, `Unknown command '${command}', did you mean '${nearest}'?`);
    assertStringIncludes(stderr, "--help");
  }
  for (const word of ["", "x", "frobnicate", "upload"]) {
    const { code, stderr } = await run([word]);
    assertEquals([code, stderr], [2, `flashjob: Unknown command '${word}'\nTry: flashjob --help\n`]);
  }
});

Deno.test("runCli: all faults of a line are told together, with exit code 2 and where to read on", async () => {
  const { code, stdout, stderr } = await run([
    "pull",
    "--chache=x",
    "--device",
    "--log-level",
    "loud",
    "--log-format=xml",
    "one",
    "two",
  ]);
  assertEquals([code, stdout], [2, ""]);
  const told = [
    "'--chache', did you mean '--cache'",
    "--device needs a value",
    "--log-level: Cannot use 'loud': wanted one of debug, info, warning, error",
    "--log-format: Cannot use 'xml'",
    "Unexpected argument 'two'",
    "Try: flashjob pull --help",
  ];
  for (const part of told) assertStringIncludes(stderr, part);
});

Deno.test("runCli: a command without its argument, or with one too many, is not run", async () => {
  assertStringIncludes((await run(["pull", "--device", "esp32"])).stderr, "Missing REFERENCE");
  assertStringIncludes((await run(["flash", "registry.example/a:1"])).stderr, "Unexpected argument");
  assertEquals((await run(["--", "x"])).code, 2);
});

Deno.test("runCli: how to speak is checked in variables too", async () => {
  for (const variable of ["LOG_LEVEL", "LOG_FORMAT", "FLASHJOB_OUTPUT"]) {
    const { code, stderr } = await run([], { ...ENOUGH, [variable]: "loud" });
    assertEquals(code, 2);
    assertStringIncludes(stderr, `${variable}: Cannot use 'loud'`);
  }
});

Deno.test("runCli: without a command it is flash, whose configuration faults are a report", async () => {
  for (const args of [[], ["flash"]]) {
    const { code, stdout } = await run(args, { TERMINATION_LOG: ENOUGH.TERMINATION_LOG });
    assertEquals(code, 2);
    for (const variable of ["FIRMWARE", "DEVICE", "HOST_ENDPOINT", "DICE_AUTH_URL"]) {
      assertStringIncludes(stdout, variable);
    }
    assert(stdout.startsWith("FAILED configuration (exit 2): 4 faults"));
    assertEquals(stdout.split("\n").length, 2);
  }
});

Deno.test("runCli: --output json gives one object for the configuration's faults, in any case", async () => {
  for (const word of ["json", "JSON"]) {
    const { code, stdout } = await run(["--output", word], { TERMINATION_LOG: ENOUGH.TERMINATION_LOG });
    const report = JSON.parse(stdout);
    assertEquals([code, report.code, report.outcome], [2, 2, "configuration"]);
  }
});

Deno.test("runCli: a password on standard input stands nowhere in the output", async () => {
  const args = ["--username", "ci", "--password-stdin", "--agent-port", "x", "--log-level", "debug"];
  const { code, stdout, stderr } = await run(args, ENOUGH, "hunter2-secret\n");
  assertEquals(code, 2);
  assertStringIncludes(stdout, "--agent-port");
  assert(!`${stdout}${stderr}`.includes("hunter2"));
});

Deno.test("runCli: a signal ends the wait for a password that nobody writes, with a report", async () => {
  const lines = [["flash"], ["pull", "127.0.0.1:1/x:1", "--device", "esp32s3", "--output", "/nowhere/x"], [
    "inspect",
    "127.0.0.1:1/x:1",
  ]];
  for (const line of lines) {
    const stop = new AbortController();
    const never = new Promise<string>(() => stop.abort(new Interruption("SIGTERM")));
    const args = [...line, "--username", "ci", "--password-stdin", "--output", "json"];
    const { code, stdout } = await run(args, ENOUGH, never, stop.signal);
    const report = JSON.parse(stdout);
    assertEquals([code, report.outcome, report.message], [143, "terminated", "Stopped by SIGTERM"]);
  }
});

Deno.test("runCli: --timeout ends the wait for a password that nobody writes", async () => {
  for (const line of [["flash"], ["pull", "127.0.0.1:1/x:1"], ["inspect", "127.0.0.1:1/x:1"]]) {
    const args = [...line, "--username", "ci", "--password-stdin", "--timeout", "20ms", "--output", "json"];
    const { code, stdout } = await run(args, ENOUGH, new Promise<string>(() => undefined));
    assertEquals([code, JSON.parse(stdout).outcome], [124, "deadline"], `${args}`);
  }
});

Deno.test("runCli: faults of an inspection's configuration are one object where JSON was asked for", async () => {
  for (const word of ["json", "JSON"]) {
    const args = ["inspect", "127.0.0.1:1/x:1", "--device", "!", "--output", word];
    const { code, stdout } = await run(args);
    assertEquals([code, JSON.parse(stdout).outcome], [2, "configuration"]);
  }
  const { code, stdout, stderr } = await run(["inspect", "127.0.0.1:1/x:1", "--device", "!"]);
  assertEquals([code, stdout], [2, ""]);
  assertStringIncludes(stderr, "Try: flashjob inspect --help");
});

Deno.test("runCli: a failure shows what comes from outside as text, whatever it holds", async () => {
  const hostile = "x\x1b[2K\x9b1A\u202e\nOK updated";
  for (const output of [[], ["--output", "json"]]) {
    const { code, stdout, stderr } = await run(["inspect", `./${hostile}`, ...output]);
    assertEquals(code, 34);
    assertEquals(`${stdout}${stderr}`.match(/(?!\n)[\p{Cc}\p{Cf}]|^OK/gmu), null);
    assertStringIncludes(stderr, "x\\u001b[2K\\u009b1A\\u202e\\nOK updated");
  }
});
