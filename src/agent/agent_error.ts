import { CodedError } from "../coded_error.ts";

/** Why an agent process never became ready; nothing was told to the device then. */
export type AgentErrorCode =
  /** Something else listens on the port already. */
  | "port-in-use"
  /** The program is not there, or may not be run. */
  | "cannot-start"
  /** It ended before it listened. */
  | "exited-early"
  /** It did not listen in time. */
  | "never-ready"
  /** It was stopped before it listened. */
  | "stopped";

/** Thrown when an agent process cannot be made ready. */
export class AgentError extends CodedError<AgentErrorCode> {}
