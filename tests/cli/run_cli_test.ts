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
  assertStringIncludes((await run(["flash", "registry.example/a:1"])).stdout, "Unexpected argument");
  assertEquals((await run(["--", "x"])).code, 2);
});

/** A line for each command, which lacks something else as well. */
const LACKING: readonly (readonly [line: readonly string[], lacks: string])[] = [
  [["flash", "--agent-port", "x"], "--agent-port"],
  [["pull", "127.0.0.1:1/x:1", "--output", "/nowhere/x"], "--device"],
  [["inspect", "127.0.0.1:1/x:1", "--device", "!"], "--device"],
  [["agent", "--port", "x"], "--port"],
  [["certs", "init", "--days", "x"], "--days"],
];

Deno.test("runCli: how to speak is checked in variables too, together with the rest of the configuration", async () => {
  assertEquals(LACKING.map(([[command]]) => command), COMMANDS.map(({ name }) => name));
  const { DEVICE: _, ...environment } = ENOUGH;
  for (const [line, lacks] of LACKING) {
    for (const variable of ["LOG_LEVEL", "LOG_FORMAT", "FLASHJOB_OUTPUT"]) {
      // the one form of an agent's result is JSON lines
      if (line[0] === "agent" && variable === "FLASHJOB_OUTPUT") continue;
      const { code, stdout, stderr } = await run(line, { ...environment, [variable]: "loud" });
      const told = line[0] === "flash" ? stdout : stderr;
      assertEquals(code, 2);
      for (const name of [`${variable}: Cannot use 'loud'`, lacks]) assertStringIncludes(told, name);
    }
  }
});

Deno.test("runCli: a log level that is none still leaves a report and a termination message", async () => {
  const termination = await Deno.makeTempFile({ prefix: "termination-log-" });
  const environment = { ...ENOUGH, TERMINATION_LOG: termination, FLASHJOB_OUTPUT: "json", LOG_LEVEL: "loud" };
  const lines = [["flash"], ["flash", "--hots", "10.0.0.7"]];
  for (const line of lines) {
    await Deno.writeTextFile(termination, "");
    const { code, stdout } = await run(line, environment);
    const report = JSON.parse(stdout);
    assertEquals([code, report.outcome, report.warnings], [2, "configuration", []]);
    assertStringIncludes(report.message, "LOG_LEVEL: Cannot use 'loud'");
    assertEquals(report.message.includes("'--hots', did you mean '--host'?"), line.length > 1);
    assertEquals(JSON.parse(await Deno.readTextFile(termination)).message, report.message);
  }
  await Deno.writeTextFile(termination, "");
  const { stdout } = await run(["flash", "--hots", "10.0.0.7"], { ...ENOUGH, TERMINATION_LOG: termination });
  const told = "Unknown flag '--hots', did you mean '--host'?";
  assertEquals(stdout, `FAILED configuration (exit 2): ${told} See flashjob --help.\n`);
  assertEquals(JSON.parse(await Deno.readTextFile(termination)).message, told);
  await Deno.remove(termination);
});

Deno.test("runCli: the word that the log itself writes for warnings is a level", async () => {
  for (const level of ["warn", "WARN", "warning"]) {
    // A dry run with our own agent needs no files, so that this is the one fault.
    const args = ["flash", "--dry-run", "--agent", "builtin", "--agent-port", "x"];
    const { stdout, stderr } = await run(args, { ...ENOUGH, LOG_LEVEL: level });
    assertStringIncludes(stdout, "(exit 2): --agent-port");
    assert(!stdout.includes("LOG_LEVEL"), stdout);
    assertEquals(stderr, "");
  }
});

Deno.test("runCli: a failure is JSON where JSON was asked for, by flag or variable, in any case", async () => {
  const lines = [
    ...LACKING.map(([line]) => line).filter(([command]) => command !== "agent"),
    ["pull", "--device", "esp32"],
    ["flash", "--hots", "x"],
    ["inspect", "./nowhere"],
    ["flsh"],
  ];
  const { DEVICE: _, ...environment } = ENOUGH;
  for (const line of lines) {
    const ways = [
      await run([...line, "--output", "json"], environment),
      await run([...line, "--output", "JSON"], environment),
      await run(line, { ...environment, FLASHJOB_OUTPUT: "Json" }),
    ];
    for (const { code, stdout } of ways) {
      const found = JSON.parse(stdout);
      assertEquals([found.code, found.outcome], [code, code === 2 ? "configuration" : "local-io"], `${line}`);
    }
    assertEquals(
      (await run([...line, "--output", "text"], { ...environment, FLASHJOB_OUTPUT: "json" })).stdout
        .startsWith("{"),
      false,
    );
  }
});

Deno.test("runCli: with --log-format json every line on standard error is JSON", async () => {
  const { DEVICE: _, ...environment } = ENOUGH;
  const lines = [...LACKING.map(([line]) => line), ["pull"], ["inspect", "./nowhere"], ["flsh"]];
  for (const line of lines) {
    for (const output of [[], ["--output", "json"]]) {
      if (line[0] === "agent" && output.length > 0) continue;
      const { stdout, stderr } = await run([...line, "--log-format", "json", ...output], environment);
      const told = stderr.split("\n").filter((text) => text !== "");
      for (const text of told) assertEquals(JSON.parse(text).level, "error", text);
      assert(told.length > 0 || stdout.startsWith("FAILED"), `${line}`);
    }
  }
});

Deno.test("runCli: an unknown flag is one fault, whatever stands behind it", async () => {
  const { stderr } = await run(["pull", "--chache", "registry.example/a:1"]);
  assertStringIncludes(stderr, "flashjob: Unknown flag '--chache', did you mean '--cache'?\n");
  assertStringIncludes((await run(["pull", "--chache=x"])).stderr, "Missing REFERENCE");
});

Deno.test("runCli: without a command it is flash, whose configuration faults are a report", async () => {
  for (const args of [[], ["flash"]]) {
    const { code, stdout } = await run(args, {
      TERMINATION_LOG: ENOUGH.TERMINATION_LOG,
      SERVER_CRT_PATH: "/nowhere/server.crt",
      SERVER_KEY_PATH: "/nowhere/server.key",
    });
    assertEquals(code, 2);
    for (
      const named of ["FIRMWARE", "DEVICE", "HOST_ENDPOINT", "DICE_AUTH_URL", "/server.crt", "/server.key"]
    ) {
      assertStringIncludes(stdout, named);
    }
    assert(stdout.startsWith("FAILED configuration (exit 2): 6 faults"));
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

Deno.test("runCli: a password that cannot be read is one fault among the others", async () => {
  const args = ["--username", "ci", "--password-stdin", "--agent-port", "x", "--output", "json"];
  const unreadable = Promise.reject(new Error("Is a directory"));
  unreadable.catch(() => undefined);
  const { code, stdout } = await run(args, ENOUGH, unreadable);
  const report = JSON.parse(stdout);
  assertEquals([code, report.outcome], [2, "configuration"]);
  assertStringIncludes(report.message, "--password-stdin: standard input is no password: Is a directory");
  assertEquals(report.message.match(/--password-stdin/g)?.length, 1, report.message);
  assertStringIncludes(report.message, "--agent-port");
  for (const command of [["pull", "127.0.0.1:1/x:1"], ["inspect", "127.0.0.1:1/x:1"]]) {
    const failing = Promise.reject(new Error("Is a directory"));
    failing.catch(() => undefined);
    const line = [...command, "--device", "esp32s3", "--username", "ci", "--password-stdin"];
    const { code, stderr } = await run(line, {}, failing);
    assertEquals(code, 2);
    assertStringIncludes(stderr, "standard input is no password: Is a directory");
  }
});

Deno.test("runCli: inspect takes what a build writes for a file, and shows no password of what it refuses", async () => {
  for (const name of ["nope.bin", "build/thermo.bin", "build/thermo.ELF"]) {
    const { code, stderr } = await run(["inspect", name]);
    assertEquals(code, 34);
    assertStringIncludes(stderr, `Cannot inspect '${name}': nothing is there`);
  }
  const { code, stdout, stderr } = await run(["inspect", "https://me:hunter2@registry.example/app.bin"]);
  assertEquals(code, 2);
  assert(!`${stdout}${stderr}`.includes("hunter2"), stderr);
});
