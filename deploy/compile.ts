/**
 * Writes the stand-alone program with exactly the permissions it needs (docs/packaging.md):
 *
 *     deno task compile [--output FILE] [--program PATH] [--agent PATH] [--write DIR]... [--run PROGRAM]...
 *
 * `--program` is where the program will stand when it runs: it may start itself there as the built-in agent.
 *
 * @module
 */
import { parseArgs } from "@std/cli/parse-args";
import { fileURLToPath } from "node:url";
import { IN_POD, type Installation, permissionFlags } from "./permissions.ts";

const MAIN = fileURLToPath(new URL("../main.ts", import.meta.url));
const USAGE = "Usage: deno task compile [--output FILE] [--program PATH] [--agent PATH] [--write DIR]... " +
  "[--run PROGRAM]...";

/** Arguments of Deno that write the program for `place` to `output`. */
export function compileArgs(place: Installation, output: string): string[] {
  return [
    "compile",
    "--quiet",
    // Types are checked by `deno task check`; what is compiled here has passed it.
    "--no-check",
    "--frozen",
    // A pod starts once; and the cache would lie under a guessable name in /tmp, where others could leave theirs.
    "--no-code-cache",
    // Leaves out what only the tests import.
    "--exclude-unused-npm",
    // A small young generation: as quick, and a pull peaks a quarter lower (measured).
    "--v8-flags=--max-semi-space-size=1",
    ...permissionFlags(place),
    "--output",
    output,
    MAIN,
  ];
}

/** What to do when the runtime part is missing; `undefined` when `errors` tell of something else. */
export function missingRuntimeHint(errors: string): string | undefined {
  const archive = /https:\/\/\S*denort\S*\.zip/.exec(errors)?.[0];
  if (archive === undefined) return undefined;
  return `Cannot fetch Deno's runtime part '${archive}': it is not reachable from here, fetch it elsewhere and name ` +
    "the unpacked denort with DENORT_BIN. With DENORT_BIN=<path of deno> the result can be inspected but not run.";
}

async function compile(place: Installation, output: string): Promise<number> {
  const args = compileArgs(place, output);
  const child = new Deno.Command(Deno.execPath(), { args, stdin: "null", stderr: "piped" });
  const { code, stderr } = await child.output();
  const errors = new TextDecoder().decode(stderr);
  if (errors !== "") console.error(errors.trimEnd());
  if (code !== 0) {
    const hint = missingRuntimeHint(errors);
    if (hint !== undefined) console.error(hint);
    return code;
  }
  const { size } = await Deno.stat(output);
  console.log(`${output}: ${(size / 1_000_000).toFixed(0)} MB, may do no more than`);
  for (const flag of permissionFlags(place)) console.log(`  ${flag}`);
  return 0;
}

if (import.meta.main) {
  const unknown: string[] = [];
  const args = parseArgs(Deno.args, {
    string: ["output", "program", "agent", "write", "run"],
    collect: ["write", "run"],
    boolean: ["help"],
    unknown: (argument) => void unknown.push(argument),
  });
  const text = (name: string, fallback: string): string => String(args[name] || fallback);
  const list = (name: string): string[] => Array.isArray(args[name]) ? args[name].map(String) : [];
  if (args["help"] === true) console.log(USAGE);
  else if (unknown.length > 0) {
    console.error(`Cannot compile with '${unknown[0]}'\n${USAGE}`);
    Deno.exit(2);
  } else {
    const place: Installation = {
      program: text("program", IN_POD.program),
      agent: text("agent", IN_POD.agent),
      writable: list("write"),
      runnable: list("run"),
    };
    Deno.exit(await compile(place, text("output", "dist/flashjob")));
  }
}
