import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { COMMANDS } from "../../src/cli/command_table.ts";
import { OUTCOMES } from "../../src/job/job_outcome.ts";
import { commandHelp, programHelp } from "../../src/cli/help.ts";

const LINE_CELLS = 120;

async function helps(): Promise<{ name: string; text: string; flat: string }[]> {
  return await Promise.all(COMMANDS.map(async ({ name, load }) => {
    const text = commandHelp(name, await load());
    return { name, text, flat: text.replaceAll(/\s+/g, " ") };
  }));
}

Deno.test("commandHelp: every option of every command with its variables, default and form", async () => {
  for (const [index, { name, flat }] of (await helps()).entries()) {
    const command = await COMMANDS[index]?.load();
    for (const option of command?.options ?? []) {
      const notes = [
        option.help,
        ...(option.kind === "list" ? ["(repeatable)"] : []),
        ...(option.variables?.length ? [`[${option.variables.map((name) => `$${name}`).join(", ")}]`] : []),
        ...(option.fallback === undefined ? [] : [`(default ${option.fallback})`]),
      ];
      const placeholder = option.placeholder === undefined ? "" : ` ${option.placeholder}`;
      assertStringIncludes(flat, ` --${option.name}${placeholder} ${notes.join(" ")}`, name);
      assertStringIncludes(flat, `${option.group}: `, name);
    }
    assertStringIncludes(flat, `Usage: flashjob ${name} `);
    assertStringIncludes(flat, command?.about.replaceAll(/\s+/g, " ").trim() ?? "?");
  }
});

Deno.test("commandHelp, programHelp: no line is longer than a terminal, and none ends in blanks", async () => {
  for (const { name, text } of [...await helps(), { name: "program", text: programHelp(COMMANDS) }]) {
    for (const line of text.split("\n")) {
      assert(line.length <= LINE_CELLS, `${name}: ${line.length} cells: ${line}`);
      assertEquals(line, line.trimEnd(), name);
    }
  }
});

Deno.test("command tables: names are unique, in kebab case, and every valued option names its value", async () => {
  for (const entry of COMMANDS) {
    const { options } = await entry.load();
    const names = options.map(({ name }) => name);
    assertEquals(new Set(names).size, names.length, entry.name);
    const variables = options.flatMap((option) => option.variables ?? []);
    assertEquals(new Set(variables).size, variables.length, entry.name);
    for (const option of options) {
      assert(/^[a-z][a-z0-9]*(-[a-z0-9]+)*$/.test(option.name), option.name);
      assertEquals(option.placeholder === undefined, option.kind === "switch", option.name);
      assert(option.help !== "" && option.group !== "", option.name);
    }
    for (const variable of variables) assert(/^[A-Z][A-Z0-9_]*$/.test(variable), variable);
  }
});

Deno.test("commandHelp: flash names every variable and flag that a job reads or a remedy sends its reader to", async () => {
  const flash = (await helps()).find(({ name }) => name === "flash")?.flat ?? "";
  const remedies = Object.values(OUTCOMES).flatMap(({ remedy }) =>
    remedy.match(/\b[A-Z]+(?:_[A-Z]+)+\b|--[a-z][a-z-]+/g) ?? []
  );
  const operator = ["HOST_ENDPOINT_*", "HOST", "DICE_AUTH_SERVICE_SERVICE_HOST", "UUID", "APPLICATION_TYPE"];
  const docker = ["DOCKER_AUTH_CONFIG", "REGISTRY_AUTH_FILE"];
  assert(remedies.includes("DOCKER_CONFIG") && remedies.includes("--confirm-host"));
  const words = new Set(flash.split(/[^A-Za-z0-9_*-]+/));
  const others = remedies.filter((name) => name !== "--help");
  for (const name of [...operator, ...docker, ...others]) assert(words.has(name), name);
});

Deno.test("commandHelp: says how TIME and SIZE are written, where a flag takes one", async () => {
  for (const { name, text } of await helps()) {
    for (const measure of ["TIME", "SIZE"]) {
      const isTaken = new RegExp(`^ {2}--[a-z-]+ ${measure}\\b`, "m").test(text);
      assertEquals(new RegExp(`^${measure}: `, "m").test(text), isTaken, `${name} ${measure}`);
    }
  }
});

Deno.test("programHelp: names every command and what it does", () => {
  const text = programHelp(COMMANDS);
  for (const { name, summary } of COMMANDS) {
    assert(new RegExp(`^  ${name} +`, "m").test(text), name);
    assertStringIncludes(text, summary);
  }
});
