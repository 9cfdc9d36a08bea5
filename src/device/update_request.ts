import type { HttpInit } from "../world.ts";
import { type DeviceAddress, formatDeviceAddress } from "./device_address.ts";

/** A request to a device, ready to be sent. */
export interface DeviceRequest {
  /** Where it goes. */
  readonly url: URL;
  /** Method, headers and body. */
  readonly init: Omit<HttpInit, "signal">;
}

/** The device keeps few sockets and small header buffers: say little and close at once. */
const HEADERS = { "connection": "close", "accept-encoding": "identity", "accept": "*/*" };

/** `GET /info`: what the device is and which version it runs. */
export function infoRequest(address: DeviceAddress): DeviceRequest {
  return { url: deviceUrl(address, "/info"), init: { method: "GET", headers: HEADERS } };
}

/** `GET /onboard`: the device's DICE certificate. */
export function onboardRequest(address: DeviceAddress): DeviceRequest {
  return { url: deviceUrl(address, "/onboard"), init: { method: "GET", headers: HEADERS } };
}

/**
 * `POST /update`, after which the device dials `agentIp`. The body is exactly `ip: A.B.C.D` without a newline
 * (ota-protocol.md, "Device HTTP"); `agentIp` must be a dotted IPv4 address: the device copies it unchecked.
 */
export function updateRequest(address: DeviceAddress, agentIp: string): DeviceRequest {
  if (!isDottedIpv4(agentIp)) {
    throw new TypeError(`Cannot announce '${agentIp}': it is not a dotted IPv4 address`);
  }
  return {
    url: deviceUrl(address, "/update"),
    init: { method: "POST", headers: { ...HEADERS, "content-type": "text/plain" }, body: `ip: ${agentIp}` },
  };
}

/** True for four decimal octets without leading zeros, the only form the device can copy safely. */
export function isDottedIpv4(text: string): boolean {
  const octet = "(?:25[0-5]|2[0-4][0-9]|1[0-9]{2}|[1-9]?[0-9])";
  return new RegExp(`^${octet}(?:\\.${octet}){3}$`).test(text);
}

function deviceUrl(address: DeviceAddress, path: string): URL {
  return new URL(path, `http://${formatDeviceAddress(address)}`);
}
