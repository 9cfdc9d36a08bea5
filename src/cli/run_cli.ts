import { ConfigError } from "../job/config_error.ts";
import { OUTCOMES } from "../job/job_outcome.ts";
import { OUTPUT_OPTIONS } from "../job/job_options.ts";
import { type Environment, Faults, Settings } from "../job/option.ts";
import { readForm, readLogSettings, withForm } from "../job/output_config.ts";
import { openLog } from "../report/log_sink.ts";
import { Screen, type TextOutput } from "../report/screen.ts";
import type { Log, World } from "../world.ts";
import { parseArguments, type ParsedArguments } from "./arguments.ts";
import type { Command, SelfProgram } from "./command.ts";
import { type CommandEntry, COMMANDS, DEFAULT_COMMAND } from "./command_table.ts";
import { commandHelp, programHelp } from "./help.ts";
import { printFailure } from "./print_failure.ts";
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
  /** Aborted by SIGINT, SIGTERM, SIGHUP and SIGQUIT. */
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
  const command = await entry?.load();
  const options = command?.options ?? OUTPUT_OPTIONS;
  const { flags, positionals, faults, swallowed } = parseArguments(rest, options);
  if (entry !== undefined && command !== undefined) {
    if (flags["version"] === true) return printed(process, PROGRAM);
    if (flags["help"] === true) return printed(process, commandHelp(entry.name, command));
  }

  const settings = new Settings(OUTPUT_OPTIONS, withForm(flags), process.environment);
  const output = new Faults();
  const { level, format } = readLogSettings(settings, output);
  const hasForm = options.some(({ name }) => name === "output");
  const asJson = hasForm && readForm(settings, output) === "json";
  const colour = process.errors.columns() !== undefined && !process.environment["NO_COLOR"];
  const log = openLog({ level, format, colour, write: (line) => screen.line(line) });
  const complain = (line: string): void => format === "json" ? log.error(line) : screen.line(line);
  const context = {
    ...process,
    args: positionals,
    flags,
    world: process.openWorld(log),
    screen,
    complain,
    asJson,
  };

  const refuse = (error: ConfigError): number | Promise<number> => {
    if (command?.refuse !== undefined) return command.refuse(context, error);
    if (asJson) return printFailure(context, { outcome: "configuration", message: error.message });
    complain(`flashjob: ${error.message}`);
    complain(`Try: flashjob ${entry?.name ?? ""} --help`.replace("  ", " "));
    return OUTCOMES.configuration.exit;
  };
  if (command === undefined) {
    const nearest = didYouMean(first, COMMANDS.map(({ name }) => name));
    return await refuse(new ConfigError([`Unknown command '${first}'${nearest}`]));
  }
  const line = [...faults, ...positionalFaults(command, { positionals, swallowed })];
  if (line.length > 0) return await refuse(new ConfigError([...line, ...output.messages]));
  try {
    return await command.run(context);
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    return await refuse(error);
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

function positionalFaults(
  command: Command,
  { positionals, swallowed }: Pick<ParsedArguments, "positionals" | "swallowed">,
): string[] {
  // A word behind an unknown flag may be the one that seems to be missing.
  const needed = command.positionals.filter((name) => !name.startsWith("["));
  const missing = needed.slice(positionals.length + swallowed);
  if (missing.length > 0) return [`Missing ${missing.join(" and ")}`];
  const extra = positionals[command.positionals.length];
  return extra === undefined ? [] : [`Unexpected argument '${extra}'`];
}

function printed(process: Process, text: string): number {
  process.print(text);
  return 0;
}
