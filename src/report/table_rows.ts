/** A name and what is to be said under it. */
export type Row = readonly [name: string, value: string];

/** As wide as the names in the table of a firmware image, so that both stand under each other. */
const NAME_CELLS = 20;

/** Longest value that is shown whole; the JSON form has all of it. */
const MAX_VALUE = 512;

/** Aligned lines; `depth` moves the names in, never the values. */
export function rows(pairs: readonly Row[], depth = 0): string[] {
  const indent = " ".repeat(depth);
  return pairs.map(([name, value]) =>
    `${(indent + printable(name)).padEnd(NAME_CELLS)}  ${printable(value)}`.trimEnd()
  );
}

/** Text from outside as a terminal may show it: one line, nothing that moves a cursor, and bounded. */
export function printable(text: string): string {
  const line = text.replaceAll(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Cs}]+/gu, " ").trim();
  return line.length > MAX_VALUE ? `${line.slice(0, MAX_VALUE)}... (${line.length} characters)` : line;
}

/** `1 layer`, `2 layers`, `2 indexes`. */
export function counted(count: number, what: string): string {
  return `${count} ${what}${count === 1 ? "" : what.endsWith("x") ? "es" : "s"}`;
}
