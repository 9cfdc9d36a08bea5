import { ConfigError } from "../job/config_error.ts";
import { OUTCOMES } from "../job/job_outcome.ts";
import { type Environment, Faults, parseChoice, Settings } from "../job/option.ts";
import { OUTPUT_OPTIONS } from "../job/job_options.ts";
import { type LogOptions, openLog } from "../report/log_sink.ts";
import { Screen, type TextOutput } from "../report/screen.ts";
import type { Log, World } from "../world.ts";
import { parseArguments } from "./arguments.ts";
import type { Command, SelfProgram } from "./command.ts";
import { type CommandEntry, COMMANDS, DEFAULT_COMMAND } from "./command_table.ts";
import { commandHelp, programHelp } from "./help.ts";
import { didYouMean } from "./suggestion.ts";
import { VERSION } from "./version.ts";

/** The outside of the command line: what `main.ts` takes from the process. */
export interface Process {
  /** Arguments without the program's name. */
  readonly args: readonly string[];
  /** The environment. */
  readonly environment: Environment;
  /** Standard error. */
  readonly errors: TextOutput;
  /** Writes to standard output; a line break is added. */
  readonly print: (text: string) => void;
  /** Reads standard input to its end; rejects with `RangeError` when it holds more than a secret would. */
  readonly readInput: () => Promise<string>;
  /** Aborted by SIGINT and SIGTERM. */
  readonly signal: AbortSignal;
  /** How to start this very program again. */
  readonly self: SelfProgram;
  /** Builds the effects around a log. */
  readonly openWorld: (log: Log) => World;
}

const PROGRAM = `flashjob ${VERSION}`;

/** Runs one command line; resolves to the exit code. Faults of the line itself end with the code of `configuration`. */
export async function runCli(process: Process): Promise<number> {
  const screen = new Screen(process.errors);
  const [first = ""] = process.args;
  if (first === "--help" || first === "-h" || first === "help") {
    return printed(process, programHelp(COMMANDS));
  }
  if (first === "--version" || first === "version") return printed(process, PROGRAM);
  const { entry, rest } = chooseCommand(process.args);
  const usageFault = (message: string): number => {
    screen.line(`flashjob: ${message}`);
    screen.line(`Try: flashjob ${entry?.name ?? ""} --help`.replace("  ", " "));
    return OUTCOMES.configuration.exit;
  };
  if (entry === undefined) {
    return usageFault(`Unknown command '${first}'${didYouMean(first, COMMANDS.map(({ name }) => name))}`);
  }
  const command = await entry.load();
  const { flags, positionals, faults } = parseArguments(rest, command.options);
  if (flags["version"] === true) return printed(process, PROGRAM);
  if (flags["help"] === true) return printed(process, commandHelp(entry.name, command));
  const settings = new Settings(OUTPUT_OPTIONS, flags, process.environment);
  const output = new Faults();
  const level = output.collect(
    settings.find("log-level"),
    parseChoice<LogOptions["level"]>(["debug", "info", "warning", "error"]),
  );
  const format = output.collect(
    settings.find("log-format"),
    parseChoice<LogOptions["format"]>(["text", "json"]),
  );
  output.collect(settings.find("output"), parseChoice(["text", "json"]));
  const all = [...faults, ...positionalFaults(command, positionals), ...output.messages];
  if (all.length > 0) return usageFault(new ConfigError(all).message);

  const colour = process.errors.columns() !== undefined && !process.environment["NO_COLOR"];
  const log = openLog({
    level: level ?? "info",
    format: format ?? "text",
    colour,
    write: (line) => screen.line(line),
  });
  const world = process.openWorld(log);
  try {
    return await command.run({ ...process, args: positionals, flags, world, screen });
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    return usageFault(error.message);
  } finally {
    screen.clear();
  }
}

/** The command named by the first word; without one it is `flash`, as the operator starts us. */
function chooseCommand(
  args: readonly string[],
): { entry: CommandEntry | undefined; rest: readonly string[] } {
  const [first, ...rest] = args;
  if (first === undefined || first.startsWith("-")) return { entry: DEFAULT_COMMAND, rest: args };
  return { entry: COMMANDS.find((candidate) => candidate.name === first), rest };
}

function positionalFaults(command: Command, positionals: readonly string[]): string[] {
  const needed = command.positionals.filter((name) => !name.startsWith("["));
  const missing = needed.slice(positionals.length);
  if (missing.length > 0) return [`Missing ${missing.join(" and ")}`];
  const extra = positionals[command.positionals.length];
  return extra === undefined ? [] : [`Unexpected argument '${extra}'`];
}

function printed(process: Process, text: string): number {
  process.print(text);
  return 0;
}
