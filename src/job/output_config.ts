import { type Faults, type Flags, parseChoice, type Settings } from "./option.ts";

/** Lines for people, or JSON for programs. */
export type Form = "text" | "json";

/** How the log is written. */
export interface LogSettings {
  /** The lowest level that is written. */
  readonly level: "debug" | "info" | "warning" | "error";
  /** Of each line. */
  readonly format: Form;
}

/** Reads how the log is written. What is wrong is added to `faults`, and its default holds: it must be told. */
export function readLogSettings(settings: Settings, faults: Faults): LogSettings {
  return {
    level: faults.collect(settings.find("log-level"), parseLevel) ?? "info",
    format: faults.collect(settings.find("log-format"), parseForm) ?? "text",
  };
}

/** Reads the form of the result, in the same way. */
export function readForm(settings: Settings, faults: Faults): Form {
  return faults.collect(settings.find("output"), parseForm) ?? "text";
}

/** Adds to `faults` what is wrong with the form of log and result; both are in use by then, with their defaults. */
export function checkOutputSettings(settings: Settings, faults: Faults): void {
  readLogSettings(settings, faults);
  readForm(settings, faults);
}

/** True for the words that choose the form of the result. */
export function isForm(word: string): boolean {
  return /^(text|json)$/i.test(word);
}

/** Where `--output` names files too, and so is a list, the last word of it that is a form chooses the form. */
export function withForm(flags: Flags): Flags {
  const given = flags["output"];
  return Array.isArray(given) ? { ...flags, output: given.findLast(isForm) } : flags;
}

const parseForm = parseChoice<Form>(["text", "json"]);

/** The log itself writes `warn`. */
function parseLevel(text: string): LogSettings["level"] {
  return parseChoice<LogSettings["level"]>(["debug", "info", "warning", "error"])(
    text.toLowerCase() === "warn" ? "warning" : text,
  );
}
