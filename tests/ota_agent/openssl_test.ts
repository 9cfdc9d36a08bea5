import { assert, assertEquals, assertMatch } from "@std/assert";
import { deployedServerPair } from "../builders/certificates.ts";
import { smallImage } from "./agent_case.ts";
import { startOtaAgent } from "./agent_run.ts";

/** Whether openssl is there. Where CI runs the tests, its absence is a failure. */
async function hasOpenssl(): Promise<boolean> {
  const found = await new Deno.Command("openssl", { args: ["version"], stdout: "null" }).output()
    .then(({ success }) => success, () => false);
  if (!found && Deno.env.get("CI") === "true") {
    throw new Error("Cannot run this test: wanted the program openssl");
  }
  if (!found) console.log("openssl is not here, so this test asserts nothing");
  return found;
}

Deno.test("runOtaAgent: openssl s_client completes a handshake and receives nothing without a certificate", async () => {
  if (!await hasOpenssl()) return;
  for (const version of ["-tls1_2", "-tls1_3"]) {
    await using agent = await startOtaAgent({
      image: smallImage,
      pair: await deployedServerPair(),
      certificateTimeout: 400,
      dialInTimeout: 5_000,
    });
    const client = new Deno.Command("openssl", {
      args: [
        "s_client",
        version,
        "-quiet",
        "-no_ign_eof",
        "-servername",
        "ota-agent",
        "-connect",
        `127.0.0.1:${await agent.port}`,
      ],
      stdin: "piped",
      stdout: "piped",
      stderr: "piped",
    }).spawn();
    const { stdout, stderr } = await client.output();
    assertEquals(stdout.length, 0);
    assertMatch(new TextDecoder().decode(stderr), /CN ?= ?ota-agent/);
    assert(agent.events.some(({ event }) => event === "handshake"));
  }
});
