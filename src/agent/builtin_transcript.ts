import * as v from "valibot";
import type { AgentFailureCode } from "../ota_agent/ota_agent_error.ts";
import type { ChildStatus } from "../world.ts";
import {
  type AgentLine,
  type AgentSign,
  type AgentTranscript,
  type AgentVerdict,
  failed,
  judgeStatus,
} from "./agent_transcript.ts";

const FAILURE_CODES = [
  "listen-failed",
  "bad-key-pair",
  "firmware-unreadable",
  "never-dialled",
  "tls-refused",
  "wrong-device",
  "certificate-invalid",
  "attestation-refused",
  "attestation-unavailable",
  "transfer-broken",
  "stopped",
] as const satisfies readonly AgentFailureCode[];

const Bytes = v.pipe(v.number(), v.safeInteger(), v.minValue(0));
const Sha256 = v.pipe(v.string(), v.regex(/^[0-9a-f]{64}$/));
const Words = v.pipe(v.string(), v.maxLength(9000));

/** The events that are looked at; each is one line of JSON on stdout. */
const EventLine = v.variant("event", [
  v.object({ event: v.literal("listening"), port: Bytes }),
  v.object({ event: v.literal("warning"), message: Words }),
  v.object({ event: v.literal("stranger"), peer: Words, reason: Words, suppressed: Bytes }),
  v.object({ event: v.literal("handshake"), peer: Words }),
  v.object({ event: v.literal("certificate"), peer: Words, sha256: Sha256, bytes: Bytes }),
  v.object({ event: v.literal("dialled"), peer: Words, identifiedBy: Words }),
  v.object({ event: v.literal("attested"), peer: Words, ahead: v.boolean(), ms: v.number() }),
  v.object({
    event: v.literal("sending"),
    peer: Words,
    handedOverBytes: Bytes,
    acknowledgedBytes: v.optional(Bytes),
    totalBytes: Bytes,
  }),
  v.object({ event: v.literal("half-closed"), peer: Words }),
  v.object({ event: v.literal("retry"), peer: Words, code: Words, message: Words }),
  v.object({
    event: v.literal("delivered"),
    peer: Words,
    bytes: Bytes,
    sha256: Sha256,
    certificateSha256: Sha256,
    receipt: v.picklist(["acknowledged", "closed"]),
  }),
  v.object({ event: v.literal("failed"), code: v.picklist(FAILURE_CODES), message: Words }),
]);

type EventLine = v.InferOutput<typeof EventLine>;

/** Hears our own agent. */
export class BuiltinTranscript implements AgentTranscript {
  #last: EventLine | undefined;

  /** What an event says; other lines, and anything on stderr, say nothing. */
  hear({ stream, text }: AgentLine): AgentSign | undefined {
    const event = stream === "stdout" ? parseEventLine(text) : undefined;
    if (event === undefined) return undefined;
    this.#last = event;
    return signOf(event);
  }

  /** Delivered only if that is the last word, and the process ended by itself with 0. */
  verdict(status: ChildStatus): AgentVerdict {
    const last = this.#last;
    if (last?.event === "failed") return failed(last.code, last.message);
    const ended = judgeStatus(status);
    if (ended !== undefined) return ended;
    if (last?.event === "delivered") {
      const { peer, bytes, sha256, certificateSha256 } = last;
      return { kind: "delivered", receipt: true, peer, bytes, sha256, certificateSha256 };
    }
    return failed(
      "unproven",
      "Cannot tell that the device was updated: the agent ended with status 0 and without a receipt",
    );
  }
}

/** The line comes from another process, so it is parsed once, here; what is no event is `undefined`. */
function parseEventLine(text: string): EventLine | undefined {
  if (!text.startsWith("{")) return undefined;
  try {
    const parsed = v.safeParse(EventLine, JSON.parse(text));
    return parsed.success ? parsed.output : undefined;
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
}

function signOf(event: EventLine): AgentSign | undefined {
  switch (event.event) {
    case "listening":
      return { kind: "listening", detail: `listening on port ${event.port}` };
    case "warning":
      return { kind: "warning", detail: event.message };
    case "stranger": {
      const more = event.suppressed > 0 ? ` (${event.suppressed} others not shown)` : "";
      return { kind: "stranger", detail: `turned ${event.peer} away: ${event.reason}${more}` };
    }
    case "handshake":
      return { kind: "handshake", detail: `${event.peer} accepted our certificate` };
    case "certificate":
      return { kind: "certificate", detail: `${event.peer} presents certificate ${event.sha256}` };
    case "dialled":
      return {
        kind: "dialled",
        detail: `the device dialled from ${event.peer}, known by ${event.identifiedBy}`,
      };
    case "attested":
      return {
        kind: "attested",
        detail: event.ahead ? "attested ahead of time" : `attested in ${event.ms} ms`,
      };
    case "sending": {
      const { acknowledgedBytes, handedOverBytes, totalBytes } = event;
      const percent = Math.floor(100 * (acknowledgedBytes ?? handedOverBytes) / Math.max(1, totalBytes));
      const detail = acknowledgedBytes === undefined
        ? `${handedOverBytes} of ${totalBytes} bytes handed over, the system does not tell what arrived`
        : `${acknowledgedBytes} of ${totalBytes} bytes acknowledged`;
      return { kind: "sending", detail, percent };
    }
    case "half-closed":
      return { kind: "half-closed", detail: "everything is handed over, waiting for the device's close" };
    case "retry":
      return { kind: "retry", detail: event.message };
    case "delivered":
      return {
        kind: "end",
        detail: `the device took ${event.bytes} bytes and closed in order (${event.receipt})`,
        percent: 100,
      };
    case "failed":
      return { kind: "end", detail: event.message };
  }
}
