import type { AgentFailureCode } from "../ota_agent/ota_agent_error.ts";
import type { ChildStatus } from "../world.ts";

/** How an agent process failed: the built-in agent's own codes, and what only its supervisor sees. */
export type AgentVerdictCode =
  | AgentFailureCode
  /** A variable is missing, or the program refused its arguments. */
  | "misconfigured"
  /** It was ended by a signal, or by a failure it had no words for. */
  | "died"
  /** It was ended because its time was over. */
  | "deadline"
  /** It ended as if all were well and did not say what proves it. */
  | "unproven";

/** What an agent process achieved, by evidence only. */
export type AgentVerdict = DeliveredVerdict | FailedVerdict;

/** The agent says that the firmware was sent to an attested device. */
export interface DeliveredVerdict {
  /** Discriminates the two. */
  readonly kind: "delivered";
  /** Whether the device was seen to take everything; the classic agent hands over and looks no further. */
  readonly receipt: boolean;
  /** Bytes of the image, where the agent tells. */
  readonly bytes?: number;
  /** Lower-case hexadecimal digest of the bytes sent, where the agent tells. */
  readonly sha256?: string;
  /** Lower-case hexadecimal fingerprint of the device's certificate, where the agent tells. */
  readonly certificateSha256?: string;
  /** `address:port` of the device, where the agent tells. */
  readonly peer?: string;
}

/** The firmware was not sent, or nothing proves that it was. */
export interface FailedVerdict {
  /** Discriminates the two. */
  readonly kind: "failed";
  /** Which failure. */
  readonly code: AgentVerdictCode;
  /** One sentence. */
  readonly message: string;
}

/** Something an agent's output says of its progress. */
export interface AgentSign {
  /** What it is about. */
  readonly kind:
    | "listening"
    | "dialled"
    | "handshake"
    | "certificate"
    | "attested"
    | "sending"
    | "half-closed"
    | "stranger"
    | "retry"
    | "warning"
    | "end";
  /** The line, or what it says in words. */
  readonly detail: string;
  /** Of the image: what the device has acknowledged where that is told, else what was handed over for it. */
  readonly percent?: number;
}

/** One line of an agent's output. */
export interface AgentLine {
  /** Which of its pipes it came from. */
  readonly stream: "stdout" | "stderr";
  /** Without its end, neutralised. */
  readonly text: string;
}

/** What an agent has said so far. Either dialect hears lines one by one and judges when the process has ended. */
export interface AgentTranscript {
  /** What the line says of the agent's progress, if anything. */
  hear(line: AgentLine): AgentSign | undefined;
  /** The verdict, given how the process ended. */
  verdict(status: ChildStatus): AgentVerdict;
}

/** The verdict on a process whose end contradicts or lacks a proof. `undefined`: it ended by itself with 0. */
export function judgeStatus(status: ChildStatus): FailedVerdict | undefined {
  if (status.signal !== null) {
    return failed(
      "died",
      `Cannot rely on the agent: it was ended by ${status.signal}, an orderly end is needed`,
    );
  }
  if (status.code === 0) return undefined;
  return failed("died", `Cannot rely on the agent: it ended with status ${status.code}, 0 is needed`);
}

/** A failed verdict. */
export function failed(code: AgentVerdictCode, message: string): FailedVerdict {
  return { kind: "failed", code, message };
}
