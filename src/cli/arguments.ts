import { parseArgs } from "@std/cli/parse-args";
import { closestString } from "@std/text/closest-string";
import type { Flags, Option } from "../job/option.ts";

/** The command line, understood. */
export interface ParsedArguments {
  /** What is not a flag. */
  readonly positionals: readonly string[];
  /** Values by flag name. */
  readonly flags: Flags;
  /** What is wrong with the line, one sentence each. */
  readonly faults: readonly string[];
}

/**
 * Parses a command line by its option table. Nothing is guessed: unknown flags, flags without their value and single
 * flags given twice are faults.
 */
export function parseArguments(args: readonly string[], options: readonly Option[]): ParsedArguments {
  const faults: string[] = [];
  const names = options.map((option) => option.name);
  const valued = options.filter((option) => option.kind !== "switch").map((option) => option.name);
  const parsed = parseArgs(args, {
    boolean: options.filter((option) => option.kind === "switch").map((option) => option.name),
    string: [...valued, "_"],
    collect: valued,
    unknown(argument, key) {
      if (key === undefined) return true;
      const flag = argument.split("=")[0] ?? argument;
      faults.push(`Unknown flag '${flag}', did you mean '--${closestString(key, names)}'?`);
      return false;
    },
  });
  const flags: Record<string, string | boolean | readonly string[]> = {};
  for (const option of options) {
    const given = parsed[option.name];
    if (option.kind === "switch") {
      if (given === true) flags[option.name] = true;
      continue;
    }
    const values = Array.isArray(given) ? given.map(String) : [];
    if (lacksValue(args, option.name)) {
      faults.push(`--${option.name} needs a value: ${option.placeholder ?? "VALUE"}`);
    }
    if (option.kind === "value" && values.length > 1) {
      faults.push(`--${option.name} is given ${values.length} times`);
    }
    if (option.kind === "list") flags[option.name] = values;
    else if (values[0] !== undefined) flags[option.name] = values[0];
  }
  return { positionals: parsed._.map(String), flags, faults };
}

/** An empty value is a value that a script left empty; no value at all is a mistake. */
function lacksValue(args: readonly string[], name: string): boolean {
  return args.some((arg, index) => arg === `--${name}` && (args[index + 1]?.startsWith("--") ?? true));
}
