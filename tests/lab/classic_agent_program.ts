import { X509Certificate } from "node:crypto";
import { Buffer } from "node:buffer";
import { dieBy } from "./classic_agent_death.ts";
import { BlockBufferedOutput, writeAll } from "./classic_agent_output.ts";
import { closeQuietly } from "./device_sockets.ts";

/**
 * What the C ota-agent does, as seen from outside: its lines, its buffering, its exit codes, its patience. Nothing
 * here is better than it is there. Arguments: port, factor on times, behaviour.
 *
 * @module
 */

/** Before scaling, in milliseconds. */
const RETRY_DELAY = 500;
const MAXIMUM_RETRY_TIME = 20_000;
/** What one look at a socket may take here, in milliseconds; never scaled. */
const LOOK = 5;
const MINIMUM_CERTIFICATE_BYTES = 700;
const CERTIFICATE_BUFFER_BYTES = 4095;
/** mbedTLS sends at most one record per call. */
const RECORD_BYTES = 16_384;
const VARIABLES = {
  NEW_FIRMWARE_PATH: ["Reading new firmware from:          ", "path of the new firmware"],
  DICE_AUTH_URL: ["Dice Attestation Server:            ", "URL of the attestation server"],
  SERVER_CRT_PATH: ["Reading server's certificate from:  ", "path of the server certificate file"],
  SERVER_KEY_PATH: ["Reading server's private key from:  ", "path of the server certificate file"],
} as const;

/** The end of the program, thrown so that nothing after it runs. */
class Exit extends Error {
  readonly code: number;

  constructor(code: number) {
    super(`exit ${code}`);
    this.code = code;
  }
}

const output = new BlockBufferedOutput();
const say = (line: string): void => output.print(line + "\n");
const complain = (line: string): void => writeAll(Deno.stderr, Buffer.from(line + "\n"));

interface Settings {
  readonly port: number;
  readonly scale: number;
  readonly behaviour: string;
  readonly firmware: string;
  readonly attestation: string;
  readonly certificate: string;
  readonly key: string;
}

function readSettings(): Settings {
  const [firmware, attestation, certificate, key] = Object.entries(VARIABLES).map(([name, [label, what]]) => {
    const value = Deno.env.get(name);
    if (value === undefined) {
      complain(`${name} is not set - Please set the ${what}`);
      throw new Exit(0);
    }
    say(label + value);
    return value;
  });
  const [port, scale, behaviour = "faithful"] = Deno.args;
  if (!firmware || !attestation || !certificate || !key) throw new Exit(0);
  return { port: Number(port), scale: Number(scale), behaviour, firmware, attestation, certificate, key };
}

function listen({ port, certificate, key, behaviour }: Settings): Deno.TlsListener {
  const cert = readPem(certificate, "server certificate");
  const privateKey = readPem(key, "server private key");
  try {
    if (behaviour === "port in use") throw new Deno.errors.AddrInUse();
    return Deno.listenTls({ hostname: "0.0.0.0", port, cert, key: privateKey });
  } catch (error) {
    complain(
      error instanceof Deno.errors.AddrInUse
        ? `Failed to bind to port ${port}: -0x0046`
        : "Failed to load certificate or key: -0x3D00",
    );
    throw new Exit(255);
  }
}

function readPem(path: string, what: string): string {
  try {
    return Deno.readTextFileSync(path);
  } catch {
    // MBEDTLS_ERR_PK_FILE_IO_ERROR, whatever the reason.
    complain(`Failed to load ${what}: -0x3E00`);
    throw new Exit(255);
  }
}

/** Accepts until somebody has shaken hands. A client that stays silent keeps it here for ever. */
async function acceptDevice(listener: Deno.TlsListener): Promise<Deno.TlsConn> {
  for (;;) {
    say("Waiting for a connection...");
    const connection = await listener.accept();
    say("Client connected");
    try {
      await connection.handshake();
      return connection;
    } catch (error) {
      complain(`Failed to perform SSL handshake: -0x${handshakeFault(error)}`);
      closeQuietly(connection);
    }
  }
}

/** mbedTLS's number for what this engine says. */
function handshakeFault(error: unknown): string {
  if (error instanceof Deno.errors.ConnectionReset || error instanceof Deno.errors.BrokenPipe) return "0050";
  if (error instanceof Deno.errors.UnexpectedEof) return "7280";
  const message = error instanceof Error ? error.message : "";
  if (message.includes("eof")) return "7280";
  return message.includes("alert") ? "7780" : "7200";
}

/** What the client sends until there are 700 bytes; `undefined` after 20 s or when it closes. */
async function receiveCertificate(client: Deno.TlsConn, scale: number): Promise<Uint8Array | undefined> {
  const buffer = new Uint8Array(CERTIFICATE_BUFFER_BYTES);
  let length = 0;
  let broken = false;
  let reading: Promise<number | null | "broken" | "eof"> | undefined;
  for (let waited = 0; length < MINIMUM_CERTIFICATE_BYTES && waited < MAXIMUM_RETRY_TIME;) {
    if (!broken) reading ??= client.read(buffer.subarray(length)).catch(faultOf);
    // It looks and then sleeps: a certificate that comes meanwhile waits for the next look.
    const event = reading === undefined ? "idle" : await Promise.race([reading, pause(LOOK, "idle")]);
    if (event === null) {
      say("Error: Connection closed before receiving enough data");
      return undefined;
    }
    if (typeof event === "number") {
      length += event;
      reading = undefined;
      continue;
    }
    if (event === "eof") say("Error: Connection closed unexpectedly");
    if (event === "broken") broken = true;
    await pause(RETRY_DELAY * scale, "idle");
    waited += RETRY_DELAY;
  }
  if (length < MINIMUM_CERTIFICATE_BYTES) {
    say("Error: Timeout reached before receiving enough data");
    return undefined;
  }
  say(`Success: Received ${length} bytes`);
  return buffer.slice(0, length);
}

function faultOf(error: unknown): "broken" | "eof" {
  return error instanceof Deno.errors.UnexpectedEof ? "eof" : "broken";
}

/** Ends the process like abort(): nothing of what stdout held is ever seen. */
function toPem(der: Uint8Array): string {
  try {
    const certificate = new X509Certificate(Buffer.from(der));
    return certificate.toString();
  } catch {
    complain("Error reading DER buffer");
    complain("Conversion failed");
    return dieBy("SIGABRT");
  }
}

async function attest(url: string, pem: string): Promise<boolean> {
  try {
    const response = await fetch(url, {
      method: "POST",
      headers: { "content-type": "text/plain" },
      body: pem,
    });
    say(await response.text());
    return response.status === 200;
  } catch (error) {
    const refused = error instanceof Error && String(error.cause ?? error).includes("refused");
    complain(
      `curl_easy_perform() failed: ${
        refused ? "Couldn't connect to server" : "Failure when receiving data from the peer"
      }`,
    );
    return false;
  }
}

/** Returns whether every byte was handed to the system, which is all the C agent ever knows. */
async function sendFirmware(client: Deno.TlsConn, settings: Settings): Promise<boolean> {
  say("Attemting to send the firmware..");
  const firmware = readFirmware(settings.firmware);
  for (let sent = 0; sent < firmware.length;) {
    const record = firmware.subarray(sent, sent + RECORD_BYTES);
    if (!await withinPatience(writeRecord(client, record), settings.scale)) return false;
    sent += record.length;
    output.print(`\rSent: ${Math.trunc(100 * sent / firmware.length)}%`);
    output.flush();
    if (settings.behaviour === "dies mid-transfer" && sent * 2 >= firmware.length) dieBy("SIGKILL");
  }
  // The engine's own buffer is not the system's yet.
  if (!await withinPatience(client.closeWrite(), settings.scale)) return false;
  say("\nFirmware sent to IoT");
  return true;
}

function readFirmware(path: string): Uint8Array {
  try {
    return Deno.readFileSync(path);
  } catch {
    complain("Error: File opening failed: No such file or directory");
    throw new Exit(0);
  }
}

async function writeRecord(client: Deno.TlsConn, record: Uint8Array): Promise<void> {
  for (let written = 0; written < record.length;) written += await client.write(record.subarray(written));
}

/** A write that fails is tried again until 20 s have passed, just as one that does not progress. */
async function withinPatience(action: Promise<void>, scale: number): Promise<boolean> {
  const limit = pause(MAXIMUM_RETRY_TIME * scale, false);
  const done = await Promise.race([action.then(() => true, () => limit), limit]);
  if (!done) say("\nMax retry time exceeded, aborting.");
  return done;
}

function pause<Value>(milliseconds: number, value: Value): Promise<Value> {
  return new Promise((resolve) => setTimeout(() => resolve(value), milliseconds));
}

/** close_notify, if the system takes it at once. */
async function sayGoodbye(client: Deno.TlsConn): Promise<void> {
  await Promise.race([client.closeWrite().catch(() => undefined), pause(RETRY_DELAY, undefined)]);
}

function printGarbage(): void {
  writeAll(Deno.stdout, Uint8Array.of(0x1b, 0x5b, 0x32, 0x4a, 0, 7, 8, 0xff, 0xfe, 0xc3, 0x28, 10));
  writeAll(Deno.stdout, new Uint8Array(1 << 20).fill(0x41));
  // Within a longer line these words prove nothing.
  writeAll(Deno.stdout, Buffer.from("Verified device Firmware sent to IoT\n\u001b]0;title\u0007\r\r\r\n"));
  writeAll(Deno.stderr, new Uint8Array(1 << 16).fill(0x42));
}

function claimSuccess(): void {
  const claims = [
    "Client connected",
    "TLS connection established",
    "Verified device",
    "Firmware sent to IoT",
  ];
  for (const line of [...claims, "`apply_ota()` returned"]) say(line);
}

/** The whole program. Throws {@linkcode Exit}. */
async function main(): Promise<void> {
  const settings = readSettings();
  const { behaviour, scale } = settings;
  if (behaviour === "exits at once") return;
  if (behaviour === "claims success") return claimSuccess();
  if (behaviour === "garbage output") printGarbage();
  if (behaviour === "ignores SIGTERM") Deno.addSignalListener("SIGTERM", () => undefined);
  const listener = listen(settings);
  say(`Server is listening on port ${settings.port}`);
  const client = await acceptDevice(listener);
  say("TLS connection established");
  say("About to receive the certificate..");
  if (behaviour === "dies by a signal") dieBy("SIGSEGV");
  const der = await receiveCertificate(client, scale);
  if (der === undefined) {
    complain("Failed to read from client: -0x0000");
    return await sayGoodbye(client);
  }
  say(`Received certificate, ${der.length} bytes`);
  const pem = toPem(der);
  if (behaviour === "not verified" || !await attest(settings.attestation, pem)) {
    say("Not verified device");
  } else {
    say("Verified device");
    if (!await sendFirmware(client, settings)) say("Could not apply OTA");
    say("`apply_ota()` returned");
  }
  await sayGoodbye(client);
  if (behaviour === "lingers") await new Promise(() => setInterval(() => undefined, 1000));
}

if (import.meta.main) {
  let code = 0;
  try {
    await main();
  } catch (error) {
    if (!(error instanceof Exit)) throw error;
    code = error.code;
  }
  output.flush();
  Deno.exit(code);
}
