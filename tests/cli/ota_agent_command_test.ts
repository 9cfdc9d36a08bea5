import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import * as fc from "fast-check";
import { runLine } from "./run_line.ts";

/** What `agent` needs to be told; the files are looked at only when all of it can be used. */
const ENOUGH = {
  NEW_FIRMWARE_PATH: "/nowhere/firmware.bin",
  DICE_AUTH_URL: "http://attestation:8000",
  SERVER_CRT_PATH: "/nowhere/server.crt",
  SERVER_KEY_PATH: "/nowhere/server.key",
};

Deno.test("agent: a password stands in no fault", async () => {
  const secret = fc.stringMatching(/^[A-Za-z0-9!$&*+,;=:_.~-]{8,24}$/);
  const places = fc.constantFrom<[variable: string, before: string, after: string]>(
    ["DICE_AUTH_URL", "http://user:", "@attestation:8000"],
    ["DICE_AUTH_URL", "ftp://user:", "@attestation"],
    ["DICE_AUTH_URL", "user:", "@attestation"],
    ["DICE_AUTH_URL", "http://attestation:8000/?key=", ""],
    ["DICE_AUTH_URL", "http://user:", "@bad host"],
    ["AGENT_LISTEN", "http://user:", "@0.0.0.0"],
  );
  await fc.assert(
    fc.asyncProperty(secret, places, async (hidden, [variable, before, after]) => {
      const { code, stdout, stderr } = await runLine(["agent"], {
        ...ENOUGH,
        [variable]: `${before}${hidden}${after}`,
      });
      assertEquals([code, stdout], [2, ""]);
      assertStringIncludes(stderr, `${variable}: Cannot `);
      assert(!stderr.includes(hidden), stderr);
    }),
    { seed: 20268, numRuns: 500 },
  );
});

Deno.test("agent: its result has one form, JSON lines, and so no --output", async () => {
  const { stdout } = await runLine(["agent", "--help"]);
  assertEquals([stdout.includes("--output"), stdout.includes("--log-format text|json")], [false, true]);
  const { code, stderr } = await runLine(["agent", "--output=json"], ENOUGH);
  assertEquals(code, 2);
  assertStringIncludes(stderr, "Unknown flag '--output'");
});

Deno.test("agent: a Service of its name sets no port", async () => {
  const { code, stdout, stderr } = await runLine(["agent"], { ...ENOUGH, AGENT_PORT: "tcp://10.96.0.7:80" });
  assertEquals([code, JSON.parse(stdout).code], [29, "firmware-unreadable"]);
  assertStringIncludes(stderr, "AGENT_PORT=tcp://10.96.0.7:80 counts as not given");
});

Deno.test("agent: takes the attestation server as flash does, and addresses only where they are some", async () => {
  const usable = [
    ["--attestation-url", "attestation:8000"],
    ["--attestation-url", "https://attestation/dice"],
    ["--listen", "127.0.0.1"],
    ["--listen", "::"],
    ["--expect-address", "10.0.0.7"],
  ];
  for (const args of usable) {
    const { code, stdout } = await runLine(["agent", ...args], ENOUGH);
    // The settings were good: what is missing is the first file.
    assertEquals([code, JSON.parse(stdout).code], [29, "firmware-unreadable"], `${args}`);
  }
  const wrong = [
    ["--attestation-url", "http://user:pw@attestation"],
    ["--listen", "eth0"],
    ["--listen", "10.0.0.256"],
    ["--expect-address", "thermo.local"],
    ["--expect-address", "10.0.0.07"],
  ];
  for (const args of wrong) {
    const { code, stdout, stderr } = await runLine(["agent", ...args], ENOUGH);
    assertEquals([code, stdout], [2, ""], `${args}`);
    assertStringIncludes(stderr, `${args[0]}: Cannot `);
  }
});
