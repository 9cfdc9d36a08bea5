/**
 * The README's tables, made from the code they describe.
 *
 *     deno run -A tests/readme_tables.ts      writes them into README.md
 *
 * @module
 */
import { fileURLToPath } from "node:url";
import { FLASH_OPTIONS } from "../src/job/job_options.ts";
import { OUTCOMES, REFUSAL_EXITS } from "../src/job/job_outcome.ts";

/** Where the tables stand. */
export const README = fileURLToPath(new URL("../README.md", import.meta.url));

/** Flags, variables and defaults of `flashjob flash`. */
export function optionTable(): string {
  const rows = FLASH_OPTIONS.map((option) => {
    const flag = `--${option.name}${option.placeholder === undefined ? "" : ` ${option.placeholder}`}`;
    const variables = (option.variables ?? []).map((name) => `\`${name}\``).join(", ");
    const text = `${option.help}${option.kind === "list" ? " (repeatable)" : ""}`;
    const fallback = option.fallback === undefined ? "" : `\`${option.fallback}\``;
    return [`\`${flag.replaceAll("|", "\\|")}\``, variables, fallback, text.replaceAll("|", "\\|")];
  });
  return table(["flag", "variable", "default", "meaning"], rows);
}

/** Exit codes, outcomes and what to do. */
export function exitCodeTable(): string {
  const refusals = Object.values(REFUSAL_EXITS);
  const rows = Object.entries(OUTCOMES).map(([name, { exit, meaning, remedy }]) => {
    const codes = name === "image-refused" ? `${Math.min(...refusals)}..${Math.max(...refusals)}` : `${exit}`;
    return [codes, `\`${name}\``, meaning, remedy];
  });
  return table(["code", "outcome", "meaning", "what to do"], rows);
}

/** The exit codes of the image check's findings. */
export function refusalTable(): string {
  return Object.entries(REFUSAL_EXITS).map(([code, exit]) => `${exit} \`${code}\``).join(" · ");
}

/** The README with its tables made anew. */
export function withTables(readme: string): string {
  const tables: Readonly<Record<string, string>> = {
    "flags": optionTable(),
    "exit codes": exitCodeTable(),
    "image findings": refusalTable(),
  };
  return Object.entries(tables).reduce((text, [name, content]) => {
    const [begin, end] = [`<!-- ${name} -->`, `<!-- end of ${name} -->`];
    const [from, to] = [text.indexOf(begin), text.indexOf(end)];
    if (from < 0 || to < from) throw new Error(`Cannot place table '${name}': README.md has no '${begin}'`);
    return `${text.slice(0, from + begin.length)}\n\n${content}\n\n${text.slice(to)}`;
  }, readme);
}

function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const all = [head, ...rows];
  const widths = head.map((_, column) => Math.max(3, ...all.map((row) => (row[column] ?? "").length)));
  const line = (row: readonly string[]): string =>
    `| ${row.map((cell, column) => cell.padEnd(widths[column] ?? 0)).join(" | ")} |`;
  return [line(head), `| ${widths.map((width) => "-".repeat(width)).join(" | ")} |`, ...rows.map(line)].join(
    "\n",
  );
}

if (import.meta.main) await Deno.writeTextFile(README, withTables(await Deno.readTextFile(README)));
