/** How a stand-in for the C agent may be. */
export type ClassicAgentBehaviour =
  | "faithful"
  /** Takes the device for false whatever the attestation server says; exit 0. */
  | "not verified"
  /** Says all a good run says, without a device; exit 0. */
  | "claims success"
  /** Exit 0 before it listens. */
  | "exits at once"
  /** As if somebody else had the port; 255. */
  | "port in use"
  /** Ends by SIGSEGV when the device has connected. */
  | "dies by a signal"
  /** Ends by SIGKILL when half of the firmware is sent. */
  | "dies mid-transfer"
  /** Control characters, invalid UTF-8 and a line of a megabyte first; then faithful. */
  | "garbage output"
  /** Faithful, but SIGTERM does not end it. */
  | "ignores SIGTERM"
  /** Faithful, but it never exits. */
  | "lingers";

/** Every {@linkcode ClassicAgentBehaviour}. */
export const classicAgentBehaviours: readonly ClassicAgentBehaviour[] = [
  "faithful",
  "not verified",
  "claims success",
  "exits at once",
  "port in use",
  "dies by a signal",
  "dies mid-transfer",
  "garbage output",
  "ignores SIGTERM",
  "lingers",
];
