import type { Flags, Option } from "../job/option.ts";
import { didYouMean } from "./suggestion.ts";

/** The command line, understood. */
export interface ParsedArguments {
  /** What is not a flag. */
  readonly positionals: readonly string[];
  /** Values by flag name. */
  readonly flags: Flags;
  /** What is wrong with the line, one sentence each. */
  readonly faults: readonly string[];
  /** How many words behind unknown flags were taken for their values. */
  readonly swallowed: number;
}

/**
 * Parses a command line by its option table: `--flag=value`, `--flag value`, `--switch`, `--switch=false`, and `--`
 * before words that are no flags. Nothing is guessed: unknown flags, flags without their value and single flags given
 * twice are faults. A value that begins with a dash needs the form with `=`; an empty one is a value that a script
 * left empty.
 */
export function parseArguments(args: readonly string[], options: readonly Option[]): ParsedArguments {
  const table = new Map(options.map((option) => [option.name, option]));
  const positionals: string[] = [];
  const flags: Record<string, string | boolean | readonly string[]> = {};
  const faults: string[] = [];
  const words = [...args];
  let swallowed = 0;
  for (let word = words.shift(); word !== undefined; word = words.shift()) {
    if (word === "--") {
      positionals.push(...words.splice(0));
      break;
    }
    if (!isFlag(word)) {
      positionals.push(word);
      continue;
    }
    const { shown, name, inline } = splitFlag(word);
    const option = table.get(name);
    const next = words[0];
    const follows = inline === undefined && next !== undefined && !isFlag(next);
    if (option === undefined) {
      faults.push(`Unknown flag '${shown}'${didYouMean(name, [...table.keys()], "--")}`);
      // Perhaps its value: a word that is judged alone would only be a second fault of the same mistake.
      if (follows) {
        words.shift();
        swallowed++;
      }
    } else if (option.kind === "switch") {
      if (inline !== undefined && !/^(true|false)$/.test(inline)) {
        faults.push(`--${name} takes no value but true or false`);
      }
      flags[name] = inline !== "false";
    } else if (inline === undefined && !follows) {
      faults.push(`--${name} needs a value: ${option.placeholder ?? "VALUE"}`);
    } else {
      const value = inline ?? words.shift() ?? "";
      const earlier = flags[name];
      if (option.kind === "list") flags[name] = [...(Array.isArray(earlier) ? earlier : []), value];
      else if (earlier !== undefined) faults.push(`--${name} is given more than once`);
      else flags[name] = value;
    }
  }
  return { positionals, flags, faults: [...new Set(faults)], swallowed };
}

/** A dash alone is a word: by custom it stands for standard input. */
function isFlag(word: string): boolean {
  return word.startsWith("-") && word !== "-";
}

/** A short flag is told by its first letter: what follows it may be a secret. */
function splitFlag(word: string): { shown: string; name: string; inline: string | undefined } {
  if (word === "-h") return { shown: word, name: "help", inline: undefined };
  if (!word.startsWith("--")) {
    return { shown: word.slice(0, 2), name: word.slice(1, 2), inline: word.slice(2) || undefined };
  }
  const at = word.includes("=") ? word.indexOf("=") : word.length;
  const inline = at < word.length ? word.slice(at + 1) : undefined;
  return { shown: word.slice(0, at), name: word.slice(2, at), inline };
}
