import type { Command } from "./command.ts";
/** x */
export const inspectCommand: Command = {
  usage: "",
  about: "",
  options: [],
  positionals: [],
  run: () => Promise.resolve(1),
};
