import type { Clock } from "../world.ts";
import type { DeliveryView } from "./delivery_view.ts";

/** Between two looks at a transfer, in milliseconds. */
const LOOK_INTERVAL = 250;

/**
 * The slowest device worth waiting for where the kernel's queue cannot be seen, in bytes a second: a tenth of
 * what an ESP32 writes to its flash.
 */
const SLOWEST_DEVICE = 20_000;

/** How far a transfer is. */
export interface TransferProgress {
  /** Bytes of the image that were handed over to TLS. */
  readonly handedOverBytes: number;
  /** Bytes of the image that the device has acknowledged at least, where the operating system tells. */
  readonly acknowledgedBytes?: number;
}

/** What one look at a transfer finds; bytes of TLS count those of the image among them. */
export interface TransferLook {
  /** Bytes of the image handed over to TLS. */
  readonly handedOver: number;
  /** Bytes of TLS that the operating system took since the first of the image. */
  readonly sent: number;
  /** How many of them the device has not acknowledged; `undefined` where the system does not tell. */
  readonly unacknowledged: number | undefined;
}

/** What TLS adds to a record at most: header, explicit nonce and tag of TLS 1.2 (RFC 5288, 3). */
const MOST_OVERHEAD = 5 + 8 + 16;

/** How far a transfer is, never ahead of the truth: whole records count, each as long as one can be. */
export function transferProgress(look: TransferLook, recordBytes: number): TransferProgress {
  const { handedOver: handedOverBytes, sent, unacknowledged } = look;
  if (unacknowledged === undefined) return { handedOverBytes };
  const records = Math.floor(Math.max(0, sent - unacknowledged) / (recordBytes + MOST_OVERHEAD));
  return { handedOverBytes, acknowledgedBytes: Math.min(records * recordBytes, handedOverBytes) };
}

/** What a watch needs. */
export interface TransferWatchOptions {
  /** Paces the looks. */
  readonly clock: Clock;
  /** Milliseconds. */
  readonly idleTimeout: number;
  /** Bytes of the image in one TLS record. */
  readonly recordBytes: number;
  /** Bytes of TLS that the operating system has taken so far. */
  readonly sentBytes: () => number;
  /** Told when something has moved. */
  readonly onProgress: (progress: TransferProgress) => void;
}

/**
 * Watches one transfer from aside. Progress is a byte handed over, or a byte acknowledged: a slow device takes the
 * last megabytes out of our kernel long after we have handed them over.
 */
export class TransferWatch implements AsyncDisposable {
  /** Resolves when nothing has moved for the idle time-out; rejects when the watch is disposed. */
  readonly stalled: Promise<void>;
  readonly #finished = new AbortController();
  #handedOverBytes = 0;
  #isAllHandedOver = false;

  /** Begins to watch. */
  constructor(view: DeliveryView, options: TransferWatchOptions) {
    this.stalled = this.#watch(view, options);
  }

  /** Bytes of the image handed over so far. */
  get handedOverBytes(): number {
    return this.#handedOverBytes;
  }

  /** Counts bytes that TLS took. */
  handedOver(bytes: number): void {
    this.#handedOverBytes += bytes;
  }

  /** From now on only the device can make progress. */
  handedOverAll(): void {
    this.#isAllHandedOver = true;
  }

  /** Ends the watch. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#finished.abort();
    await this.stalled.catch(() => undefined);
  }

  async #watch(view: DeliveryView, options: TransferWatchOptions): Promise<void> {
    const { clock, idleTimeout, recordBytes, sentBytes, onProgress } = options;
    const interval = Math.min(LOOK_INTERVAL, idleTimeout / 4);
    const sentBefore = sentBytes();
    let lastMove = clock.now();
    let last = { handedOver: 0, acknowledged: 0 };
    while (true) {
      // Counted before the look, so that what is sent meanwhile is not taken for acknowledged.
      const sent = sentBytes() - sentBefore;
      const seen = await view.look();
      const unacknowledged = seen === "unknown" || seen === "gone" ? undefined : seen.unacknowledgedBytes;
      const now = {
        handedOver: this.#handedOverBytes,
        acknowledged: unacknowledged === undefined ? last.acknowledged : sent - unacknowledged,
      };
      if (now.handedOver !== last.handedOver || now.acknowledged > last.acknowledged) {
        lastMove = clock.now();
        onProgress(transferProgress({ handedOver: now.handedOver, sent, unacknowledged }, recordBytes));
      }
      last = { ...now, acknowledged: Math.max(now.acknowledged, last.acknowledged) };
      const isBlind = this.#isAllHandedOver && unacknowledged === undefined;
      const blind = isBlind ? now.handedOver / SLOWEST_DEVICE * 1000 : 0;
      if (clock.now() - lastMove >= idleTimeout + blind) return;
      await clock.sleep(interval, this.#finished.signal);
    }
  }
}
