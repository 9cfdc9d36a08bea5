import { assert, assertEquals, assertMatch, assertNotMatch, assertStringIncludes } from "@std/assert";
import { writeClassicAgent } from "../lab/classic_agent.ts";
import { freePort, type Lab, startLab } from "../lab/lab_world.ts";
import type { ProgramRun } from "../lab/program.ts";
import { startRegistry } from "../lab/registry.ts";
import { installCompiledProgram } from "./compiled_program.ts";

/** The lab's device is fast, so nobody needs a real one's patience. */
const FAST = {
  DIAL_IN_TIMEOUT: "4s",
  REDIAL_TIMEOUT: "2s",
  CONFIRM_TIMEOUT: "6s",
  TRANSFER_IDLE_TIMEOUT: "2s",
  ATTESTATION_TIMEOUT: "3s",
};

/** Addresses of this machine that nobody uses, in the place of those of a cloud. */
const FORBIDDEN_LOOPBACK = "127.66.0.0/16";

/** Listens where the program may not go, and counts who comes. */
function startForbidden(
  hostname: string,
): { readonly port: number; readonly visits: () => number } & Disposable {
  const listener = Deno.listen({ hostname, port: 0 });
  let visits = 0;
  void (async () => {
    for await (const connection of listener) {
      visits++;
      connection.close();
    }
  })();
  return {
    port: listener.addr.port,
    visits: () => visits,
    [Symbol.dispose]: () => listener.close(),
  };
}

function assertUpdated(run: ProgramRun, lab: Lab): void {
  assertEquals(run.code, 0, run.stderr);
  assertMatch(run.stdout, /^OK updated: /);
  assertEquals(lab.device.running.version, "1.1.0");
  assertEquals(lab.device.running.image, lab.firmware);
  // A missing permission shows in these words.
  assertNotMatch(run.stderr, /requires .* access|--allow-|may not/i);
}

Deno.test("permissionFlags: they suffice for a whole job, also for the built-in agent", async () => {
  await using program = await installCompiledProgram();
  await using lab = await startLab();
  const TERMINATION_LOG = `${lab.directory}/termination-log`;
  await Deno.writeTextFile(TERMINATION_LOG, "");
  // A login session's directory, as at a desk: it is closed to the program, which must not matter.
  const XDG_RUNTIME_DIR = "/run/user/65532";
  const run = await program.run([], { ...FAST, ...lab.environment, TERMINATION_LOG, XDG_RUNTIME_DIR });
  assertUpdated(run, lab);
  assertStringIncludes(await Deno.readTextFile(TERMINATION_LOG), '{"outcome":"updated","code":0,');
});

Deno.test("permissionFlags: they suffice for a classic agent where the program expects it", async () => {
  await using program = await installCompiledProgram();
  await using lab = await startLab();
  const OTA_AGENT_PATH = await writeClassicAgent(program.directory, { port: lab.agentPort });
  const TERMINATION_LOG = `${lab.directory}/none`;
  assertUpdated(await program.run([], { ...FAST, ...lab.environment, OTA_AGENT_PATH, TERMINATION_LOG }), lab);
});

Deno.test("permissionFlags: an agent elsewhere is not started", async () => {
  await using program = await installCompiledProgram();
  await using lab = await startLab();
  const OTA_AGENT_PATH = await writeClassicAgent(lab.directory, { port: lab.agentPort });
  const run = await program.run([], { ...FAST, ...lab.environment, OTA_AGENT_PATH });
  assertMatch(run.stdout, /^FAILED agent-failed .*Cannot start the agent/);
  assertEquals(lab.device.running.version, "1.0.0");
});

Deno.test("flash: /dev/termination-log is beyond a compiled program, and the log ends with the outcome instead", async () => {
  await using program = await installCompiledProgram();
  await using lab = await startLab();
  const run = await program.run(["--dry-run"], { ...FAST, ...lab.environment }, { oneLog: true });
  assertEquals(run.code, 0, run.stdout);
  assertStringIncludes(run.stdout, "Cannot write the termination message '/dev/termination-log'");
  assertMatch(run.stdout, /\nOK dry-run: [^\n]*\n$/);
});

Deno.test("FORBIDDEN_NETWORKS: no cloud's metadata is asked for, by address or by a name that leads there", async () => {
  await using program = await installCompiledProgram([FORBIDDEN_LOOPBACK]);
  await using nameless = await installCompiledProgram(["127.0.0.0/8"]);
  using forbidden = startForbidden("127.66.0.1");
  using named = startForbidden("127.0.0.1");
  await using lab = await startLab();
  const environment = { ...FAST, ...lab.environment };
  const refused = /^FAILED registry-unreachable .*this program may not speak to that host/;
  const cases: readonly (readonly [typeof program, string])[] = [
    [program, "169.254.169.254/team/thermo:1"],
    [program, "[fd00:ec2::254]:443/team/thermo:1"],
    [program, "metadata.google.internal/team/thermo:1"],
    [program, `127.66.0.1:${forbidden.port}/team/thermo:1`],
    [nameless, `localhost:${named.port}/team/thermo:1`],
  ];
  await Promise.all(cases.map(async ([program, FIRMWARE]) => {
    const run = await program.run([], { ...environment, FIRMWARE });
    assertMatch(run.stdout, refused, FIRMWARE);
    assertEquals(run.code, 10, FIRMWARE);
  }));
  assertEquals([forbidden.visits(), named.visits()], [0, 0]);
});

Deno.test("FORBIDDEN_NETWORKS: a registry cannot send us there for a token, nor a user for a device", async () => {
  await using program = await installCompiledProgram([FORBIDDEN_LOOPBACK]);
  using forbidden = startForbidden("127.66.0.1");
  await using lab = await startLab();
  await using registry = await startRegistry({
    auth: { kind: "token", realm: `http://127.66.0.1:${forbidden.port}/token` },
  });
  const toToken = await program.run([], {
    ...FAST,
    ...lab.environment,
    FIRMWARE: `${registry.host}/team/thermo:1.1.0`,
  });
  assertMatch(toToken.stdout, /^FAILED registry-unreachable .*this program may not speak to that host/);

  const toDevice = await program.run(["--skip-if-current"], {
    ...FAST,
    ...lab.environment,
    HOST_ENDPOINT: `127.66.0.1:${forbidden.port}`,
  });
  assertMatch(toDevice.stdout, /^FAILED device-unreachable /);
  assertStringIncludes(toDevice.stderr, "this program may not connect there");
  assertEquals(forbidden.visits(), 0);
});

Deno.test("WRITABLE: nothing is written elsewhere", async () => {
  await using program = await installCompiledProgram();
  await using lab = await startLab();
  const directory = await Deno.makeTempDir({ dir: "/var/tmp" });
  try {
    const reference = lab.reference;
    const run = await program.run(
      ["pull", reference, "--device", "esp32s3", "--output", `${directory}/firmware.bin`],
      lab.environment,
    );
    assert(run.code !== 0);
    assertMatch(run.stdout + run.stderr, /Cannot write .*Requires write access/);
    assertEquals((await Array.fromAsync(Deno.readDir(directory))).length, 0);
  } finally {
    await Deno.remove(directory, { recursive: true });
  }
});

Deno.test("permissionFlags: the agent command alone has what it needs to listen", async () => {
  await using program = await installCompiledProgram();
  await using lab = await startLab();
  const run = await program.run(["agent", "--dial-in-timeout", "300ms", "--listen", "127.0.0.1"], {
    NEW_FIRMWARE_PATH: `${lab.directory}/config.json`,
    DICE_AUTH_URL: lab.attestation.url,
    SERVER_CRT_PATH: `${lab.directory}/server.crt`,
    SERVER_KEY_PATH: `${lab.directory}/server.key`,
    AGENT_PORT: String(freePort()),
  });
  assertMatch(run.stdout, /"event":"listening"/);
  assertMatch(run.stdout, /never-dialled/);
});
