import { type Process, runCli } from "./src/cli/run_cli.ts";
import { Interruption } from "./src/cli/command.ts";
import { DenoOutput } from "./src/deno_output.ts";
import { denoWorld } from "./src/deno_world.ts";

/** Most that standard input may hold: a password or a token. */
const MAX_INPUT_BYTES = 65_536;

/** As in the compiled program: a crowd at the agent's port leaves much garbage, which a small nursery gives back soon. */
const SMALL_NURSERY = "--v8-flags=--max-semi-space-size=1";

if (import.meta.main) {
  const output = new DenoOutput(Deno.stdout);
  const errors = new DenoOutput(Deno.stderr);
  const process = thisProcess(output, errors);
  const code = await runCli(process);
  // A result may be long and be read slowly; a log that nobody reads is not waited for.
  await Promise.all([output.finished(process.signal), errors.drained()]);
  Deno.exit(code);
}

/** Everything the command line takes from the process it runs in. */
function thisProcess(output: DenoOutput, errors: DenoOutput): Process {
  const interrupted = new AbortController();
  for (const name of ["SIGINT", "SIGTERM", "SIGHUP", "SIGQUIT"] as const) {
    Deno.addSignalListener(name, () => interrupted.abort(new Interruption(name)));
  }
  return {
    args: Deno.args,
    environment: Deno.env.toObject(),
    errors: {
      write: (text) => errors.write(text, output),
      columns: () => Deno.stderr.isTerminal() ? Deno.consoleSize().columns : undefined,
    },
    print: (text) => output.write(`${text}\n`, errors),
    readInput,
    signal: interrupted.signal,
    self: {
      path: Deno.execPath(),
      // The agent needs what this program needs; the kernel's socket table opens only to a Deno that may do everything.
      args: Deno.build.standalone
        ? []
        : ["run", "--quiet", "--no-prompt", "--allow-all", SMALL_NURSERY, Deno.mainModule],
    },
    openWorld: denoWorld,
  };
}

async function readInput(): Promise<string> {
  const bytes = new Uint8Array(MAX_INPUT_BYTES + 1);
  let length = 0;
  for (let read: number | null = 0; read !== null && length < bytes.length; length += read ?? 0) {
    read = await Deno.stdin.read(bytes.subarray(length));
  }
  if (length > MAX_INPUT_BYTES) throw new RangeError(`it holds more than ${MAX_INPUT_BYTES} bytes`);
  return new TextDecoder().decode(bytes.subarray(0, length));
}
