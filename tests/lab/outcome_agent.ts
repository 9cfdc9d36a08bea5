import { parseArguments } from "../../src/cli/arguments.ts";
import { Interruption } from "../../src/cli/command.ts";
import { otaAgentCommand } from "../../src/cli/ota_agent_command.ts";
import { Screen } from "../../src/report/screen.ts";
import type { Child, ChildCommand, World } from "../../src/world.ts";
import { PROGRAM_ARGS } from "./program.ts";

/**
 * Serves the start of our own agent within this process: the same command, flags and environment, the same lines
 * through two pipes, the same answers to signals. Only the process is missing, which is what makes it cheap. Other
 * programs are `undefined`.
 */
export function spawnOwnAgent(command: ChildCommand, world: World): Child | undefined {
  const [first, ...flags] = command.args.slice(PROGRAM_ARGS.length);
  if (command.path !== Deno.execPath() || first !== "agent") return undefined;
  const stop = new AbortController();
  const output = new TransformStream<Uint8Array, Uint8Array>(undefined, undefined, {
    highWaterMark: Infinity,
  });
  const errors = new TransformStream<Uint8Array, Uint8Array>(undefined, undefined, {
    highWaterMark: Infinity,
  });
  const [stdout, stderr] = [output.writable.getWriter(), errors.writable.getWriter()];
  const say = (writer: typeof stdout, text: string): void => {
    // A pipe whose reader has gone is no fault of the agent's.
    writer.write(new TextEncoder().encode(text)).catch(() => undefined);
  };
  const run = async (): Promise<number> => {
    const parsed = parseArguments(flags, otaAgentCommand.options);
    if (parsed.faults.length > 0) throw new Error(parsed.faults.join("; "));
    try {
      return await otaAgentCommand.run({
        args: [],
        flags: parsed.flags,
        environment: command.env,
        world,
        signal: stop.signal,
        screen: new Screen({ write: (text) => say(stderr, text), columns: () => undefined }),
        print: (text) => say(stdout, `${text}\n`),
        complain: (line) => say(stderr, `${line}\n`),
        asJson: false,
        readInput: () => Promise.resolve(""),
        self: { path: command.path, args: PROGRAM_ARGS },
      });
    } catch (error) {
      say(stderr, `${error instanceof Error ? error.stack : String(error)}\n`);
      return 1;
    }
  };
  const status = run().then(async (code) => {
    await Promise.all([stdout.close(), stderr.close()].map((closed) => closed.catch(() => undefined)));
    return { code, signal: null };
  });
  return {
    pid: 0,
    stdout: output.readable,
    stderr: errors.readable,
    status,
    kill: (signal) => {
      // Nothing can be killed within a process: an agent that does not end when it is asked shows as a run that hangs.
      if (signal === "SIGTERM") stop.abort(new Interruption("SIGTERM"));
    },
  };
}
