import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { mismatchedServerPair, serverPair } from "../builders/certificates.ts";
import { codeOf, smallImage } from "./agent_case.ts";
import { type AgentRunOptions, startOtaAgent } from "./agent_run.ts";

const good = await serverPair();
const taken = (await serverPair()).certificate;

const CASES: readonly (Partial<AgentRunOptions> & { name: string; code: string; says: string })[] = [
  {
    name: "key of another certificate",
    pair: await mismatchedServerPair(),
    code: "bad-key-pair",
    says: "it is not the key of",
  },
  {
    name: "certificate for another name",
    pair: await serverPair({ commonName: "somebody-else" }),
    code: "bad-key-pair",
    says: "it is for 'CN=somebody-else'",
  },
  {
    name: "certificate file is a key",
    pair: { ...good, certificate: good.key },
    code: "bad-key-pair",
    says: "no PEM certificate",
  },
  {
    name: "key file is a certificate",
    pair: { ...good, key: taken },
    code: "bad-key-pair",
    says: "no private key",
  },
  {
    name: "encrypted key",
    pair: {
      ...good,
      key: "-----BEGIN ENCRYPTED PRIVATE KEY-----\nAAAA\n-----END ENCRYPTED PRIVATE KEY-----\n",
    },
    code: "bad-key-pair",
    says: "it is encrypted",
  },
  {
    name: "damaged certificate",
    pair: { ...good, certificate: "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n" },
    code: "bad-key-pair",
    says: "cannot be parsed",
  },
  {
    name: "no certificate file",
    certificatePath: "/nowhere/server.crt",
    code: "bad-key-pair",
    says: "'/nowhere/server.crt'",
  },
  {
    name: "huge certificate file",
    pair: { ...good, certificate: "x".repeat(70_000) },
    code: "bad-key-pair",
    says: "65536 bytes",
  },
  { name: "empty firmware", image: new Uint8Array(), code: "firmware-unreadable", says: "it is empty" },
  {
    name: "no firmware",
    firmwarePath: "/nowhere/firmware.bin",
    code: "firmware-unreadable",
    says: "nothing is there",
  },
  {
    name: "firmware is a directory",
    firmwarePath: "/",
    code: "firmware-unreadable",
    says: "it is not a file",
  },
  { name: "no such address", hostname: "192.0.2.1", code: "listen-failed", says: "192.0.2.1" },
];

for (const { name, code, says, ...settings } of CASES) {
  Deno.test(`runOtaAgent: ${name}: ${code} before it listens`, async () => {
    await using agent = await startOtaAgent({ image: smallImage, ...settings });
    const end = await agent.end;
    assertEquals(codeOf(end), code, JSON.stringify(end));
    assert(end.kind === "failed");
    assertStringIncludes(end.message, says);
    assertEquals(agent.events.map(({ event }) => event), ["failed"]);
  });
}

Deno.test("runOtaAgent: a port that is taken: listen-failed", async () => {
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  try {
    await using agent = await startOtaAgent({ image: smallImage, port: listener.addr.port });
    assertEquals(codeOf(await agent.end), "listen-failed");
  } finally {
    listener.close();
  }
});

Deno.test("runOtaAgent: told to stop before it began", async () => {
  await using agent = await startOtaAgent({ image: smallImage });
  agent.stop();
  assertEquals(codeOf(await agent.end), "stopped");
});
