import type { AgentCommandSettings } from "../../src/agent/agent_command.ts";
import { serverPair } from "../builders/certificates.ts";

/** Files of an agent in a directory that goes away when disposed. */
export interface AgentFiles extends AsyncDisposable {
  readonly directory: string;
  readonly paths: Pick<AgentCommandSettings, "firmwarePath" | "certificatePath" | "keyPath">;
}

/** Writes what an agent needs. */
export async function agentFiles(image: Uint8Array): Promise<AgentFiles> {
  const directory = await Deno.makeTempDir();
  const pair = await serverPair();
  const paths = {
    firmwarePath: `${directory}/firmware.bin`,
    certificatePath: `${directory}/server.crt`,
    keyPath: `${directory}/server.key`,
  };
  await Deno.writeFile(paths.firmwarePath, image);
  await Deno.writeTextFile(paths.certificatePath, pair.certificate);
  await Deno.writeTextFile(paths.keyPath, pair.key);
  return {
    directory,
    paths,
    async [Symbol.asyncDispose]() {
      await Deno.remove(directory, { recursive: true });
    },
  };
}
