import { assert, assertEquals } from "@std/assert";
import * as fc from "fast-check";
import { parseArguments } from "../../src/cli/arguments.ts";
import { FLASH_OPTIONS } from "../../src/job/job_options.ts";
import type { Option } from "../../src/job/option.ts";

const TABLE: readonly Option[] = [
  { name: "host", kind: "value", group: "g", help: "h", placeholder: "HOST" },
  { name: "device", kind: "value", group: "g", help: "h" },
  { name: "dry-run", kind: "switch", group: "g", help: "h" },
  { name: "help", kind: "switch", group: "g", help: "h" },
  { name: "key", kind: "list", group: "g", help: "h", placeholder: "PEM" },
];

const parse = (...args: string[]) => parseArguments(args, TABLE);

Deno.test("parseArguments: values, switches, lists and words", () => {
  assertEquals(parse(), { flags: {}, positionals: [], faults: [], swallowed: 0 });
  assertEquals(parse("a", "--host", "x:1", "b", "--dry-run", "c", "--key=1", "--key", "2=3", "-"), {
    flags: { host: "x:1", "dry-run": true, key: ["1", "2=3"] },
    positionals: ["a", "b", "c", "-"],
    faults: [],
    swallowed: 0,
  });
});

Deno.test("parseArguments: the value after = is taken as it is", () => {
  const table: [string, string][] = [
    ["--host=a=b", "a=b"],
    ["--host=", ""],
    ["--host=-1", "-1"],
    ["--host=--dry-run", "--dry-run"],
    ["--host= x ", " x "],
    ["--host=a\nb", "a\nb"],
    ["--host=5", "5"],
    ["--host=true", "true"],
  ];
  for (const [arg, value] of table) {
    assertEquals(parse(arg), { flags: { host: value }, positionals: [], faults: [], swallowed: 0 }, arg);
  }
});

Deno.test("parseArguments: an empty value is a value that a script left empty", () => {
  assertEquals(parse("--host", "", "--key", "", "x"), {
    flags: { host: "", key: [""] },
    positionals: ["x"],
    faults: [],
    swallowed: 0,
  });
});

Deno.test("parseArguments: a flag without its value is a fault, whatever comes next", () => {
  for (const rest of [[], ["--dry-run"], ["--device", "x"], ["--"]]) {
    assertEquals(parse("--host", ...rest).faults, ["--host needs a value: HOST"], `${rest}`);
  }
  assertEquals(parse("--device").faults, ["--device needs a value: VALUE"]);
  assertEquals(parse("--key").faults, ["--key needs a value: PEM"]);
  const { faults, flags } = parse("--host", "-1");
  assertEquals(faults.length, 2);
  assertEquals(flags, {});
});

Deno.test("parseArguments: single flags given twice are a fault; lists and switches are not", () => {
  assertEquals(parse("--host", "a", "--host=b").faults, ["--host is given more than once"]);
  assertEquals(parse("--host", "", "--host=b").faults, ["--host is given more than once"]);
  assertEquals(parse("--dry-run", "--dry-run").faults, []);
});

Deno.test("parseArguments: a switch is on, or true, or false, and nothing else", () => {
  assertEquals(parse("--dry-run=true").flags, { "dry-run": true });
  assertEquals(parse("--dry-run=false").flags, { "dry-run": false });
  assertEquals(parse("--dry-run", "false"), {
    flags: { "dry-run": true },
    positionals: ["false"],
    faults: [],
    swallowed: 0,
  });
  for (const value of ["no", "0", "", "False", "off"]) {
    assertEquals(parse(`--dry-run=${value}`).faults, ["--dry-run takes no value but true or false"], value);
  }
});

Deno.test("parseArguments: unknown flags are told once, with the nearest one and without their values", () => {
  const table: [string[], string][] = [
    [["--hots", "secret"], "Unknown flag '--hots', did you mean '--host'?"],
    [["--hots=secret"], "Unknown flag '--hots', did you mean '--host'?"],
    [["--dryrun"], "Unknown flag '--dryrun', did you mean '--dry-run'?"],
    [["--image", "x"], "Unknown flag '--image'"],
    [["--no-dry-run"], "Unknown flag '--no-dry-run', did you mean '--dry-run'?"],
  ];
  for (const [args, fault] of table) {
    const swallowed = args.length - 1;
    assertEquals(parse(...args), { flags: {}, positionals: [], faults: [fault], swallowed }, `${args}`);
  }
  for (const args of [["-psecret"], ["-p", "secret"], ["-p=secret"]]) {
    const { faults } = parse(...args);
    assertEquals(faults.length, 1);
    assert(faults[0]?.startsWith("Unknown flag '-p'") && !faults[0].includes("secret"), faults[0]);
  }
});

Deno.test("parseArguments: names of the language are unknown flags like others", () => {
  for (const name of ["__proto__", "constructor", "toString", "_", "", "a.b", "host.x"]) {
    const { faults, flags } = parse(`--${name}=x`);
    assertEquals(faults.length, 1, name);
    assertEquals(Object.keys(flags), []);
  }
});

Deno.test("parseArguments: after -- everything is a word", () => {
  assertEquals(parse("--host", "x", "--", "--dry-run", "--", "-h", "--host"), {
    flags: { host: "x" },
    positionals: ["--dry-run", "--", "-h", "--host"],
    faults: [],
    swallowed: 0,
  });
});

Deno.test("parseArguments: -h is --help", () => {
  assertEquals(parse("-h").flags, { help: true });
});

Deno.test("parseArguments: any line is read without a surprise", () => {
  const names = FLASH_OPTIONS.map(({ name }) => name);
  const word = fc.oneof(
    fc.string(),
    fc.constantFrom("--", "-", "", "-h", "--=", "--_", "--__proto__"),
    fc.constantFrom(...names).map((name) => `--${name}`),
    fc.tuple(fc.constantFrom(...names), fc.string()).map(([name, value]) => `--${name}=${value}`),
  );
  fc.assert(
    fc.property(fc.array(word, { maxLength: 8 }), (args) => {
      const { flags, positionals, faults } = parseArguments(args, FLASH_OPTIONS);
      assert(Object.keys(flags).every((name) => names.includes(name)));
      for (const option of FLASH_OPTIONS) {
        const flag = flags[option.name];
        if (flag === undefined) continue;
        const kind = Array.isArray(flag) ? "list" : typeof flag === "boolean" ? "switch" : "value";
        assertEquals(kind, option.kind);
      }
      assert(positionals.every((positional) => args.includes(positional)));
      // The same line again, written out, means the same.
      if (faults.length > 0) return;
      const written = Object.entries(flags).flatMap(([name, value]) =>
        Array.isArray(value) ? value.map((one) => `--${name}=${one}`) : [`--${name}=${value}`]
      );
      assertEquals(parseArguments([...written, "--", ...positionals], FLASH_OPTIONS), {
        flags,
        positionals,
        faults,
        swallowed: 0,
      });
    }),
    { seed: 20267, numRuns: 3000 },
  );
});
