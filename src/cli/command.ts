import type { ConfigError } from "../job/config_error.ts";
import type { StopSignal } from "../job/job_outcome.ts";
import type { Environment, Flags, Option } from "../job/option.ts";
import type { Screen } from "../report/screen.ts";
import type { World } from "../world.ts";

/** One command of the program, loaded. Its name and summary stand in the table of commands. */
export interface Command {
  /** What stands behind the command, for example `REFERENCE [flags]`. */
  readonly usage: string;
  /** What help says before its table: how the command is used, with examples. */
  readonly about: string;
  /** Its part of the option table. */
  readonly options: readonly Option[];
  /** Names of its positional arguments; those in brackets may be left out. */
  readonly positionals: readonly string[];
  /** Does the work; resolves to the exit code. Throws `ConfigError` for what the line and the environment ask for. */
  run(context: CommandContext): Promise<number>;
  /** Tells of a line that cannot be run as the command tells its other ends; without it the line alone is complained of. */
  refuse?(context: CommandContext, error: ConfigError): Promise<number>;
}

/** How a command tells its end. */
export interface Speech {
  /** Standard error, shared with the log. */
  readonly screen: Screen;
  /** Writes a result to standard output; a line break is added. */
  readonly print: (text: string) => void;
  /** Writes the last words of a failure to standard error, in the format of the log. */
  readonly complain: (line: string) => void;
  /** Whether the result is wanted as JSON. */
  readonly asJson: boolean;
}

/** What a command gets; everything it may touch is here. */
export interface CommandContext extends Speech {
  /** Positional arguments, as many as the command asks for. */
  readonly args: readonly string[];
  /** Flags as parsed. */
  readonly flags: Flags;
  /** The environment. */
  readonly environment: Environment;
  /** The effects. */
  readonly world: World;
  /** Aborted by SIGINT and SIGTERM, with an {@linkcode Interruption} as its reason. */
  readonly signal: AbortSignal;
  /** Reads standard input to its end; rejects with `RangeError` when it holds more than a secret would. */
  readonly readInput: () => Promise<string>;
  /** How to start this very program again. */
  readonly self: SelfProgram;
}

/** The program as a child command: `path ...args <command>`. */
export interface SelfProgram {
  /** The compiled program, or the Deno binary. */
  readonly path: string;
  /** What stands before the command; empty for the compiled program. */
  readonly args: readonly string[];
}

/** The reason of a signal that a process signal aborted. */
export class Interruption extends Error {
  /** Which signal came. */
  readonly processSignal: StopSignal;

  /** Keeps the signal. */
  constructor(processSignal: StopSignal) {
    super(`Stopped by ${processSignal}`);
    this.name = "Interruption";
    this.processSignal = processSignal;
  }
}
