import { LimitedBytesTransformStream } from "@std/streams/limited-bytes-transform-stream";
import { DeadlineError, within } from "../deadline.ts";
import { networkFault } from "../network_fault.ts";
import type { Clock, HttpClient } from "../world.ts";
import { type DeviceAddress, formatDeviceAddress } from "./device_address.ts";
import { DeviceError } from "./device_error.ts";
import { type DeviceInfo, parseDeviceInfo } from "./device_info.ts";
import {
  type DeviceRequest,
  infoRequest,
  isDottedIpv4,
  onboardRequest,
  updateRequest,
} from "./update_request.ts";

/** One look at `/info`. */
export type InfoReading =
  | { readonly kind: "info"; readonly info: DeviceInfo }
  /** An HTTP server answered, but it has no usable `/info`. */
  | { readonly kind: "absent"; readonly found: string }
  /** No HTTP answer. */
  | { readonly kind: "silent"; readonly found: string; readonly sign: SilenceSign };

/**
 * What a silence shows all the same. `refused`: the machine is up and nothing listens; `nothing`: no sign of it came
 * back; `stalled`: the connection stood and no answer came in time, as of a device that is busy; `broken`: something
 * is there, but the exchange broke off.
 */
export type SilenceSign = "refused" | "nothing" | "stalled" | "broken";

/** What `/onboard` gave. */
export type CertificateReading =
  | { readonly kind: "certificate"; readonly bytes: Uint8Array }
  | { readonly kind: "none"; readonly found: string };

/** What the device said to the update request. */
export type UpdateReply =
  | { readonly kind: "accepted"; readonly text: string }
  /** The request may have arrived, the reply did not: the device may dial all the same. */
  | { readonly kind: "unanswered"; readonly found: string };

/** How to reach one device. */
export interface DeviceClientOptions {
  /** Reaches the device, never through a proxy. */
  readonly http: HttpClient;
  /** Measures the deadline. */
  readonly clock: Clock;
  /** Milliseconds for one request, headers and body. */
  readonly timeout: number;
}

/** The largest `/info` is 100 bytes; an HTML page in its place still fits for the message. */
const MAX_INFO_BYTES = 4096;
/** A DICE certificate has 727 bytes at most, 1 kB as PEM; chains and surprises included. */
const MAX_CERTIFICATE_BYTES = 8192;
/** The firmware answers with one line of some 50 bytes. */
const MAX_REPLY_BYTES = 4096;

/** Speaks to the HTTP server of one device. Nothing is ever sent twice. */
export class DeviceClient {
  readonly #address: DeviceAddress;
  readonly #options: DeviceClientOptions;
  #ipv4: string | undefined;

  /** Does nothing yet. */
  constructor(address: DeviceAddress, options: DeviceClientOptions) {
    this.#address = address;
    this.#options = options;
  }

  /** The dotted IPv4 address at which it was last reached. */
  get ipv4(): string | undefined {
    return this.#ipv4;
  }

  /** Reads `/info`. Rejects only when `signal` is aborted: a device without it is a reading too. */
  async readInfo(signal: AbortSignal): Promise<InfoReading> {
    const sent = new SentRequest(infoRequest(this.#address));
    try {
      const { status, body } = await this.#exchange(sent, MAX_INFO_BYTES, signal);
      if (status !== 200) return { kind: "absent", found: `HTTP ${status}` };
      const info = parseDeviceInfo(new TextDecoder().decode(body));
      return info === undefined
        ? { kind: "absent", found: `an answer that is not the /info document (${body.length} bytes)` }
        : { kind: "info", info };
    } catch (error) {
      signal.throwIfAborted();
      if (error instanceof RangeError) return { kind: "absent", found: `more than ${MAX_INFO_BYTES} bytes` };
      return { kind: "silent", found: faultText(error), sign: signOf(error, sent.isConnected) };
    }
  }

  /**
   * Fetches the DICE certificate from `/onboard`, DER or PEM as the firmware gives it. Rejects only when `signal` is
   * aborted: whatever else goes wrong, the device goes unidentified ahead of time and the caller says so.
   */
  async readCertificate(signal: AbortSignal): Promise<CertificateReading> {
    try {
      const sent = new SentRequest(onboardRequest(this.#address));
      const { status, body } = await this.#exchange(sent, MAX_CERTIFICATE_BYTES, signal);
      if (status !== 200) return { kind: "none", found: `HTTP ${status}` };
      return body.length > 0
        ? { kind: "certificate", bytes: body }
        : { kind: "none", found: "an empty answer" };
    } catch (error) {
      signal.throwIfAborted();
      if (error instanceof RangeError) {
        return { kind: "none", found: `more than ${MAX_CERTIFICATE_BYTES} bytes` };
      }
      return { kind: "none", found: faultText(error) };
    }
  }

  /**
   * Sends the one `POST /update`.
   *
   * Throws {@linkcode DeviceError}: `unreachable` when it cannot have arrived, `refused` for an HTTP error,
   * `insecure` when the firmware will not dial the agent.
   */
  async requestUpdate(agentIp: string, signal: AbortSignal): Promise<UpdateReply> {
    const where = formatDeviceAddress(this.#address);
    const sent = new SentRequest(updateRequest(this.#address, agentIp));
    let reply: { readonly status: number; readonly body: Uint8Array };
    try {
      reply = await this.#exchange(sent, MAX_REPLY_BYTES, signal);
    } catch (error) {
      signal.throwIfAborted();
      // A device that is switched off often leaves no other trace than that no connection ever stood.
      if (!sent.isConnected) {
        throw new DeviceError(
          "unreachable",
          `Cannot ask '${where}' to update: ${faultText(error)}, wanted an answer to POST /update`,
          { cause: error },
        );
      }
      return { kind: "unanswered", found: faultText(error) };
    }
    const text = printable(new TextDecoder().decode(reply.body));
    if (reply.status !== 200) {
      throw new DeviceError(
        "refused",
        `Cannot update '${where}': it answered HTTP ${reply.status} '${text}' to POST /update, wanted 200`,
      );
    }
    if (/insecure/i.test(text)) {
      throw new DeviceError(
        "insecure",
        `Cannot update '${where}': it answered '${text}' and will wait on its port 3333 instead of dialling the ` +
          "agent, wanted firmware built for secure updates",
      );
    }
    return { kind: "accepted", text };
  }

  async #exchange(
    sent: SentRequest,
    limit: number,
    signal: AbortSignal,
  ): Promise<{ status: number; body: Uint8Array }> {
    const { clock, timeout, http } = this.#options;
    const onConnect = (address: string | undefined): void => {
      sent.isConnected = true;
      if (address !== undefined && isDottedIpv4(address)) this.#ipv4 = address;
    };
    return await within(
      { clock, milliseconds: timeout, signal, what: "the device's answer" },
      async (signal) => {
        const { url, init } = sent.request;
        const response = await http.fetch(url, { ...init, signal, onConnect });
        // Trust boundary: a device, or whatever answers at its address, may send without end.
        const stream = response.body?.pipeThrough(new LimitedBytesTransformStream(limit, { error: true }), {
          signal,
        });
        const body = stream === undefined
          ? new Uint8Array()
          : new Uint8Array(await new Response(stream).arrayBuffer());
        return { status: response.status, body };
      },
    );
  }
}

/** A request, and whether a connection ever stood for it. */
class SentRequest {
  readonly request: DeviceRequest;
  isConnected = false;

  constructor(request: DeviceRequest) {
    this.request = request;
  }
}

/** What became of an exchange with a device, in words. */
export function faultText(error: unknown): string {
  if (error instanceof DeadlineError) return "no answer in time";
  const fault = networkFault(error);
  return fault === "unknown" ? "the exchange broke off" : FAULT_TEXT[fault];
}

function signOf(error: unknown, isConnected: boolean): SilenceSign {
  if (error instanceof DeadlineError) return isConnected ? "stalled" : "nothing";
  const fault = networkFault(error);
  if (fault === "refused") return "refused";
  return fault === "unreachable" || fault === "unresolved" ? "nothing" : "broken";
}

const FAULT_TEXT = {
  "refused": "connection refused",
  "unresolved": "the name is not known",
  "unreachable": "no route or no answer",
  "tls": "a TLS fault",
  "blocked-port": "the port is one that HTTP clients refuse to use",
  "permission": "this program may not connect there",
  "reset": "connection closed without an answer",
} as const;

/** One line of at most 120 printable characters. */
function printable(text: string): string {
  return text.trim().replace(/[^\x20-\x7e]+/g, " ").slice(0, 120);
}
