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
  /** Bytes of the image that the operating system took. */
  readonly handedOverBytes: number;
  /** Bytes the operating system still holds, where it tells. */
  readonly unacknowledgedBytes?: number;
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
  constructor(
    view: DeliveryView,
    options: {
      readonly clock: Clock;
      /** Milliseconds. */
      readonly idleTimeout: number;
      readonly onProgress: (progress: TransferProgress) => void;
    },
  ) {
    this.stalled = this.#watch(view, options);
  }

  /** Bytes of the image handed over so far. */
  get handedOverBytes(): number {
    return this.#handedOverBytes;
  }

  /** Counts bytes that the operating system took. */
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

  async #watch(
    view: DeliveryView,
    { clock, idleTimeout, onProgress }: {
      readonly clock: Clock;
      readonly idleTimeout: number;
      readonly onProgress: (progress: TransferProgress) => void;
    },
  ): Promise<void> {
    const interval = Math.min(LOOK_INTERVAL, idleTimeout / 4);
    let lastMove = clock.now();
    let last = { handedOver: -1, unacknowledged: -1 };
    while (true) {
      const seen = await view.look();
      const isVisible = seen !== "unknown" && seen !== "gone";
      const now = {
        handedOver: this.#handedOverBytes,
        unacknowledged: isVisible ? seen.unacknowledgedBytes : 0,
      };
      if (now.handedOver !== last.handedOver || now.unacknowledged < last.unacknowledged) {
        lastMove = clock.now();
        onProgress({
          handedOverBytes: now.handedOver,
          ...(isVisible ? { unacknowledgedBytes: now.unacknowledged } : {}),
        });
      }
      last = now;
      const blind = this.#isAllHandedOver && !isVisible ? now.handedOver / SLOWEST_DEVICE * 1000 : 0;
      if (clock.now() - lastMove >= idleTimeout + blind) return;
      await clock.sleep(interval, this.#finished.signal);
    }
  }
}
