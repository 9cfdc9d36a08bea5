import type { World } from "../world.ts";
import { type DeviceAddress, formatDeviceAddress } from "./device_address.ts";
import { DeviceError } from "./device_error.ts";

/**
 * How long a device may be busy with an update that was asked for: 20 attempts to dial, 4 s apart (ota-protocol.md,
 * "Device HTTP"). A second task beside it shares its static state, and neither can end well.
 */
const ATTEMPT_LIFETIME = 80_000;

/** An epoch time in milliseconds. */
const MAX_MARKER_BYTES = 32;

/**
 * Remembers, for the user's other jobs on this machine, that a device was asked to update. Without a directory of
 * this login session (`XDG_RUNTIME_DIR`; a pod has none) nothing can be known, and nothing is kept.
 */
export class AttemptMarker {
  readonly #device: string;
  readonly #world: Pick<World, "files" | "clock" | "log">;
  readonly #directory: string | undefined;

  /** `runtimeDirectory` is `XDG_RUNTIME_DIR`. */
  constructor(
    device: DeviceAddress,
    world: Pick<World, "files" | "clock" | "log">,
    runtimeDirectory: string | undefined,
  ) {
    this.#device = formatDeviceAddress(device);
    this.#world = world;
    this.#directory = runtimeDirectory === undefined ? undefined : `${runtimeDirectory}/flashjob`;
  }

  /** Throws {@linkcode DeviceError} `busy` when another job asked the device less than 80 s ago and did not end well. */
  async demandFree(): Promise<void> {
    const age = await this.#age();
    if (age === undefined || age < 0 || age >= ATTEMPT_LIFETIME) return;
    throw new DeviceError(
      "busy",
      `Cannot ask '${this.#device}' to update: it was asked ${
        Math.ceil(age / 1000)
      } s ago and may still be at it, ` +
        `wait ${Math.ceil((ATTEMPT_LIFETIME - age) / 1000)} s`,
    );
  }

  /** The device is about to be asked. */
  async set(): Promise<void> {
    const { files, clock } = this.#world;
    await this.#whereItCan("remember the attempt", async (directory) => {
      await files.makeDirectory(directory);
      await files.remove(this.#path());
      using file = await files.createPrivate(this.#path());
      await file.write(new TextEncoder().encode(String(clock.now())));
    });
  }

  /** The device is known to be done with what it was asked. */
  async clear(): Promise<void> {
    await this.#whereItCan("forget the attempt", () => this.#world.files.remove(this.#path()));
  }

  async #age(): Promise<number | undefined> {
    const { files, clock } = this.#world;
    return await this.#whereItCan("look for an earlier attempt", async () => {
      if (await files.facts(this.#path()) === undefined) return undefined;
      const text = await files.readText(this.#path(), MAX_MARKER_BYTES);
      return /^\d{1,16}$/.test(text) ? clock.now() - Number(text) : undefined;
    });
  }

  /** A courtesy to other jobs must not spoil this one: a directory that is closed to us is as good as none. */
  async #whereItCan<Result>(
    what: string,
    action: (directory: string) => Promise<Result>,
  ): Promise<Result | undefined> {
    if (this.#directory === undefined) return undefined;
    try {
      return await action(this.#directory);
    } catch (error) {
      this.#world.log.debug(`Cannot ${what}: ${error instanceof Error ? error.message : error}`);
      return undefined;
    }
  }

  /** Addresses hold nothing that a file name may not, but for the colons of IPv6. */
  #path(): string {
    return `${this.#directory}/attempt-${this.#device.replaceAll(/[^0-9A-Za-z.-]/g, "_")}`;
  }
}
