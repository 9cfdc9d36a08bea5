import { assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
import { chooseAgent } from "../src/choose_agent.ts";
import { denoWorld } from "../src/deno_world.ts";
import { ConfigError } from "../src/job/config_error.ts";
import { quietLog } from "./ota_agent/agent_run.ts";
import { serverPair } from "./builders/certificates.ts";
import { configOf } from "./job/job_world.ts";

/** A directory with a key pair, a program, a plain file, and the variables that name the pair. */
async function files(): Promise<
  { readonly directory: string; readonly pair: Record<string, string> } & AsyncDisposable
> {
  const directory = await Deno.makeTempDir({ prefix: "choose-agent-" });
  const { certificate, key } = await serverPair();
  await Deno.writeTextFile(`${directory}/server.crt`, certificate);
  await Deno.writeTextFile(`${directory}/server.key`, key);
  await Deno.writeTextFile(`${directory}/ota-agent`, "#!/bin/sh\n", { mode: 0o755 });
  await Deno.writeTextFile(`${directory}/plain`, "");
  // As a directory of another user, also for one who may read everything: nothing below it can be looked at.
  await Deno.symlink("closed", `${directory}/closed`);
  await new Deno.Command("mkfifo", { args: [`${directory}/pipe`] }).output();
  return {
    directory,
    pair: { SERVER_CRT_PATH: `${directory}/server.crt`, SERVER_KEY_PATH: `${directory}/server.key` },
    [Symbol.asyncDispose]: () => Deno.remove(directory, { recursive: true }),
  };
}

const world = denoWorld(quietLog);

Deno.test("chooseAgent: what was asked for, when it can start", async () => {
  await using place = await files();
  const warnings: string[] = [];
  const choose = async (agent: string) =>
    await chooseAgent(configOf({ agent }, place.pair), world, (message) => warnings.push(message));
  assertEquals(await choose("builtin"), { kind: "builtin" });
  const path = `${place.directory}/ota-agent`;
  assertEquals(await choose(path), { kind: "classic", path });
  assertEquals(warnings, []);
});

Deno.test("chooseAgent: by default the program at the classic path, and our own where none is", async () => {
  await using place = await files();
  const { directory, pair } = place;
  const config = configOf({}, pair);
  assertEquals(config.agent, { kind: "default", path: "/usr/local/bin/ota-agent" });
  const choose = (path: string) =>
    chooseAgent({ ...config, agent: { kind: "default", path } }, world, () => undefined);
  const path = `${directory}/ota-agent`;
  assertEquals(await choose(path), { kind: "classic", path });
  assertEquals(await choose(`${directory}/absent`), { kind: "builtin" });
  // A directory is no program; one that may not be looked at may be one, and then ours must not take its place.
  assertEquals(await choose(directory), { kind: "builtin" });
  const error = await assertRejects(() => choose(`${directory}/closed/agent`), ConfigError);
  assertStringIncludes(error.message, `Cannot start the agent '${directory}/closed/agent'`);
});

Deno.test("chooseAgent: where the device must be recognised only the built-in agent will do", async () => {
  await using place = await files();
  const choose = async (agent: string) =>
    await chooseAgent(configOf({ agent, "verify-identity": "require" }, place.pair), world, () => undefined);
  assertEquals(await choose("builtin"), { kind: "builtin" });
  const error = await assertRejects(() => choose(`${place.directory}/ota-agent`), ConfigError);
  assertStringIncludes(error.message, "--verify-identity require needs --agent builtin");
});

Deno.test("chooseAgent: an agent that cannot start is refused, in a dry run too", async () => {
  await using place = await files();
  const { directory, pair } = place;
  const absent = `${directory}/absent`;
  const table: [string, Record<string, string>, string][] = [
    [absent, pair, `Cannot start the agent '${absent}': nothing is there`],
    [directory, pair, `Cannot start the agent '${directory}': it is no executable file`],
    [`${directory}/plain`, pair, "it is no executable file"],
    [`${directory}/ota-agent`, { ...pair, SERVER_CRT_PATH: absent }, `'${absent}': nothing is there`],
    [`${directory}/ota-agent`, { ...pair, SERVER_KEY_PATH: absent }, `'${absent}': nothing is there`],
    [
      `${directory}/closed/agent`,
      pair,
      `Cannot start the agent '${directory}/closed/agent': Too many levels`,
    ],
    [`${directory}/ota-agent`, { ...pair, SERVER_CRT_PATH: `${directory}/closed/crt` }, "Too many levels"],
    [`${directory}/ota-agent`, { ...pair, SERVER_KEY_PATH: directory }, `'${directory}': it is no file`],
    ["builtin", { ...pair, SERVER_CRT_PATH: `${directory}/closed/crt` }, "Too many levels"],
    ["builtin", { ...pair, SERVER_CRT_PATH: `${directory}/pipe` }, `'${directory}/pipe': it is no file`],
    ["builtin", { ...pair, SERVER_KEY_PATH: `${directory}/pipe` }, `'${directory}/pipe': it is no file`],
    ["builtin", { ...pair, SERVER_CRT_PATH: absent }, `Cannot read '${absent}'`],
    ["builtin", { ...pair, SERVER_KEY_PATH: `${directory}/server.crt` }, "it holds no private key in PEM"],
  ];
  for (const [agent, environment, cause] of table) {
    const error = await assertRejects(
      () => chooseAgent(configOf({ agent }, environment), world, () => undefined),
      ConfigError,
    );
    assertEquals(error.faults.length, 1);
    assertStringIncludes(error.message, cause);
    const dry = configOf({ agent, "dry-run": true }, environment);
    await assertRejects(() => chooseAgent(dry, world, () => undefined), ConfigError);
  }
});

Deno.test("chooseAgent: everything that is missing is told at once, with the settings that name it", async () => {
  const absent = { SERVER_CRT_PATH: "/absent/a.crt", SERVER_KEY_PATH: "/absent/a.key" };
  const settings = configOf({ agent: "/absent/agent", "verify-identity": "require" }, absent);
  const error = await assertRejects(() => chooseAgent(settings, world, () => undefined), ConfigError);
  assertEquals(error.faults.length, 4);
  for (
    const named of ["--agent, OTA_AGENT_PATH", "--server-crt, SERVER_CRT_PATH", "--server-key", "identity"]
  ) {
    assertStringIncludes(error.message, named);
  }
});

Deno.test("chooseAgent: a dry run only warns of a key pair that nobody names", async () => {
  const dry = { ...configOf({ "dry-run": true }), agent: { kind: "builtin" } as const };
  const unnamed = { ...dry, serverCertificate: "/absent/server.crt", serverKey: "/absent/server.key" };
  assertEquals(unnamed.namesKeyPair, false);
  const warnings: string[] = [];
  await chooseAgent(unnamed, world, (message) => warnings.push(message));
  assertEquals(warnings.length, 2);
  for (const warning of warnings) {
    assertStringIncludes(warning, "The update itself would fail here: Cannot read");
  }
  for (const name of ["server-crt", "server-key"]) {
    const named = configOf({ "dry-run": true, agent: "builtin", [name]: "/absent/pem" });
    await assertRejects(() => chooseAgent(named, world, () => undefined), ConfigError, "/absent/pem");
  }
});
