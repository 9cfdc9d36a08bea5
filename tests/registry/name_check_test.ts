import { assertEquals, assertRejects } from "@std/assert";
import { fileURLToPath } from "node:url";
import { IN_POD, permissionFlags } from "../../deploy/permissions.ts";
import { checkName } from "../../src/registry/name_check.ts";
import { RegistryError } from "../../src/registry/registry_error.ts";
import { processEnvironment } from "../lab/program.ts";
import { NEVER, testWorld } from "./registry_rig.ts";

const FROM = new URL("https://registry.example/");
const TO = new URL("https://cdn.example/");

Deno.test("World.resolveHost: all addresses of a name, a rejection without one, and no wait when aborted", async () => {
  const world = testWorld();
  assertEquals((await world.resolveHost("localhost", NEVER)).includes("127.0.0.1"), true);
  await assertRejects(() => world.resolveHost("nowhere.invalid", NEVER), Error, "nowhere.invalid");
  const reason = new Error("the job is over");
  const aborted = AbortSignal.abort(reason);
  assertEquals(await assertRejects(() => world.resolveHost("localhost", aborted)), reason);
});

/** Of this machine, IPv4 and IPv6, as `--deny-net` wants them. */
async function nameServers(): Promise<string[]> {
  const lines = (await Deno.readTextFile("/etc/resolv.conf").catch(() => "")).split("\n");
  return lines.flatMap((line) => /^nameserver\s+([\d.]+|[\da-f:]+)\s*$/i.exec(line)?.[1] ?? [])
    .map((address) => address.includes(":") ? `[${address}]` : address);
}

Deno.test("World.resolveHost: the compiled program resolves where its name server is a forbidden address, as in clouds", async () => {
  // all that Deno.resolveDns asks may be forbidden: without a resolv.conf it asks those of Google
  const forbidden = [...await nameServers(), "8.8.8.8", "8.8.4.4", "127.0.0.1"];
  const flags = permissionFlags(IN_POD)
    .map((flag) => flag.startsWith("--deny-net=") ? [flag, ...forbidden].join(",") : flag);
  const child = new Deno.Command(Deno.execPath(), {
    args: [
      "run",
      "--quiet",
      "--no-check",
      ...flags,
      fileURLToPath(import.meta.resolve("./resolve_localhost.ts")),
    ],
    env: processEnvironment(),
    clearEnv: true,
    stdin: "null",
    stderr: "inherit",
  });
  const { code, stdout } = await child.output();
  assertEquals([code, new TextDecoder().decode(stdout)], [0, "127.0.0.1\n"]);
});

Deno.test("checkName: a name that cannot be judged, its own or that of who named it, is not gone to", async () => {
  const silent = Object.assign(new Error("getaddrinfo EAI_AGAIN cdn.example"), { code: "EAI_AGAIN" });
  for (const [deaf, expected] of [[TO, "cdn.example"], [FROM, "registry.example"]] as const) {
    const world = testWorld({
      resolveHost: (host) => host === deaf.host ? Promise.reject(silent) : Promise.resolve(["10.0.0.7"]),
    });
    const checking = () => checkName(FROM, TO, { environment: {}, world, signal: NEVER });
    const error = await assertRejects(
      checking,
      RegistryError,
      `'https://${expected}/': its name cannot be resolved`,
    );
    assertEquals([error.code, error.retryable, error.cause], ["unreachable", true, silent]);
  }
});

Deno.test("checkName: the end of the job is the end of the wait for a resolver", async () => {
  const controller = new AbortController();
  const reason = new Error("the job is over");
  const world = testWorld({
    resolveHost: (_host, signal) =>
      new Promise((_, reject) =>
        signal.addEventListener("abort", () => reject(signal.reason), { once: true })
      ),
  });
  const waiting = checkName(FROM, TO, { environment: {}, world, signal: controller.signal });
  controller.abort(reason);
  assertEquals(await assertRejects(() => waiting), reason);
});
