import type { Command } from "./command.ts";
/** x */
export const inspectCommand: Command = { name: "inspect", summary: "", usage: "", about: "", options: [], positionals: [], run: () => Promise.resolve(1) };
