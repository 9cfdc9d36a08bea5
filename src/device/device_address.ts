import { CodedError } from "../coded_error.ts";
import { withoutUser } from "../without_user.ts";
import { isDottedIpv4 } from "./update_request.ts";

/** Where the HTTP server of a device listens. */
export interface DeviceAddress {
  /** Host name, IPv4 address, or IPv6 address without brackets. */
  readonly hostname: string;
  /** TCP port, 80 unless given. */
  readonly port: number;
}

/** A device address that cannot be understood. */
export class DeviceAddressError extends CodedError<"bad-address"> {}

/**
 * Reads `ip[:port]`, `name[:port]`, `[ipv6][:port]` or an http URL without path, query and user.
 *
 * Throws {@linkcode DeviceAddressError} with what is wrong.
 *
 * @example
 * parseDeviceAddress("192.168.11.20"); // { hostname: "192.168.11.20", port: 80 }
 */
export function parseDeviceAddress(text: string): DeviceAddress {
  const refuse = (found: string): never => {
    throw new DeviceAddressError(
      "bad-address",
      `Cannot use '${
        withoutUser(text)
      }' as a device address: ${found}, wanted ip[:port], name[:port] or http://host[:port]`,
    );
  };
  if (/^https:/i.test(text)) refuse("the device speaks plain HTTP only");
  const url = URL.parse(/^[a-z][a-z0-9+.-]*:\/\//i.test(text) ? text : `http://${text}`);
  if (url === null || /\s/.test(text)) return refuse("it is not an address");
  if (url.protocol !== "http:") refuse(`its scheme is '${url.protocol}'`);
  if (url.username !== "" || url.password !== "") refuse("it holds a user name or password");
  if (url.pathname !== "/" || url.search !== "" || url.hash !== "") refuse("it holds a path or query");
  // URLs complete short addresses and read leading zeros as octal: `192.168.11` would lead to another device.
  if (isDottedIpv4(url.hostname) && !writtenHost(text).startsWith(url.hostname)) {
    refuse(`it would be read as ${url.hostname}`);
  }
  if (url.port === "0") refuse("no device listens on port 0");
  return { hostname: url.hostname.replace(/^\[(.*)\]$/, "$1"), port: Number(url.port || 80) };
}

/** What follows the scheme. */
function writtenHost(text: string): string {
  return text.replace(/^http:\/\//i, "");
}

/** The address as `host:port`, with brackets around IPv6. */
export function formatDeviceAddress(address: DeviceAddress): string {
  const host = address.hostname.includes(":") ? `[${address.hostname}]` : address.hostname;
  return `${host}:${address.port}`;
}

/** True for addresses that lead to this machine itself. */
export function isLoopback(hostname: string): boolean {
  return isDottedIpv4(hostname)
    ? hostname.startsWith("127.")
    : /^::1$|^localhost\.?$|\.localhost\.?$/i.test(hostname);
}
