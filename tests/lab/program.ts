import { fileURLToPath } from "node:url";

/** The program's doorway. */
export const MAIN = fileURLToPath(new URL("../../main.ts", import.meta.url));

/** How a run of the real program ended. */
export interface ProgramRun {
  /** Its exit code. */
  readonly code: number;
  /** All of its standard output. */
  readonly stdout: string;
  /** All of its standard error. */
  readonly stderr: string;
}

/** How to run the real program. */
export interface ProgramOptions {
  /** The whole environment beside what a process needs. */
  readonly environment?: Readonly<Record<string, string>>;
  /** Standard input. */
  readonly input?: string;
  /** Given the started child, to send it signals. */
  readonly onStart?: (child: Deno.ChildProcess) => void;
}

/** What a started Deno needs of our own environment. */
export function processEnvironment(): Record<string, string> {
  const names = ["PATH", "HOME", "DENO_DIR", "XDG_CACHE_HOME", "TMPDIR"];
  return Object.fromEntries(names.flatMap((name) => {
    const value = Deno.env.get(name);
    return value === undefined ? [] : [[name, value]];
  }));
}

/** Arguments of Deno that start the program as `deno task flash` does. */
export const PROGRAM_ARGS: readonly string[] = [
  "run",
  "--quiet",
  "--no-prompt",
  "-A",
  "--v8-flags=--max-semi-space-size=1",
  MAIN,
];

/** The longest job of a test takes a few seconds, on a busy machine some ten: this one hangs, and exits with 137. */
const HANG_MS = 60_000;

/** Runs the real program as a child to its end. */
export async function runProgram(args: readonly string[], options: ProgramOptions = {}): Promise<ProgramRun> {
  const child = new Deno.Command(Deno.execPath(), {
    args: [...PROGRAM_ARGS, ...args],
    env: { ...processEnvironment(), NO_COLOR: "1", ...options.environment },
    clearEnv: true,
    stdin: options.input === undefined ? "null" : "piped",
    stdout: "piped",
    stderr: "piped",
  }).spawn();
  if (options.input !== undefined) {
    const writer = child.stdin.getWriter();
    await writer.write(new TextEncoder().encode(options.input));
    await writer.close();
  }
  options.onStart?.(child);
  const guard = setTimeout(() => child.kill("SIGKILL"), HANG_MS);
  const { code, stdout, stderr } = await child.output();
  clearTimeout(guard);
  const decoder = new TextDecoder();
  return { code, stdout: decoder.decode(stdout), stderr: decoder.decode(stderr) };
}
