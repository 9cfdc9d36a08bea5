import { fileURLToPath } from "node:url";
import { permissionFlags } from "../../deploy/permissions.ts";
import { MAIN, processEnvironment, type ProgramRun } from "../lab/program.ts";

const PRELOAD = fileURLToPath(new URL("./standalone.ts", import.meta.url));

/** A program that may do exactly what the compiled one may. */
export interface CompiledProgram extends AsyncDisposable {
  /** Holds it, and `ota-agent`, the one other program it may start, if a test puts it there. */
  readonly directory: string;
  /** Runs it to its end with this environment; `oneLog` puts all its output into `stdout`, as a container's log is. */
  run(
    args: readonly string[],
    environment: Readonly<Record<string, string>>,
    options?: { readonly oneLog?: boolean },
  ): Promise<ProgramRun>;
}

/**
 * Installs a stand-in of the compiled program: the sources under Deno with the flags of {@linkcode permissionFlags},
 * as an executable that may start itself, and only itself. `forbidden` are more networks it may not reach.
 */
export async function installCompiledProgram(forbidden: readonly string[] = []): Promise<CompiledProgram> {
  const directory = await Deno.makeTempDir({ dir: "/tmp", prefix: "compiled-" });
  const program = `${directory}/flashjob`;
  const flags = permissionFlags({ program, agent: `${directory}/ota-agent` })
    .map((flag) => flag.startsWith("--deny-net=") ? [flag, ...forbidden].join(",") : flag);
  const words = [Deno.execPath(), "run", "--quiet", "--no-check", ...flags, "--preload", PRELOAD, MAIN];
  // The agent is started with an environment of its own, so what Deno needs is set here. TMPDIR is not: /tmp is ours.
  const { TMPDIR: _, PATH: __, ...needed } = processEnvironment();
  const variables = Object.entries({ ...needed, NO_COLOR: "1", STANDALONE_PATH: program });
  await Deno.writeTextFile(
    program,
    `#!/bin/sh\n${variables.map(([name, value]) => `export ${name}=${quoted(value)}\n`).join("")}` +
      `exec ${words.map(quoted).join(" ")} "$@"\n`,
    { mode: 0o755 },
  );
  return {
    directory,
    async run(args, environment, { oneLog = false } = {}) {
      const child = new Deno.Command("/bin/sh", {
        args: ["-c", `exec "$0" "$@"${oneLog ? " 2>&1" : ""}`, program, ...args],
        env: { ...environment },
        clearEnv: true,
        stdin: "null",
        stdout: "piped",
        stderr: "piped",
      });
      const { code, stdout, stderr } = await child.output();
      const decoder = new TextDecoder();
      return { code, stdout: decoder.decode(stdout), stderr: decoder.decode(stderr) };
    },
    [Symbol.asyncDispose]: () => Deno.remove(directory, { recursive: true }),
  };
}

function quoted(word: string): string {
  return `'${word.replaceAll("'", `'\\''`)}'`;
}
