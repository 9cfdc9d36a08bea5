import { within } from "../deadline.ts";
import { untilAborted } from "../until_aborted.ts";
import type { Clock, TcpConnection, World } from "../world.ts";
import { type DeviceAddress, formatDeviceAddress } from "./device_address.ts";

/** What the witness needs. */
export interface UptimeWitnessOptions {
  /** Opens connections. */
  readonly connect: World["connect"];
  /** Measures the waits. */
  readonly clock: Clock;
  /** Milliseconds for a connection, and for an answer. */
  readonly timeout: number;
}

/** Enough of an answer to know that HTTP is spoken. */
const ANSWER_START = "HTTP/";

/**
 * Bears witness that a device was up all the time: a connection is held open to it that no restart survives, since a
 * machine that has restarted knows nothing of it. Silence alone is no restart: radio weather is silent, too.
 *
 * Only an answer proves something. Where the connection could not be opened, or was closed since, nothing is known: some
 * devices close what is idle.
 */
export class UptimeWitness implements Disposable {
  readonly #address: DeviceAddress;
  readonly #options: UptimeWitnessOptions;
  #connection: TcpConnection | undefined;

  /** Holds nothing yet. */
  constructor(address: DeviceAddress, options: UptimeWitnessOptions) {
    this.#address = address;
    this.#options = options;
  }

  /** Opens the connection. Where that fails there is no witness; rejects only with the signal's reason. */
  async begin(signal: AbortSignal): Promise<void> {
    const { hostname, port } = this.#address;
    this[Symbol.dispose]();
    this.#connection = await this.#inTime(signal, (signal) => this.#options.connect(hostname, port, signal));
  }

  /**
   * Whether the device has certainly been up since the connection was opened, because it answers on it; then another
   * one is opened. Rejects only with the signal's reason.
   */
  async wasUp(signal: AbortSignal): Promise<boolean> {
    const connection = this.#connection;
    if (connection === undefined) return false;
    const answer = await this.#inTime(signal, (signal) => untilAborted(this.#ask(connection), signal));
    this[Symbol.dispose]();
    if (answer !== ANSWER_START) return false;
    await this.begin(signal);
    return true;
  }

  /** Closes the connection. */
  [Symbol.dispose](): void {
    this.#connection?.close();
    this.#connection = undefined;
  }

  async #ask(connection: TcpConnection): Promise<string> {
    const request = new TextEncoder().encode(
      `GET /info HTTP/1.1\r\nHost: ${formatDeviceAddress(this.#address)}\r\nConnection: close\r\n\r\n`,
    );
    for (let sent = 0; sent < request.length;) sent += await connection.write(request.subarray(sent));
    // Trust boundary: whatever answers there, no more than the first bytes are looked at.
    const start = new Uint8Array(ANSWER_START.length);
    let length = 0;
    while (length < start.length) {
      const read = await connection.read(start.subarray(length));
      if (read === null) break;
      length += read;
    }
    return new TextDecoder().decode(start.subarray(0, length));
  }

  /** `undefined` when it fails, whatever the reason. */
  async #inTime<Result>(
    signal: AbortSignal,
    action: (signal: AbortSignal) => Promise<Result>,
  ): Promise<Result | undefined> {
    const { clock, timeout: milliseconds } = this.#options;
    try {
      return await within({ clock, milliseconds, signal, what: "the device" }, action);
    } catch {
      signal.throwIfAborted();
      return undefined;
    }
  }
}
