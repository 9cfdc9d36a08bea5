/** Asks the device at the given address for `/info` and for an update, as a program of its own. */
import { denoWorld, systemClock } from "../../src/deno_world.ts";
import { parseDeviceAddress } from "../../src/device/device_address.ts";
import { DeviceClient } from "../../src/device/device_client.ts";

if (import.meta.main) {
  const log = { debug() {}, info() {}, warn() {}, error() {}, room: () => log };
  using http = denoWorld(log).openHttp({ proxy: "direct" });
  const address = parseDeviceAddress(Deno.args[0] ?? "");
  const device = new DeviceClient(address, { http, clock: systemClock, timeout: 5000 });
  const { signal } = new AbortController();
  console.log((await device.readInfo(signal)).kind);
  console.log((await device.requestUpdate("127.0.0.1", signal)).kind);
}
