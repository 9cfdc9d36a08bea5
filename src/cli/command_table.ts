import type { Command } from "./command.ts";

/** One row of the table of commands: all that is known of a command before it is loaded. */
export interface CommandEntry {
  /** As typed, for example `pull`. */
  readonly name: string;
  /** One sentence for the list of commands. */
  readonly summary: string;
  /** Loads what this command needs, and nothing that only others need. */
  readonly load: () => Promise<Command>;
}

/** What a line without a command means, as the operator starts us. */
export const DEFAULT_COMMAND: CommandEntry = {
  name: "flash",
  summary: "Update one device and prove it (the default)",
  load: async () => (await import("./flash_command.ts")).flashCommand,
};

/** Every command, in the order of the help. A pod's start-up pays for one of them only. */
export const COMMANDS: readonly CommandEntry[] = [
  DEFAULT_COMMAND,
  {
    name: "pull",
    summary: "Pull the firmware of one device into a file, verified",
    load: async () => (await import("./pull_command.ts")).pullCommand,
  },
  {
    name: "inspect",
    summary: "Show what an image or a firmware file holds, and what flash would say of it",
    load: async () => (await import("./inspect_command.ts")).inspectCommand,
  },
  {
    name: "agent",
    summary: "Be the OTA agent: attest the device that dials, send it one image",
    load: async () => (await import("./ota_agent_command.ts")).otaAgentCommand,
  },
  {
    name: "certs",
    summary: "Make the authority that devices pin, and certificates for the agent",
    load: async () => (await import("./certs_command.ts")).certsCommand,
  },
];
