import { type Process, runCli } from "../../src/cli/run_cli.ts";
import { denoWorld } from "../../src/deno_world.ts";
import type { Log } from "../../src/world.ts";

/** How one command line ended. */
export interface Run {
  /** Exit code. */
  readonly code: number;
  /** All of it. */
  readonly stdout: string;
  /** All of it. */
  readonly stderr: string;
}

/** Runs one command line inside this process; nothing here gets as far as a connection. */
export async function runLine(
  args: readonly string[],
  environment: Record<string, string> = {},
  input: string | Promise<string> = "",
  signal: AbortSignal = new AbortController().signal,
): Promise<Run> {
  const written = { stdout: "", stderr: "" };
  const process: Process = {
    args,
    environment,
    errors: { write: (text) => void (written.stderr += text), columns: () => undefined },
    print: (text) => void (written.stdout += `${text}\n`),
    readInput: () => Promise.resolve(input),
    signal,
    self: { path: "flashjob", args: [] },
    openWorld: (log: Log) => denoWorld(log),
  };
  return { code: await runCli(process), ...written };
}
