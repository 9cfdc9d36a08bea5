/**
 * Programs that a test gives to the job as its external agent.
 *
 * @module
 */

import { processEnvironment, PROGRAM_ARGS } from "../lab/program.ts";

/**
 * Writes `flashjob agent` as a program of its own: started without arguments and with the four variables, as the C
 * agent is. Returns its path.
 */
export async function writeOwnAgent(directory: string, port: number): Promise<string> {
  // An agent's environment has nothing of a runtime in it: what this one needs is baked in.
  const { PATH: _path, TMPDIR: _temporary, ...own } = processEnvironment();
  const words = [
    "exec",
    "/usr/bin/env",
    ...Object.entries({ ...own, NO_COLOR: "1" }).map(([name, value]) => `${name}=${value}`),
    Deno.execPath(),
    ...PROGRAM_ARGS,
    "agent",
    "--port",
    String(port),
  ];
  return await writeScript(directory, words.map(quoted).join(" "));
}

/** Writes an executable shell script with these lines as its body. Returns its path. */
export async function writeScript(directory: string, body: string): Promise<string> {
  const path = `${directory}/agent-script`;
  await Deno.writeTextFile(path, `#!/bin/sh\n${body}\n`, { mode: 0o755 });
  return path;
}

/** Writes a JavaScript program that the job can start as an agent. Returns the path of the script that runs it. */
export async function writeProgram(directory: string, program: string): Promise<string> {
  const path = `${directory}/agent.js`;
  await Deno.writeTextFile(path, program);
  const words = [Deno.execPath(), "run", "--quiet", "--no-config", "-A", path];
  return await writeScript(directory, `exec ${words.map(quoted).join(" ")}`);
}

/** The word as the shell takes it literally. */
function quoted(word: string): string {
  return `'${word.replaceAll("'", `'\\''`)}'`;
}
