import { configureSync, getLogger, type LogLevel, type LogRecord } from "@logtape/logtape";
import { cyan, dim, red, yellow } from "@std/fmt/colors";
import type { Log, LogFields } from "../world.ts";
import { visibleJson, visibleText } from "./visible_text.ts";

/** How a log is written. */
export interface LogOptions {
  /** The lowest level that is written. */
  readonly level: "debug" | "info" | "warning" | "error";
  /** Lines for people, or one JSON object a line. */
  readonly format: "text" | "json";
  /** Whether text lines are coloured. */
  readonly colour: boolean;
  /** Takes one line without its line break. */
  readonly write: (line: string) => void;
}

/** The program's log. Call it once: the logging library keeps one configuration for the process. */
export function openLog(options: LogOptions): Log {
  const format = options.format === "json"
    ? jsonLine
    : (record: LogRecord) => textLine(record, options.colour);
  configureSync({
    reset: true,
    sinks: { lines: (record) => options.write(format(record)) },
    loggers: [
      { category: "flashjob", sinks: ["lines"], lowestLevel: options.level },
      { category: ["logtape", "meta"], sinks: ["lines"], lowestLevel: "error" },
    ],
  });
  return logOf([]);
}

/**
 * The log whose lines are marked as coming from `rooms`. Sentences are given to the library as values, never as its
 * templates: braces in a name from outside must stay braces.
 */
function logOf(rooms: readonly string[]): Log {
  const logger = getLogger(["flashjob", ...rooms]);
  const at =
    (level: "debug" | "info" | "warn" | "error") => (message: string, fields: LogFields = {}): void =>
      logger[level]("{sentence}", { sentence: message, ...fields });
  return {
    debug: at("debug"),
    info: at("info"),
    warn: at("warn"),
    error: at("error"),
    room: (room) => logOf([...rooms, room]),
  };
}

/** One JSON object. */
function jsonLine(record: LogRecord): string {
  const { sentence, ...fields } = record.properties;
  return visibleJson({
    time: new Date(record.timestamp).toISOString(),
    level: record.level,
    room: record.category.slice(1).join(".") || undefined,
    message: sentence,
    ...fields,
  });
}

const LEVEL_WORD: Record<LogLevel, string> = {
  trace: "trace",
  debug: "debug",
  info: "info ",
  warning: "warn ",
  error: "error",
  fatal: "fatal",
};

/** `12:30:05.123 info  registry: sentence  key=value`. Sentences and values may come from outside: nothing in them acts. */
function textLine(record: LogRecord, colour: boolean): string {
  const paint = (tint: (text: string) => string, text: string): string => colour ? tint(text) : text;
  const { sentence, ...fields } = record.properties;
  const room = record.category.slice(1).join(".");
  const details = Object.entries(fields).filter(([, value]) => value !== undefined)
    .map(([key, value]) => `${key}=${shownValue(String(value))}`).join(" ");
  const tint = record.level === "error" ? red : record.level === "warning" ? yellow : dim;
  return [
    paint(dim, new Date(record.timestamp).toISOString().slice(11, 23)),
    paint(tint, LEVEL_WORD[record.level]),
    `${room === "" ? "" : `${paint(cyan, room)}: `}${visibleText(String(sentence))}${
      details === "" ? "" : `  ${paint(dim, details)}`
    }`,
  ].join(" ");
}

/** In quotes unless it is one plain word. */
function shownValue(value: string): string {
  return /^[^\s"=\\\p{C}]+$/u.test(value) ? value : visibleJson(value);
}
