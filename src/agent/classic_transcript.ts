/**
 * What the lines of the C ota-agent mean. Its exit status is 0 in almost every case, so that success is proven only
 * by two lines, in this order: `Verified device`, `Firmware sent to IoT`.
 *
 * @module
 */
import type { ChildStatus } from "../world.ts";
import {
  type AgentLine,
  type AgentSign,
  type AgentTranscript,
  type AgentVerdict,
  type AgentVerdictCode,
  failed,
  judgeStatus,
} from "./agent_transcript.ts";

/** What one line means. */
interface Meaning {
  readonly pattern: RegExp;
  readonly sign?: AgentSign["kind"];
  readonly proof?: "verified" | "sent";
  readonly failure?: AgentVerdictCode;
  /** Evidence that matters only when nothing stronger is said. */
  readonly weak?: true;
}

/** mbedTLS: the peer sent a fatal alert, as a device does that has another certificate pinned. */
const FATAL_ALERT = "-0x7780";

/** Every line of the protocol's list. What is not here proves nothing. */
const MEANINGS: readonly Meaning[] = [
  { pattern: /^Reading new firmware from: / },
  { pattern: /^Dice Attestation Server: / },
  { pattern: /^Reading server's certificate from: / },
  { pattern: /^Reading server's private key from: / },
  { pattern: /^OTA Type: / },
  { pattern: /^Server is listening on port \d+$/, sign: "listening" },
  { pattern: /^Waiting for a connection\.\.\.$/ },
  { pattern: /^Client connected$/ },
  { pattern: /^TLS connection established$/, sign: "handshake" },
  { pattern: /^About to receive the certificate\.\.$/ },
  { pattern: /^Success: Received \d+ bytes$/ },
  { pattern: /^Received certificate, \d+ bytes$/, sign: "certificate" },
  { pattern: /^\{.*"Certificate OK".*\}$/ },
  { pattern: /^\{.*"Certificate Invalid".*\}$/, failure: "attestation-refused" },
  { pattern: /^Verified device$/, proof: "verified", sign: "attested" },
  { pattern: /^Attemting to send the firmware\.\.$/ },
  { pattern: /^Firmware sent to IoT$/, proof: "sent", sign: "half-closed" },
  { pattern: /^`apply_ota\(\)` returned$/ },

  { pattern: /^curl_easy_perform\(\) failed: /, failure: "attestation-unavailable" },
  { pattern: /^Failed to initialize curl$/, failure: "attestation-unavailable" },
  // Also said when there was no verdict: only the server's own words tell a refusal.
  { pattern: /^Not verified device$/, failure: "attestation-unavailable", weak: true },
  { pattern: /^Max retry time exceeded, aborting\.$/, failure: "transfer-broken" },
  { pattern: /^Connection closed before sending the new firmware$/, failure: "transfer-broken" },
  { pattern: /^Error: File opening failed: /, failure: "firmware-unreadable" },
  { pattern: /^Could not apply OTA$/, failure: "transfer-broken", weak: true },
  { pattern: /^Error: Timeout reached before receiving enough data$/, failure: "certificate-invalid" },
  { pattern: /^Error: Connection closed before receiving enough data$/, failure: "certificate-invalid" },
  { pattern: /^Error: Connection closed unexpectedly$/, failure: "certificate-invalid" },
  { pattern: /^Failed to read from client: -0x[0-9A-Fa-f]+$/, failure: "certificate-invalid", weak: true },
  { pattern: /^Conversion failed$/, failure: "certificate-invalid" },
  { pattern: /^Error reading DER buffer/, failure: "certificate-invalid" },
  { pattern: /^\w+ is not set - Please set /, failure: "misconfigured" },
  { pattern: /^Either CONTAINER_IMG or NEW_FIRMWARE_PATH /, failure: "misconfigured" },
  {
    pattern: /^Failed to load (server certificate|server private key|certificate or key): /,
    failure: "bad-key-pair",
  },
  { pattern: /^Failed to bind to port \d+: /, failure: "listen-failed" },
  { pattern: /^Failed to (seed RNG|set SSL configuration): /, failure: "died" },
  // A stranger's failed handshake stops nothing; an alert may be the device's.
  {
    pattern: new RegExp(`^Failed to perform SSL handshake: ${FATAL_ALERT}$`),
    failure: "tls-refused",
    weak: true,
    sign: "stranger",
  },
  { pattern: /^Failed to (perform SSL handshake|accept connection|setup SSL): /, sign: "stranger" },
];

/** What the agent's own words leave open. */
const EXPLANATIONS: Partial<Record<AgentVerdictCode, string>> = {
  "certificate-invalid":
    "; who dialled first sent no usable certificate, and this agent serves nobody else: the built-in one does",
};

/** Hears the C ota-agent. */
export class ClassicTranscript implements AgentTranscript {
  #isVerified = false;
  #isSent = false;
  #failure: { readonly code: AgentVerdictCode; readonly line: string; readonly isWeak: boolean } | undefined;

  /** What the line says; progress is `Sent: N%`. */
  hear({ text }: AgentLine): AgentSign | undefined {
    const percent = /^Sent: (\d{1,3})%$/.exec(text)?.[1];
    if (percent !== undefined) return { kind: "sending", detail: text, percent: Number(percent) };
    const meaning = MEANINGS.find(({ pattern }) => pattern.test(text));
    if (meaning === undefined) return undefined;
    if (meaning.proof === "verified") this.#isVerified = true;
    if (meaning.proof === "sent" && this.#isVerified) this.#isSent = true;
    if (meaning.failure !== undefined && (this.#failure === undefined || this.#failure.isWeak)) {
      this.#failure = { code: meaning.failure, line: text, isWeak: meaning.weak === true };
    }
    return meaning.sign === undefined ? undefined : { kind: meaning.sign, detail: text };
  }

  /** Delivered only if both proofs are there, nothing contradicts them, and it ended by itself with 0. */
  verdict(status: ChildStatus): AgentVerdict {
    const failure = this.#failure;
    const isRefusalBefore = failure?.code === "tls-refused" && this.#isSent;
    if (failure !== undefined && !isRefusalBefore) {
      return failed(
        failure.code,
        `Cannot update the device: the agent said '${failure.line}'${EXPLANATIONS[failure.code] ?? ""}`,
      );
    }
    const ended = judgeStatus(status);
    if (ended !== undefined) return ended;
    if (this.#isSent) return { kind: "delivered", receipt: false };
    return failed(
      "unproven",
      "Cannot tell that the device was updated: the agent ended with status 0 and without 'Verified device' " +
        "and 'Firmware sent to IoT'",
    );
  }
}
