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

/** A connection on which nothing has been said. */
interface Held {
  readonly connection: TcpConnection;
  /** The first words of the device; empty when the connection ends or breaks before. */
  readonly heard: Promise<string>;
  /** Whether `heard` has resolved: what comes before the question answers nothing. */
  isOver: boolean;
}

/**
 * Bears witness that a device was up while it seemed to be gone: a connection is held open to it that no restart
 * survives, since a machine that has restarted knows nothing of it. Silence alone is no restart: radio weather is
 * silent, too.
 *
 * Only an answer proves something. Where the connection could not be opened, or was closed since, nothing is known: some
 * devices close what is idle.
 */
export class UptimeWitness implements Disposable {
  readonly #address: DeviceAddress;
  readonly #options: UptimeWitnessOptions;
  #held: Held | undefined;

  /** Holds nothing yet. */
  constructor(address: DeviceAddress, options: UptimeWitnessOptions) {
    this.#address = address;
    this.#options = options;
  }

  /**
   * Opens the connection unless one is held: to be called while the device answers. Where it cannot be opened there is
   * no witness; rejects only with the signal's reason.
   */
  async hold(signal: AbortSignal): Promise<void> {
    if (this.#held?.isOver === false) return;
    this[Symbol.dispose]();
    const { hostname, port } = this.#address;
    const connection = await this.#inTime(
      signal,
      (signal) => this.#options.connect(hostname, port, signal),
    );
    if (connection === undefined) return;
    const held: Held = { connection, heard: firstWords(connection), isOver: false };
    held.heard.then(() => held.isOver = true);
    this.#held = held;
  }

  /**
   * Whether the device has certainly been up since the connection was opened, because it answers on it, which uses it
   * up. Rejects only with the signal's reason.
   */
  async wasUp(signal: AbortSignal): Promise<boolean> {
    const held = this.#held;
    if (held === undefined || held.isOver) return false;
    try {
      const answer = await this.#inTime(signal, (signal) => untilAborted(this.#ask(held), signal));
      return answer === ANSWER_START;
    } finally {
      this[Symbol.dispose]();
    }
  }

  /** Closes the connection. */
  [Symbol.dispose](): void {
    this.#held?.connection.close();
    this.#held = undefined;
  }

  async #ask({ connection, heard }: Held): Promise<string> {
    const request = new TextEncoder().encode(
      `GET /info HTTP/1.1\r\nHost: ${formatDeviceAddress(this.#address)}\r\nConnection: close\r\n\r\n`,
    );
    for (let sent = 0; sent < request.length;) sent += await connection.write(request.subarray(sent));
    return await heard;
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

/** Trust boundary: whatever answers there, no more than the first bytes are looked at. Never rejects. */
async function firstWords(connection: TcpConnection): Promise<string> {
  const start = new Uint8Array(ANSWER_START.length);
  try {
    let length = 0;
    while (length < start.length) {
      const read = await connection.read(start.subarray(length));
      if (read === null) break;
      length += read;
    }
    return new TextDecoder().decode(start.subarray(0, length));
  } catch {
    // Closed by us, or broken: nothing was said.
    return "";
  }
}
