import { denoWorld } from "../../src/deno_world.ts";
import type { AgentEnd, AgentEvent } from "../../src/ota_agent/agent_event.ts";
import { type OtaAgentSettings, runOtaAgent } from "../../src/ota_agent/ota_agent.ts";
import type { Log, World } from "../../src/world.ts";
import { type ServerPair, serverPair } from "../builders/certificates.ts";

/** A log that keeps nothing. */
export const quietLog: Log = {
  debug: () => undefined,
  info: () => undefined,
  warn: () => undefined,
  error: () => undefined,
  room: () => quietLog,
};

/** A running built-in agent of a test. */
export interface AgentRun extends AsyncDisposable {
  readonly events: AgentEvent[];
  readonly end: Promise<AgentEnd>;
  /** Rejects when the agent ends without listening. */
  readonly port: Promise<number>;
  stop(): void;
}

/** What a test gives its agent. */
export type AgentRunOptions = Partial<OtaAgentSettings> & {
  readonly image: Uint8Array;
  readonly pair?: ServerPair;
  readonly world?: World;
};

/** Runs the built-in agent in this process on a port of its choice, with its files in a directory of its own. */
export async function startOtaAgent(options: AgentRunOptions): Promise<AgentRun> {
  const { image, pair = await serverPair(), world = denoWorld(quietLog), ...settings } = options;
  const directory = await Deno.makeTempDir();
  const paths = {
    firmwarePath: `${directory}/firmware.bin`,
    certificatePath: `${directory}/server.crt`,
    keyPath: `${directory}/server.key`,
  };
  await Deno.writeFile(paths.firmwarePath, image);
  await Deno.writeTextFile(paths.certificatePath, pair.certificate);
  await Deno.writeTextFile(paths.keyPath, pair.key);
  const events: AgentEvent[] = [];
  const stop = new AbortController();
  const port = Promise.withResolvers<number>();
  const end = runOtaAgent(
    {
      ...paths,
      attestationUrl: new URL("http://127.0.0.1:1/"),
      hostname: "127.0.0.1",
      port: 0,
      dialInTimeout: 10_000,
      attestationTimeout: 1_000,
      transferIdleTimeout: 2_000,
      redialTimeout: 300,
      timeout: 20_000,
      ...settings,
    },
    world,
    {
      signal: stop.signal,
      onEvent: (event) => {
        events.push(event);
        if (event.event === "listening") port.resolve(event.port);
      },
    },
  );
  end.then(
    (ended) => port.reject(new Error(`Cannot listen: ${JSON.stringify(ended)}`)),
    (error) => port.reject(error),
  );
  port.promise.catch(() => undefined);
  return {
    events,
    end,
    port: port.promise,
    stop: () => stop.abort(),
    async [Symbol.asyncDispose]() {
      stop.abort();
      await end;
      await Deno.remove(directory, { recursive: true });
    },
  };
}
