import { formatDeviceAddress, parseDeviceAddress } from "../device/device_address.ts";
import { isDottedIpv4 } from "../device/update_request.ts";
import { withoutUser } from "../without_user.ts";
import { parseAttestationUrl } from "./attestation_url.ts";
import { type Faults, parsePort, type Setting, type Settings } from "./option.ts";

const ATTESTATION_PORT = "8000";

/**
 * The device's address. Akri injects one suffixed variable per device instance: with several different values any
 * choice of ours could flash the wrong device, so that is a fault.
 */
export function findHost(settings: Settings, faults: Faults): Setting | undefined {
  const exact = settings.find("host");
  if (exact !== undefined) return exact;
  const suffixed = Object.entries(settings.environment)
    .filter(([name]) => /^HOST_ENDPOINT_./.test(name))
    .map(([from, value]) => ({ from, value: value?.trim() ?? "" }))
    .filter(({ value }) => value !== "")
    .sort((left, right) => left.from < right.from ? -1 : 1);
  if (new Set(suffixed.map(({ value }) => deviceOf(value))).size > 1) {
    const list = suffixed.map(({ from, value }) => `${from}=${withoutUser(value)}`).join(", ");
    faults.add(`Several devices are given: ${list}; wanted exactly one, set HOST_ENDPOINT or --host`);
    return suffixed[0];
  }
  const host = settings.environment["HOST"]?.trim();
  return suffixed[0] ?? (host ? { from: "HOST", value: host } : undefined);
}

/** One form for all the ways of writing the address of a device; what cannot be read stays as it is. */
function deviceOf(text: string): string {
  try {
    return formatDeviceAddress(parseDeviceAddress(text));
  } catch {
    return text;
  }
}

/** Reads the address that a device is told to dial. Throws `SyntaxError`. */
export function parseAgentIp(text: string): string {
  if (!isDottedIpv4(text)) {
    throw new SyntaxError(
      `Cannot announce '${
        withoutUser(text)
      }': wanted a dotted IPv4 address, the device can copy nothing else`,
    );
  }
  const first = Number(text.split(".")[0]);
  if (first === 0 || first >= 224) {
    throw new SyntaxError(`Cannot announce '${text}': no host can have this address`);
  }
  return text;
}

/** The attestation server, by its URL or by the variables that Kubernetes sets for its Service. */
export function readAttestationUrl(settings: Settings, faults: Faults): URL | undefined {
  const given = settings.find("attestation-url");
  if (given !== undefined) return faults.collect(given, parseAttestationUrl);
  const host = settings.environment["DICE_AUTH_SERVICE_SERVICE_HOST"]?.trim();
  if (!host) {
    faults.add(
      "No attestation server is given: wanted --attestation-url, DICE_AUTH_URL, or DICE_AUTH_SERVICE_SERVICE_HOST " +
        "(set by Kubernetes when Service dice-auth-service is in the namespace and older than the pod)",
    );
    return undefined;
  }
  const port = faults.collect({
    value: settings.environment["DICE_AUTH_SERVICE_SERVICE_PORT"]?.trim() || ATTESTATION_PORT,
    from: "DICE_AUTH_SERVICE_SERVICE_PORT",
  }, parsePort);
  const name = host.includes(":") && !host.startsWith("[") ? `[${host}]` : host;
  return faults.collect(
    { value: `http://${name}:${port ?? ATTESTATION_PORT}`, from: "DICE_AUTH_SERVICE_SERVICE_HOST" },
    parseAttestationUrl,
  );
}
