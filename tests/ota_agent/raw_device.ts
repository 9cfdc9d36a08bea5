import { diceCertificate, serverPair } from "../builders/certificates.ts";

/**
 * A device's side of the wire and nothing else, for what must be exact to the byte: its TLS engine takes one record
 * at a time, so what it has not read lies in the kernel's buffers as a device's unread bytes do.
 */
export class RawDevice implements Disposable {
  readonly #connection: Deno.TlsConn;
  /** Bytes of the firmware read so far. */
  received = 0;

  private constructor(connection: Deno.TlsConn) {
    this.#connection = connection;
  }

  /** Dials and completes the handshake. */
  static async dial(port: number): Promise<RawDevice> {
    const tcp = await Deno.connect({ hostname: "127.0.0.1", port });
    const { pinned } = await rawPair();
    const connection = await Deno.startTls(tcp, { hostname: "ota-agent", caCerts: [pinned] });
    await connection.handshake();
    return new RawDevice(connection);
  }

  /** Dials and shows the certificate of the device called `device`. */
  static async present(port: number): Promise<RawDevice> {
    const device = await RawDevice.dial(port);
    await device.write((await diceCertificate()).der);
    return device;
  }

  /** Sends bytes. */
  async write(bytes: Uint8Array): Promise<void> {
    for (let at = 0; at < bytes.length;) at += await this.#connection.write(bytes.subarray(at));
  }

  /** Reads up to `limit` bytes of the firmware in all; pauses between the chunks. */
  async readUpTo(
    limit: number,
    options: { readonly chunk?: number; readonly pause?: number } = {},
  ): Promise<void> {
    const buffer = new Uint8Array(options.chunk ?? 4096);
    while (this.received < limit) {
      const read = await this.#connection.read(buffer);
      if (read === null) return;
      this.received += read;
      if (options.pause !== undefined) await new Promise((resolve) => setTimeout(resolve, options.pause));
    }
  }

  /** Says close_notify and ends its sending side. */
  async closeWrite(): Promise<void> {
    await this.#connection.closeWrite();
  }

  /** Closes the socket: with unread bytes the peer sees a reset. */
  [Symbol.dispose](): void {
    this.#connection.close();
  }
}

/** A pair that the runtime's own client accepts: a leaf with an alternative name, and its authority. */
export function rawPair(): ReturnType<typeof serverPair> {
  return serverPair({ issued: true, alternativeNames: ["ota-agent"] });
}
