import { Buffer } from "node:buffer";
import { assert, assertEquals } from "@std/assert";
import {
  deployedServerPair,
  diceCertificate,
  leafServerPair,
  type ServerPair,
} from "../builders/certificates.ts";
import { sha256 } from "../builders/esp_image.ts";
import { type AgentCase, codeOf, runAgentCase } from "./agent_case.ts";

const recognised = { expectedDevice: { address: "127.0.0.1", require: false } };

/** What the agent must say, and whether anything may have reached the device. */
const CASES: readonly (AgentCase & { name: string; code: string; nothingSent?: true })[] = [
  { name: "the device as it should be", code: "delivered" },
  { name: "certificate in two writes", behaviour: { splitCertificate: true }, code: "delivered" },
  { name: "dials twice at once", behaviour: { dialsTwice: "at once" }, code: "delivered" },
  {
    name: "dials again after a reset",
    behaviour: { dialsTwice: "after a break", transfer: { fraction: 0.5, then: "reset" } },
    code: "delivered",
  },
  {
    name: "dials again after an early close",
    behaviour: { dialsTwice: "after a break", transfer: { fraction: 0.3, then: "close" } },
    code: "delivered",
  },
  {
    name: "stalls at 50 %",
    behaviour: { transfer: { fraction: 0.5, then: "stall" } },
    settings: { transferIdleTimeout: 400 },
    code: "transfer-broken",
  },
  {
    name: "stalls until the run is over",
    behaviour: { transfer: { fraction: 0.5, then: "stall" } },
    settings: { timeout: 700 },
    code: "transfer-broken",
  },
  {
    name: "attestation 401, device recognised",
    attestation: { mode: "401" },
    settings: { ...recognised, redialTimeout: 60_000 },
    code: "attestation-refused",
    nothingSent: true,
  },
  {
    name: "attestation 401, device unknown",
    attestation: { mode: "401" },
    code: "attestation-refused",
    nothingSent: true,
  },
  {
    name: "attestation 405",
    attestation: { mode: "405" },
    code: "attestation-unavailable",
    nothingSent: true,
  },
  {
    name: "attestation 500",
    attestation: { mode: "500" },
    code: "attestation-unavailable",
    nothingSent: true,
  },
  {
    name: "attestation hangs",
    attestation: { mode: "hang" },
    settings: { attestationTimeout: 300 },
    code: "attestation-unavailable",
    nothingSent: true,
  },
  {
    name: "attestation down",
    attestation: { mode: "down" },
    code: "attestation-unavailable",
    nothingSent: true,
  },
  {
    name: "never dials",
    behaviour: { dials: "never" },
    settings: { dialInTimeout: 200 },
    code: "never-dialled",
    nothingSent: true,
  },
  { name: "dials late", behaviour: { dials: { atAttempt: 3 } }, code: "delivered" },
  {
    name: "refuses our certificate",
    behaviour: { wrongPin: true },
    settings: { dialInTimeout: 500, ...recognised },
    code: "tls-refused",
    nothingSent: true,
  },
  {
    name: "somebody elsewhere refuses our certificate",
    behaviour: { wrongPin: true },
    settings: { dialInTimeout: 500, expectedDevice: { address: "192.0.2.1", require: false } },
    code: "never-dialled",
    nothingSent: true,
  },
  {
    name: "another certificate than expected",
    settings: { dialInTimeout: 500, expectedDevice: { certificateSha256: "0".repeat(64), require: false } },
    code: "wrong-device",
    nothingSent: true,
  },
  {
    name: "another address than expected, recognition required",
    settings: { dialInTimeout: 500, expectedDevice: { address: "192.0.2.1", require: true } },
    code: "wrong-device",
    nothingSent: true,
  },
  {
    name: "another address than expected, recognition not required",
    settings: { expectedDevice: { address: "192.0.2.1", require: false } },
    code: "delivered",
  },
];

for (const { name, code, nothingSent, ...rest } of CASES) {
  Deno.test(`runOtaAgent: ${name}: ${code}`, async () => {
    const { end, events, flash, image } = await runAgentCase(rest);
    assertEquals(codeOf(end), code, JSON.stringify(end));
    assertEquals(events.at(-1)?.event, end.kind);
    if (code === "delivered") assert(Buffer.from(flash).equals(image));
    if (nothingSent) {
      assertEquals(flash.length, 0);
      assert(!events.some(({ event }) => event === "sending" || event === "attested"));
    }
  });
}

Deno.test("runOtaAgent: nobody asks the attestation server about another device's certificate", async () => {
  const { attestationRequests } = await runAgentCase({
    settings: { dialInTimeout: 300, expectedDevice: { certificateSha256: "0".repeat(64), require: false } },
  });
  assertEquals(attestationRequests.length, 0);
});

Deno.test("runOtaAgent: a verdict ahead spares the question only for the same certificate and for 60 s", async () => {
  const certificate = await diceCertificate();
  const own = sha256(certificate.der).toHex();
  const ahead = (certificateSha256: string, age: number) => ({
    settings: { attestedAhead: { certificateSha256, at: Date.now() - age } },
  });
  for (
    const [certificateSha256, age, questions] of [
      [own, 1_000, 0],
      [own, 61_000, 1],
      [own, -60_000, 1],
      ["0".repeat(64), 0, 1],
    ] as const
  ) {
    const { end, events, attestationRequests } = await runAgentCase(ahead(certificateSha256, age));
    assertEquals(codeOf(end), "delivered");
    assertEquals(attestationRequests.length, questions);
    const attested = events.find((event) => event.event === "attested");
    assertEquals(attested?.ahead, questions === 0);
  }
});

Deno.test("runOtaAgent: a verdict ahead does not help another device", async () => {
  const { end, flash } = await runAgentCase({
    attestation: { mode: "401" },
    settings: { attestedAhead: { certificateSha256: "0".repeat(64), at: Date.now() } },
  });
  assertEquals(codeOf(end), "attestation-refused");
  assertEquals(flash.length, 0);
});

Deno.test("runOtaAgent: serves the deployed pair with a warning, and a leaf of the pinned authority", async () => {
  const pairs: [ServerPair, number][] = [[await deployedServerPair(), 1], [await leafServerPair(), 0]];
  for (const [pair, warnings] of pairs) {
    const { end, events } = await runAgentCase({ settings: { pair } });
    assertEquals(codeOf(end), "delivered");
    assertEquals(events.filter(({ event }) => event === "warning").length, warnings);
  }
});

Deno.test("runOtaAgent: stopped while it waits, while it asks, and while it sends", async () => {
  const phases = [
    { event: "listening", behaviour: { dials: "never" } },
    { event: "dialled", attestation: { mode: "hang" } },
    { event: "sending", behaviour: { transfer: { fraction: 0.5, then: "stall" } } },
  ] as const;
  for (const { event: wanted, ...rest } of phases) {
    const { end } = await runAgentCase({
      ...rest,
      settings: { attestationTimeout: 60_000 },
      during: async (agent) => {
        while (!agent.events.some(({ event }) => event === wanted)) {
          await new Promise((r) => setTimeout(r, 5));
        }
        agent.stop();
      },
    });
    assertEquals(codeOf(end), "stopped", wanted);
  }
});
