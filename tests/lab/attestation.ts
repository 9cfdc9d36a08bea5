import { derOf, type DiceCertificate } from "../builders/certificates.ts";
import { closeQuietly, isConnectionEnd, sendAll } from "./device_sockets.ts";
import { scaleOf, type Timings } from "./device_timings.ts";
import { labClock } from "./lab_clock.ts";

/** How an attestation server may be. */
export type AttestationMode = "ok" | "401" | "405" | "500" | "hang" | "slow" | "down";

/** Every {@linkcode AttestationMode}. */
export const attestationModes: readonly AttestationMode[] = [
  "ok",
  "401",
  "405",
  "500",
  "hang",
  "slow",
  "down",
];

/** What an attestation server knows and how it behaves. */
export interface AttestationOptions {
  /** The devices it takes for genuine; every one by default. */
  readonly registered?: readonly DiceCertificate[];
  /** `ok` by default. */
  readonly mode?: AttestationMode;
  /** Milliseconds before an answer (before scaling); 2500 by default as in the field, 20 s when slow. */
  readonly delay?: number;
  /** `fast` by default. */
  readonly timings?: Timings;
}

/** A request as it reached the server. */
export interface AttestationRequest {
  readonly method: string;
  /** Names in lower case. */
  readonly headers: Readonly<Record<string, string>>;
  /** Not more than the first 4095 bytes of the request hold. */
  readonly body: string;
  /** Milliseconds since the Unix epoch. */
  readonly at: number;
}

/** A listening attestation server. */
export interface LabAttestation extends AsyncDisposable {
  /** `http://127.0.0.1:<port>`; nobody listens there in mode `down`. */
  readonly url: string;
  readonly port: number;
  /** Oldest first. */
  readonly requests: readonly AttestationRequest[];
  /** What it does from the next request on; `down` cannot be reached nor left. */
  mode: AttestationMode;
}

/** dice-auth reads once, into 4096 bytes that end in a NUL. */
const REQUEST_BYTES = 4095;
/** From the first byte of a request to its last. It is a guard and no pace, so it is never scaled. */
const RECEIVE_TIMEOUT = 1000;

/** Starts an attestation server on loopback: one request at a time, each connection closed after its answer. */
export function startAttestation(options: AttestationOptions = {}): LabAttestation {
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const port = listener.addr.port;
  const registered = options.registered?.map(({ der }) => der.toHex());
  const scale = scaleOf(options.timings ?? "fast");
  const stop = new AbortController();
  const requests: AttestationRequest[] = [];
  const open = new Set<Deno.Conn>();
  const server = {
    url: `http://127.0.0.1:${port}`,
    port,
    requests,
    mode: options.mode ?? "ok",
    async [Symbol.asyncDispose](): Promise<void> {
      stop.abort(new DOMException("the attestation server is switched off", "AbortError"));
      closeQuietly(listener);
      for (const connection of open) closeQuietly(connection);
      await served;
    },
  };
  if (server.mode === "down") closeQuietly(listener);

  async function serve(connection: Deno.Conn): Promise<void> {
    const request = await receiveRequest(connection);
    if (request === undefined) return;
    requests.push(request);
    if (server.mode === "hang") {
      await new Promise((resolve) => stop.signal.addEventListener("abort", resolve, { once: true }));
      return;
    }
    const delay = options.delay ?? (server.mode === "slow" ? 20_000 : 2500);
    await labClock.sleep(delay * scale, stop.signal);
    await sendAll(connection, answerTo(request, server.mode, registered));
  }

  const served = (async () => {
    for (;;) {
      try {
        const connection = await listener.accept();
        open.add(connection);
        try {
          await serve(connection);
        } finally {
          open.delete(connection);
          closeQuietly(connection);
        }
      } catch (error) {
        if (stop.signal.aborted || server.mode === "down") return;
        if (!isConnectionEnd(error)) throw error;
      }
    }
  })();
  return server;
}

function answerTo(request: AttestationRequest, mode: AttestationMode, registered?: string[]): Uint8Array {
  if (mode === "500") return response("500 Internal Server Error", "");
  if (mode === "405" || request.method !== "POST") return response("405 Method Not Allowed", "");
  const genuine = mode !== "401" && isRegistered(request.body, registered);
  return genuine
    ? response("200 OK", `{"status": "Certificate OK"}`)
    : response("401 Unauthorized", `{"status": "Certificate Invalid"}`);
}

/** Without a list, whatever is a certificate is registered. */
function isRegistered(pem: string, registered: string[] | undefined): boolean {
  try {
    const hex = derOf(pem).toHex();
    return registered === undefined || registered.includes(hex);
  } catch {
    // What cannot be decoded is nobody's certificate.
    return false;
  }
}

function response(status: string, body: string): Uint8Array {
  return new TextEncoder().encode(
    `HTTP/1.1 ${status}\r\nContent-Type: application/json\r\nContent-Length: ${body.length}\r\n` +
      `Connection: close\r\n\r\n${body}`,
  );
}

/** What fits of one request; `undefined` when the client left without one. */
async function receiveRequest(connection: Deno.Conn): Promise<AttestationRequest | undefined> {
  const bytes = new Uint8Array(REQUEST_BYTES);
  let length = 0;
  const received = new AbortController();
  const late = labClock.sleep(RECEIVE_TIMEOUT, received.signal).then(() => null, () => null);
  try {
    while (length < bytes.length && !isWhole(parse(bytes.subarray(0, length)))) {
      const read = await Promise.race([connection.read(bytes.subarray(length)), late]);
      if (read === null) break;
      length += read;
    }
  } finally {
    received.abort();
  }
  return length === 0 ? undefined : parse(bytes.subarray(0, length)) ?? undefined;
}

function parse(bytes: Uint8Array): AttestationRequest | undefined {
  const text = new TextDecoder().decode(bytes);
  const end = text.indexOf("\r\n\r\n");
  if (end < 0) return undefined;
  const [line = "", ...fields] = text.slice(0, end).split("\r\n");
  const headers = Object.fromEntries(fields.map((field) => {
    const colon = field.indexOf(":");
    return [field.slice(0, colon).toLowerCase(), field.slice(colon + 1).trim()];
  }));
  return { method: line.split(" ")[0] ?? "", headers, body: text.slice(end + 4), at: Date.now() };
}

function isWhole(request: AttestationRequest | undefined): boolean {
  return request !== undefined && request.body.length >= Number(request.headers["content-length"] ?? "0");
}
