import { assertEquals, assertThrows } from "@std/assert";
import {
  Faults,
  type Option,
  parseChoice,
  parseDuration,
  parsePort,
  parseSize,
  parseSwitch,
  Settings,
} from "../../src/job/option.ts";

function assertRefused(parse: (text: string) => unknown, texts: readonly string[]): void {
  for (const text of texts) assertThrows(() => parse(text), SyntaxError, text.trim());
}

Deno.test("parseDuration: units, sums, bare seconds", () => {
  const table: [string, number][] = [
    ["1", 1000],
    ["0.5", 500],
    ["90s", 90_000],
    ["500ms", 500],
    ["10m", 600_000],
    ["1m30s", 90_000],
    ["1h1m1s1ms", 3_661_001],
    ["1.5m", 90_000],
    ["24h", 86_400_000],
    ["1ms", 1],
    ["0.0015", 2],
  ];
  for (const [text, milliseconds] of table) assertEquals(parseDuration(text), milliseconds, text);
});

Deno.test("parseDuration: nothing that is no time, none at all, or more than a day", () => {
  assertRefused(parseDuration, [
    "",
    "soon",
    "0",
    "0s",
    "0.0001",
    "-1s",
    "+1s",
    "1 s",
    " 1s",
    "1s ",
    "1d",
    "1S",
    "1e3s",
    "s",
    "1s2",
    "1,5s",
    "1.s",
    ".5s",
    "25h",
    "99999999999999999999h",
    "NaN",
    "Infinity",
    "0x10",
  ]);
});

Deno.test("parseSize: units of 1024, case aside", () => {
  const table: [string, number][] = [
    ["1", 1],
    ["1048576", 1_048_576],
    ["1b", 1],
    ["900k", 921_600],
    ["900K", 921_600],
    ["1kB", 1024],
    ["16MiB", 16_777_216],
    ["16 mib", 16_777_216],
    ["2G", 2_147_483_648],
  ];
  for (const [text, bytes] of table) assertEquals(parseSize(text), bytes, text);
  assertRefused(parseSize, [
    "",
    "0",
    "0k",
    "-1",
    "1.5M",
    "M",
    "1T",
    "1e3",
    "0x10",
    "9007199254740993",
    "99999999G",
    " 1",
  ]);
});

Deno.test("parsePort: 1 to 65535", () => {
  for (const [text, port] of [["1", 1], ["4433", 4433], ["65535", 65535]] as const) {
    assertEquals(parsePort(text), port);
  }
  assertRefused(parsePort, [
    "",
    "0",
    "65536",
    "-1",
    "+1",
    "1.0",
    "0x50",
    "1e3",
    " 80",
    "80 ",
    "tcp://10.0.0.1:80",
  ]);
});

Deno.test("parseChoice, parseSwitch: one of the words in any case, nothing else", () => {
  assertEquals(parseChoice(["auto", "off"])("AUTO"), "auto");
  assertThrows(() => parseChoice(["auto", "off"])("o"), SyntaxError, "wanted one of auto, off");
  assertEquals(["1", "TRUE", "yes", "On"].map(parseSwitch), [true, true, true, true]);
  assertEquals(["0", "FALSE", "no", "Off"].map(parseSwitch), [false, false, false, false]);
  assertRefused(parseSwitch, ["", "ja", "2", "truee", "enabled"]);
});

const TABLE: readonly Option[] = [
  { name: "one", kind: "value", group: "g", help: "h", variables: ["FIRST", "SECOND"], fallback: "d" },
  { name: "bare", kind: "value", group: "g", help: "h" },
  { name: "flip", kind: "switch", group: "g", help: "h", variables: ["FLIP"] },
  { name: "many", kind: "list", group: "g", help: "h", variables: ["MANY"], fallback: "x,y" },
];

Deno.test("Settings: where a value comes from is kept", () => {
  const from = (flags: Record<string, string>, environment: Record<string, string>) =>
    new Settings(TABLE, flags, environment).find("one");
  assertEquals(from({ one: "a" }, { FIRST: "b", SECOND: "c" }), { value: "a", from: "--one" });
  assertEquals(from({}, { FIRST: "b", SECOND: "c" }), { value: "b", from: "FIRST" });
  assertEquals(from({}, { FIRST: "", SECOND: "c" }), { value: "c", from: "SECOND" });
  assertEquals(from({}, {}), { value: "d", from: "default" });
  assertEquals(new Settings(TABLE, {}, {}).find("bare"), undefined);
  assertEquals(new Settings(TABLE, {}, {}).list("many").map(({ value }) => value), ["x", "y"]);
  assertEquals(new Settings(TABLE, {}, {}).on("flip"), false);
  assertEquals(new Settings(TABLE, { flip: true }, {}).on("flip"), true);
});

Deno.test("Settings: a name that is not in the table is a mistake of ours", () => {
  assertThrows(() => new Settings(TABLE, {}, {}).find("constructor"), TypeError, "not in the option table");
});

Deno.test("Faults: collects messages with their origin and goes on", () => {
  const faults = new Faults();
  assertEquals(faults.collect(undefined, parsePort), undefined);
  assertEquals(faults.collect({ value: "80", from: "P" }, parsePort), 80);
  assertEquals(faults.collect({ value: "x", from: "P" }, parsePort), undefined);
  faults.add("more");
  assertEquals(faults.messages, ["P: Cannot use 'x' as a port: wanted a number from 1 to 65535", "more"]);
});
