import type { AgentFailureCode } from "../ota_agent/ota_agent_error.ts";
import type { Outcome } from "./job_outcome.ts";

/** What the failures of an agent mean for the job. */
export const AGENT_OUTCOMES: Record<AgentFailureCode, Outcome> = {
  "listen-failed": "agent-failed",
  "bad-key-pair": "agent-failed",
  "firmware-unreadable": "agent-failed",
  "never-dialled": "device-never-dialled",
  "tls-refused": "tls-refused",
  "wrong-device": "wrong-device",
  // Without a usable certificate the attestation server was never asked, so nothing was refused or unavailable.
  "certificate-invalid": "device-never-dialled",
  "attestation-refused": "attestation-refused",
  "attestation-unavailable": "attestation-unavailable",
  "transfer-broken": "transfer-broken",
  "stopped": "agent-failed",
};
