/**
 * The built-in agent as a program of its own, with the contract that the supervisor relies on: four variables, the
 * port as `--port N`, one JSON event a line on stdout, status 0 only when the firmware was delivered.
 *
 * @module
 */
import { denoWorld } from "../../src/deno_world.ts";
import { runOtaAgent } from "../../src/ota_agent/ota_agent.ts";
import { quietLog } from "../ota_agent/agent_run.ts";

const stop = new AbortController();
const onStop = (): void => stop.abort();
Deno.addSignalListener("SIGTERM", onStop);
const end = await runOtaAgent(
  {
    firmwarePath: Deno.env.get("NEW_FIRMWARE_PATH") ?? "",
    attestationUrl: new URL(Deno.env.get("DICE_AUTH_URL") ?? ""),
    certificatePath: Deno.env.get("SERVER_CRT_PATH") ?? "",
    keyPath: Deno.env.get("SERVER_KEY_PATH") ?? "",
    hostname: "127.0.0.1",
    port: Number(Deno.args[Deno.args.indexOf("--port") + 1]),
    dialInTimeout: 20_000,
    attestationTimeout: 2_000,
    transferIdleTimeout: 2_000,
    redialTimeout: 300,
    timeout: 30_000,
  },
  denoWorld(quietLog),
  { signal: stop.signal, onEvent: (event) => console.log(JSON.stringify(event)) },
);
Deno.removeSignalListener("SIGTERM", onStop);
Deno.exitCode = end.kind === "delivered" ? 0 : 1;
