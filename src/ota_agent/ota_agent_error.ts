import { CodedError } from "../coded_error.ts";

/** Everything that keeps the built-in agent from delivering the firmware. */
export type AgentFailureCode =
  | "listen-failed"
  | "bad-key-pair"
  | "firmware-unreadable"
  | "never-dialled"
  | "tls-refused"
  | "wrong-device"
  | "certificate-invalid"
  | "attestation-refused"
  | "attestation-unavailable"
  | "transfer-broken"
  | "stopped";

/** Why a session, or the whole run, of the built-in agent failed. */
export class OtaAgentError extends CodedError<AgentFailureCode> {}
