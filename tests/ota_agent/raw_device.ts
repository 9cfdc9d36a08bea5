import { diceCertificate, serverPair } from "../builders/certificates.ts";
import { DeviceLink } from "../lab/device_link.ts";

/**
 * A device's side of the wire and nothing else, for what must be exact to the byte: what it has not read lies in the
 * kernel's buffers, as a device's unread bytes do.
 */
export class RawDevice implements Disposable {
  readonly #link: DeviceLink;
  /** Bytes of the firmware read so far. */
  received = 0;

  private constructor(link: DeviceLink) {
    this.#link = link;
  }

  /** Dials, from an address of loopback, and completes the handshake. */
  static async dial(port: number, localAddress = "127.0.0.1"): Promise<RawDevice> {
    const { pinned } = await serverPair();
    const signal = new AbortController().signal;
    return new RawDevice(
      await DeviceLink.dial({ hostname: "127.0.0.1", port, localAddress, pinned, signal }),
    );
  }

  /** Dials and shows the certificate of the device called `name`. */
  static async present(port: number, name = "device", localAddress?: string): Promise<RawDevice> {
    const device = await RawDevice.dial(port, localAddress);
    await device.write((await diceCertificate(name)).der);
    return device;
  }

  /** Sends bytes. */
  async write(bytes: Uint8Array): Promise<void> {
    await this.#link.write(bytes);
  }

  /** Reads `limit` bytes of the firmware in all, or to its end; pauses between the records. */
  async readUpTo(limit: number, pause?: number): Promise<void> {
    while (this.received < limit) {
      const bytes = await this.#link.read();
      if (bytes === null) return;
      this.received += bytes.length;
      if (pause !== undefined) await new Promise((resolve) => setTimeout(resolve, pause));
    }
  }

  /** Says close_notify and closes. */
  async finish(): Promise<void> {
    await this.#link.finish();
  }

  /** Closes without a word: with unread bytes the peer sees a reset. */
  [Symbol.dispose](): void {
    this.#link.close();
  }
}
