import type { Command } from "./command.ts";
/** x */
export const certsCommand: Command = {
  usage: "",
  about: "",
  options: [],
  positionals: [],
  run: () => Promise.resolve(1),
};
