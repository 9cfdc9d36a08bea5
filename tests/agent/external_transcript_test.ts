import { assertEquals } from "@std/assert";
import type { AgentVerdict } from "../../src/agent/agent_transcript.ts";
import { ExternalTranscript } from "../../src/agent/external_transcript.ts";

const SHA = "a".repeat(64);
const LISTENING = '{"event":"listening","port":4433}';
const DELIVERED =
  `{"event":"delivered","peer":"127.0.0.1:1","bytes":9,"sha256":"${SHA}","certificateSha256":"${SHA}","receipt":"acknowledged"}`;

function verdictOn(lines: readonly string[], code = 0, signal: string | null = null): AgentVerdict {
  const transcript = new ExternalTranscript();
  for (const text of lines) transcript.hear({ stream: "stdout", text });
  return transcript.verdict({ code, signal });
}

Deno.test("ExternalTranscript: our own agent is understood, but its receipt is not believed", () => {
  const verdict = verdictOn(["wrapper: starting", LISTENING, DELIVERED]);
  assertEquals(verdict, {
    kind: "delivered",
    receipt: false,
    peer: "127.0.0.1:1",
    bytes: 9,
    sha256: SHA,
    certificateSha256: SHA,
  });
});

Deno.test("ExternalTranscript: the C agent is understood", () => {
  const verdict = verdictOn(["Server is listening on port 4433", "Verified device", "Firmware sent to IoT"]);
  assertEquals(verdict, { kind: "delivered", receipt: false });
});

const refused: readonly (readonly [string, readonly string[], number, string | null, string])[] = [
  ["silence", [], 0, null, "unproven"],
  ["a delivery without listening first", [DELIVERED], 0, null, "unproven"],
  [
    "an attestation server that speaks our events through the C agent",
    ["Server is listening on port 4433", LISTENING, DELIVERED],
    0,
    null,
    "unproven",
  ],
  [
    "the C agent's proof from our own agent",
    [LISTENING, "Verified device", "Firmware sent to IoT"],
    0,
    null,
    "unproven",
  ],
  ["our own agent that dies after its delivery", [LISTENING, DELIVERED], 139, "SIGSEGV", "died"],
  ["our own agent that ends with a failure after its delivery", [LISTENING, DELIVERED], 1, null, "died"],
  [
    "our own agent's failure",
    [LISTENING, '{"event":"failed","code":"attestation-refused","message":"no"}'],
    0,
    null,
    "attestation-refused",
  ],
];

for (const [name, lines, code, signal, wanted] of refused) {
  Deno.test(`ExternalTranscript: ${name} is ${wanted}`, () => {
    const verdict = verdictOn(lines, code, signal);
    assertEquals(verdict.kind === "failed" ? verdict.code : verdict.kind, wanted);
  });
}
