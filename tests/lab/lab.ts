/**
 * Leaves registry, device and attestation server running on loopback and says how to flash the device.
 *
 *     deno task lab
 *
 * @module
 */
import { startLab, stopSignal } from "./lab_world.ts";

if (import.meta.main) {
  const stop = stopSignal();
  await using lab = await startLab({
    size: 1_000_000,
    timings: "faithful",
    onDeviceEvent: ({ name, detail }) =>
      console.log(`device   ${detail === "" ? name : `${name}: ${detail}`}`),
  });
  console.log(
    `The lab runs, as fast as the real things do: an esp32s3 with version ${lab.device.running.version}.
Flash it from another terminal; ctrl-c here ends the lab.
Without Deno installed, say npx -y deno@${Deno.version.deno} where it says deno.

  deno task flash --firmware ${lab.reference} --device esp32s3 --host ${lab.device.endpoint} \\
    --agent-ip 127.0.0.1 --agent-port ${lab.agentPort} --attestation-url ${lab.attestation.url} \\
    --server-crt ${lab.directory}/server.crt --server-key ${lab.directory}/server.key \\
    --registry-config ${lab.directory}
`,
  );
  if (!stop.aborted) await new Promise((resolve) => stop.addEventListener("abort", resolve));
}
