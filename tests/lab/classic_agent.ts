import type { ClassicAgentBehaviour } from "./classic_agent_behaviour.ts";

/**
 * An executable stand-in for the C ota-agent, to be given to the program as a path.
 *
 * @module
 */

/** What is baked into a stand-in. */
export interface ClassicAgentOptions {
  /** Where it listens; 4433 by default, as compiled into the C program. */
  readonly port?: number;
  /** Factor on its times (20 s without progress, 0.5 s between tries); 1 by default. */
  readonly timeScale?: number;
  /** `faithful` by default. */
  readonly behaviour?: ClassicAgentBehaviour;
}

/**
 * Writes an executable into `directory` and returns its path. Each start leaves its environment beside it in
 * `<path>.env`, one `NAME=value` a line, so that a test can see what the program handed over.
 */
export async function writeClassicAgent(
  directory: string,
  options: ClassicAgentOptions = {},
): Promise<string> {
  const { port = 4433, timeScale = 1, behaviour = "faithful" } = options;
  const path = `${directory}/ota-agent`;
  const program = new URL("classic_agent_program.ts", import.meta.url).pathname;
  const cache = Deno.env.get("DENO_DIR");
  const home = Deno.env.get("HOME");
  const words = [
    Deno.execPath(),
    ..."run --quiet --no-prompt --allow-all --no-config --no-lock --no-remote --no-npm".split(" "),
    program,
    String(port),
    String(timeScale),
    behaviour,
  ];
  // The environment of the agent has nothing of a runtime in it: what this one needs is added here.
  const own = [
    ...(cache === undefined ? [] : [`DENO_DIR=${quoted(cache)}`]),
    ...(home === undefined ? [] : [`HOME=${quoted(home)}`]),
    "DENO_NO_UPDATE_CHECK=1",
  ];
  const script = `#!/bin/sh\n/usr/bin/env >${quoted(`${path}.env`)}\n` +
    `${own.join(" ")} exec ${words.map(quoted).join(" ")}\n`;
  await Deno.writeTextFile(path, script, { mode: 0o755 });
  return path;
}

/** The environment of the last start of the stand-in at `path`, without what the shell adds by itself. */
export async function environmentOf(path: string): Promise<Record<string, string>> {
  const lines = (await Deno.readTextFile(`${path}.env`)).split("\n").filter((line) => line.includes("="));
  const pairs = lines.map((line) =>
    [line.slice(0, line.indexOf("=")), line.slice(line.indexOf("=") + 1)] as const
  );
  return Object.fromEntries(pairs.filter(([name]) => !["PWD", "OLDPWD", "SHLVL", "_"].includes(name)));
}

function quoted(word: string): string {
  return `'${word.replaceAll("'", `'\\''`)}'`;
}
