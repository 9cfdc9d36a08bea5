import type { Option } from "../job/option.ts";
import type { Command } from "./command.ts";
import type { CommandEntry } from "./command_table.ts";

const FLAG_CELLS = 42;
const LINE_CELLS = 120;
const INDENT = " ".repeat(FLAG_CELLS);

/** How values with these placeholders are written. */
const MEASURES: Readonly<Record<string, string>> = {
  TIME: "TIME: 500ms, 90s, 10m, 1m30s or 1h; a number alone is seconds",
  SIZE: "SIZE: bytes, or with k, M or G of 1024 (also as KiB, kB, MiB ...)",
};

/** The help of one command: usage, what it does, and its whole table of flags and variables. */
export function commandHelp(name: string, command: Command): string {
  const groups = [...new Set(command.options.map((option) => option.group))];
  const tables = groups.map((group) =>
    `${group}:\n${command.options.filter((option) => option.group === group).map(optionLine).join("\n")}`
  );
  const used = new Set(command.options.map(({ placeholder }) => placeholder));
  const lines = Object.entries(MEASURES).filter(([name]) => used.has(name)).map(([, line]) => line);
  const measures = lines.length > 0 ? [lines.join("\n")] : [];
  return [`Usage: flashjob ${name} ${command.usage}`, command.about, ...tables, ...measures].join("\n\n");
}

/** The help of the program: what it is, its commands, and where to read on. */
export function programHelp(commands: readonly CommandEntry[]): string {
  const width = Math.max(...commands.map((command) => command.name.length));
  return [
    "flashjob updates one ESP32 device over the air: it pulls the firmware from an OCI registry, checks it, lets the\n" +
    "device fetch it from an agent that attests the device first, and proves that the device runs it.",
    `Usage: flashjob [COMMAND] [flags]      (without a command: flash)`,
    `Commands:\n${
      commands.map((command) => `  ${command.name.padEnd(width)}  ${command.summary}`).join("\n")
    }`,
    "Try:\n" +
    "  flashjob flash --device esp32s3 --host 192.168.11.20 --firmware registry.example.org/team/app:1.1 \\\n" +
    "      --attestation-url http://attestation:8000 --server-crt server.crt --server-key server.key\n" +
    "  flashjob flash --help        every flag, its variable and its default",
  ].join("\n\n");
}

function optionLine(option: Option): string {
  const flag = `  --${option.name}${option.placeholder === undefined ? "" : ` ${option.placeholder}`}`;
  const words = [
    ...option.help.split(" "),
    option.kind === "list" ? "(repeatable)" : "",
    option.variables?.length ? `[${option.variables.map((variable) => `$${variable}`).join(", ")}]` : "",
    option.fallback === undefined ? "" : `(default ${option.fallback})`,
  ].filter((word) => word !== "");
  const [first = "", ...more] = wrapped(words, LINE_CELLS - FLAG_CELLS);
  const lines = flag.length < FLAG_CELLS ? [flag.padEnd(FLAG_CELLS) + first] : [flag, INDENT + first];
  return [...lines, ...more.map((line) => INDENT + line)].join("\n");
}

/** Lines of at most `cells`, broken between words; a longer word stays whole. */
function wrapped(words: readonly string[], cells: number): string[] {
  const lines: string[] = [];
  for (const word of words) {
    const line = lines.at(-1);
    if (line === undefined || line.length + 1 + word.length > cells) lines.push(word);
    else lines[lines.length - 1] = `${line} ${word}`;
  }
  return lines;
}
