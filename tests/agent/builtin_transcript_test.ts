import { assert, assertEquals } from "@std/assert";
import fc from "fast-check";
import type { AgentVerdict } from "../../src/agent/agent_transcript.ts";
import { BuiltinTranscript } from "../../src/agent/builtin_transcript.ts";
import type { AgentEvent } from "../../src/ota_agent/agent_event.ts";
import type { ChildStatus } from "../../src/world.ts";

const ZERO: ChildStatus = { code: 0, signal: null };
const hash = "0a".repeat(32);
const peer = "10.0.0.5:50000";

const delivered: AgentEvent = {
  event: "delivered",
  peer,
  bytes: 10,
  sha256: hash,
  certificateSha256: hash,
  receipt: "acknowledged",
  ms: 5,
};
const refused: AgentEvent = {
  event: "failed",
  code: "attestation-refused",
  message: "Cannot",
  strangers: 0,
  tlsRefusals: 0,
};

/** Every other event that the agent has. */
const STEPS: readonly AgentEvent[] = [
  { event: "listening", port: 4433 },
  { event: "warning", message: "w" },
  { event: "stranger", peer, reason: "r", suppressed: 3 },
  { event: "handshake", peer },
  { event: "certificate", peer, sha256: hash, bytes: 724 },
  { event: "dialled", peer, identifiedBy: "address" },
  { event: "attested", peer, ahead: true, ms: 0 },
  { event: "sending", peer, handedOverBytes: 5, acknowledgedBytes: 3, totalBytes: 10 },
  { event: "half-closed", peer },
  { event: "retry", peer, code: "transfer-broken", message: "m" },
];

function judge(
  events: readonly unknown[],
  status = ZERO,
  stream: "stdout" | "stderr" = "stdout",
): AgentVerdict {
  const transcript = new BuiltinTranscript();
  for (const event of events) {
    transcript.hear({ stream, text: typeof event === "string" ? event : JSON.stringify(event) });
  }
  return transcript.verdict(status);
}

const codeOf = (verdict: AgentVerdict): string => verdict.kind === "delivered" ? "delivered" : verdict.code;

Deno.test("BuiltinTranscript: every event but the last has its sign", () => {
  const transcript = new BuiltinTranscript();
  const signs = STEPS.map((event) => transcript.hear({ stream: "stdout", text: JSON.stringify(event) }));
  assertEquals<unknown>(signs.map((sign) => sign?.kind), STEPS.map(({ event }) => event));
  assertEquals(signs[0]?.detail, "listening on port 4433");
  assertEquals(signs[7]?.percent, 30);
  const end = transcript.hear({ stream: "stdout", text: JSON.stringify(delivered) });
  assertEquals([end?.kind, end?.percent], ["end", 100]);
  const untold = { event: "sending", peer, handedOverBytes: 5, totalBytes: 10 };
  assertEquals(transcript.hear({ stream: "stdout", text: JSON.stringify(untold) })?.percent, 50);
});

Deno.test("BuiltinTranscript: delivered only as the last word of a process that ended well", () => {
  const table: readonly (readonly [readonly unknown[], ChildStatus, string])[] = [
    [[...STEPS, delivered], ZERO, "delivered"],
    [[delivered, "a line that is no event", "{}"], ZERO, "delivered"],
    [[delivered], { code: 1, signal: null }, "died"],
    [[delivered], { code: 143, signal: "SIGTERM" }, "died"],
    [[delivered, STEPS[9]], ZERO, "unproven"],
    [[delivered, refused], ZERO, "attestation-refused"],
    [[...STEPS], ZERO, "unproven"],
    [[], ZERO, "unproven"],
    [[refused], { code: 20, signal: null }, "attestation-refused"],
    [[refused], ZERO, "attestation-refused"],
    [[], { code: 2, signal: null }, "died"],
    [[{ ...delivered, receipt: "assumed" }], ZERO, "unproven"],
    [[{ ...delivered, sha256: "x" }], ZERO, "unproven"],
    [[{ ...delivered, bytes: -1 }], ZERO, "unproven"],
    [[{ ...refused, code: "fine" }], ZERO, "unproven"],
    [[`${JSON.stringify(delivered)}x`], ZERO, "unproven"],
  ];
  for (const [events, status, expected] of table) assertEquals(codeOf(judge(events, status)), expected);
  assertEquals(codeOf(judge([delivered], ZERO, "stderr")), "unproven");
});

Deno.test("BuiltinTranscript: a delivery carries its proof", () => {
  assertEquals(judge([delivered]), {
    kind: "delivered",
    receipt: true,
    peer,
    bytes: 10,
    sha256: hash,
    certificateSha256: hash,
  });
});

Deno.test("BuiltinTranscript: whatever is printed without the event, nothing is delivered", () => {
  fc.assert(
    fc.property(fc.array(fc.oneof(fc.string(), fc.json({ maxDepth: 2 })), { maxLength: 20 }), (lines) => {
      assert(judge(lines).kind === "failed");
    }),
    { seed: 11, numRuns: 500 },
  );
});
