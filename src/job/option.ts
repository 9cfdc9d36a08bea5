import { ConfigError } from "./config_error.ts";

/** One thing a user can set: the row of the one table of flags, variables, defaults and help. */
export interface Option {
  /** The flag without its dashes; also the name by which the program asks for it. */
  readonly name: string;
  /** Environment variables that set it, the strongest first. */
  readonly variables?: readonly string[];
  /** `switch` takes no value; `list` may be given several times (in a variable: separated by commas). */
  readonly kind: "value" | "switch" | "list";
  /** Stands for the value in the help. */
  readonly placeholder?: string;
  /** Used when neither flag nor variable is given. */
  readonly fallback?: string;
  /** What it does, for the help. */
  readonly help: string;
  /** Heading in the help. */
  readonly group: string;
}

/** Where a value came from, for messages: `--device` or `DEVICE`. */
export interface Setting {
  /** The text as given. */
  readonly value: string;
  /** Flag or variable. */
  readonly from: string;
}

/** Where a value came from that nobody gave. */
export const DEFAULT = "default";

/** Flags as parsed from the command line: the text of a value, `true` for a switch, all texts of a list. */
export type Flags = Readonly<Record<string, string | boolean | readonly string[] | undefined>>;

/** The environment as a value. */
export type Environment = Readonly<Record<string, string | undefined>>;

/** The settings of one run: flags over variables over defaults. An empty value counts as not given. */
export class Settings {
  readonly #options: ReadonlyMap<string, Option>;
  readonly #flags: Flags;
  /** The variables, for the few settings that are not one variable. */
  readonly environment: Environment;

  /** Joins the table with what this run was given. */
  constructor(options: readonly Option[], flags: Flags, environment: Environment) {
    this.#options = new Map(options.map((option) => [option.name, option]));
    this.#flags = flags;
    this.environment = environment;
  }

  /** The value and its origin, or `undefined` when it is neither given nor has a default. */
  find(name: string): Setting | undefined {
    const option = this.#option(name);
    const flag = this.#flags[name];
    if (typeof flag === "boolean") return { value: String(flag), from: `--${name}` };
    if (typeof flag === "string" && flag !== "") return { value: flag, from: `--${name}` };
    for (const variable of option.variables ?? []) {
      const value = this.environment[variable]?.trim();
      if (value && !isServiceLink(variable, value)) return { value, from: variable };
    }
    return option.fallback === undefined ? undefined : { value: option.fallback, from: DEFAULT };
  }

  /** The value alone. */
  text(name: string): string | undefined {
    return this.find(name)?.value;
  }

  /** True when the switch is on. Throws `SyntaxError` when its variable says neither yes nor no. */
  on(name: string): boolean {
    const setting = this.find(name);
    return setting !== undefined && parseSwitch(setting.value);
  }

  /** All values of a list: those of the flag, or else those of the variable, or else the default. */
  list(name: string): readonly Setting[] {
    const flag = this.#flags[name];
    const given = (Array.isArray(flag) ? flag : []).filter((value) => value !== "");
    if (given.length > 0) return given.map((value) => ({ value, from: `--${name}` }));
    const found = this.find(name);
    if (found === undefined) return [];
    return found.value.split(",").map((part) => part.trim()).filter((part) => part !== "").map((value) => ({
      value,
      from: found.from,
    }));
  }

  /** The variables that count as not given, for Kubernetes has set them to link to a Service of a like name. */
  serviceLinks(): readonly Setting[] {
    return [...this.#options.values()].flatMap((option) => option.variables ?? [])
      .map((from) => ({ from, value: this.environment[from]?.trim() ?? "" }))
      .filter(({ from, value }) => isServiceLink(from, value));
  }

  #option(name: string): Option {
    const option = this.#options.get(name);
    if (option === undefined) {
      throw new TypeError(`Cannot read setting '${name}': it is not in the option table`);
    }
    return option;
  }
}

/** Gathers every fault of a configuration so that all are told at once. */
export class Faults {
  /** What was found, one sentence each. */
  readonly messages: string[] = [];

  /** Notes a fault. */
  add(message: string): void {
    if (!this.messages.includes(message)) this.messages.push(message);
  }

  /** Everything that was noted, to be thrown. */
  error(): ConfigError {
    return new ConfigError(this.messages);
  }

  /** Notes the faults of a {@linkcode ConfigError} that `read` throws; `undefined` then, its result otherwise. */
  async gather<Result>(read: () => Result | Promise<Result>): Promise<Result | undefined> {
    try {
      return await read();
    } catch (error) {
      if (!(error instanceof ConfigError)) throw error;
      error.faults.forEach((fault) => this.add(fault));
      return undefined;
    }
  }

  /** Notes the message of what `parse` throws; `undefined` then, its result otherwise. */
  collect<Result>(setting: Setting | undefined, parse: (value: string) => Result): Result | undefined {
    if (setting === undefined) return undefined;
    try {
      return parse(setting.value);
    } catch (error) {
      this.add(`${setting.from}: ${error instanceof Error ? error.message : String(error)}`);
      return undefined;
    }
  }
}

/** Kubernetes sets `AGENT_PORT=tcp://10.96.0.7:80` in every pod beside a Service named `agent`. */
function isServiceLink(variable: string, value: string): boolean {
  return variable.endsWith("_PORT") && /^(?:tcp|udp|sctp):\/\/[^/\s]+:\d+$/i.test(value);
}

/** What to tell of a variable that links to a Service. */
export function serviceLinkWarning({ from, value }: Setting): string {
  return `${from}=${value} counts as not given: it is how Kubernetes links to a Service, wanted a number`;
}

const UNITS: Readonly<Record<string, number>> = { ms: 1, s: 1000, m: 60_000, h: 3_600_000 };

/**
 * Reads a duration such as `90s`, `1m30s`, `500ms` or `10m` into milliseconds; a bare number is seconds.
 *
 * Throws `SyntaxError` for anything else, for zero and for more than a day.
 */
export function parseDuration(text: string): number {
  const wanted = "wanted for example 90s, 10m or 500ms";
  const parts = /^\d+(\.\d+)?$/.test(text)
    ? [[text, text, "s"]]
    : [...text.matchAll(/(\d+(?:\.\d+)?)(ms|s|m|h)/g)];
  if (parts.length === 0 || (parts.map((part) => part[0]).join("") !== text)) {
    throw new SyntaxError(`Cannot read duration '${text}': not understood, ${wanted}`);
  }
  const total = Math.round(
    parts.reduce((sum, [, number, unit]) => sum + Number(number) * (UNITS[unit ?? ""] ?? NaN), 0),
  );
  if (!(total >= 1 && total <= 86_400_000)) {
    throw new SyntaxError(`Cannot use duration '${text}': it is not between 1 ms and a day, ${wanted}`);
  }
  return total;
}

/** Reads a port number, 1 to 65535. Throws `SyntaxError`. */
export function parsePort(text: string): number {
  const port = /^\d{1,5}$/.test(text) ? Number(text) : NaN;
  if (port >= 1 && port <= 65535) return port;
  throw new SyntaxError(`Cannot use '${text}' as a port: wanted a number from 1 to 65535`);
}

/**
 * Reads a size such as `16MiB`, `900k` or `1048576` into bytes.
 *
 * Throws `SyntaxError`.
 */
export function parseSize(text: string): number {
  const match = /^(\d+)\s*(?:([kmg])i?b?|b)?$/i.exec(text);
  const factor = { k: 1024, m: 1024 ** 2, g: 1024 ** 3 }[match?.[2]?.toLowerCase() ?? ""] ?? 1;
  const bytes = Number(match?.[1]) * factor;
  if (Number.isSafeInteger(bytes) && bytes > 0) return bytes;
  throw new SyntaxError(`Cannot read size '${text}': wanted for example 16MiB, 900k or 1048576`);
}

/** Reads the variable of a switch. Throws `SyntaxError`: what is neither yes nor no must not count as no. */
export function parseSwitch(text: string): boolean {
  if (/^(1|true|yes|on)$/i.test(text)) return true;
  if (/^(0|false|no|off)$/i.test(text)) return false;
  throw new SyntaxError(`Cannot use '${text}': wanted true or false`);
}

/** Reads one of a few words. Throws `SyntaxError` that lists them. */
export function parseChoice<const Choice extends string>(
  choices: readonly Choice[],
): (text: string) => Choice {
  return (text) => {
    const choice = choices.find((candidate) => candidate === text.toLowerCase());
    if (choice !== undefined) return choice;
    throw new SyntaxError(`Cannot use '${text}': wanted one of ${choices.join(", ")}`);
  };
}
