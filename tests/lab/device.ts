import { type DiceCertificate, diceCertificate, serverPair } from "../builders/certificates.ts";
import type { DeviceBehaviour } from "./device_behaviour.ts";
import { DeviceHttp, type DeviceReply, type DeviceRequest, errorReply } from "./device_http.ts";
import { isBootable, versionOf } from "./device_image.ts";
import type { DeviceEvent, DeviceEventName, DeviceOptions, RunningFirmware } from "./device_options.ts";
import { type DialAttempt, receiveImage } from "./device_ota.ts";
import { infoReply, onboardReply } from "./device_pages.ts";
import { DEVICE_TIMES, scaleOf } from "./device_timings.ts";
import { labClock } from "./lab_clock.ts";

/** Starts a device. Dispose it when done. */
export async function startDevice(options: DeviceOptions = {}): Promise<LabDevice> {
  const certificate = options.certificate ?? await diceCertificate();
  const wrong = await serverPair({ commonName: "somebody-else" });
  const other = await diceCertificate("somebody else's device");
  const pinned = options.behaviour?.wrongPin ? wrong.pinned : options.pinned ?? (await serverPair()).pinned;
  return new LabDevice(options, { certificate, other, pinned });
}

/** What a device holds that takes time to make. */
interface DeviceKeys {
  readonly certificate: DiceCertificate;
  readonly other: DiceCertificate;
  readonly pinned: string;
}

/** A stand-in for an ESP32 that speaks the OTA protocol over real sockets. */
export class LabDevice implements AsyncDisposable {
  /** Requests it read whole, oldest first; a request it reset is only an event. */
  readonly requests: DeviceRequest[] = [];
  /** Its attempts to reach the agent, oldest first. */
  readonly attempts: DialAttempt[] = [];
  /** Everything that happened, oldest first. */
  readonly events: DeviceEvent[] = [];
  /** Its certificate. */
  readonly certificate: DiceCertificate;
  readonly #options: DeviceOptions;
  readonly #behaviour: DeviceBehaviour;
  readonly #keys: DeviceKeys;
  readonly #scale: number;
  readonly #stop = new AbortController();
  readonly #tasks = new Set<Promise<void>>();
  #http: DeviceHttp | undefined;
  /** Outages that are going on. */
  #refusals = 0;
  /** Servers that lost power: connections to them are there for their peers alone. */
  readonly #before: DeviceHttp[] = [];
  #hostname: string;
  #port: number;
  #device: string;
  #running: RunningFirmware;
  #slot: Uint8Array[] = [];
  #slotLength = 0;
  #otasSinceBoot = 0;
  #otasAlive = 0;
  /** From a collision until the last of its tasks has ended. */
  #isSpoiled = false;
  #refuses: boolean;
  #change = Promise.withResolvers<void>();

  /** Use {@linkcode startDevice}. */
  constructor(options: DeviceOptions, keys: DeviceKeys) {
    this.#options = options;
    this.#behaviour = options.behaviour ?? {};
    this.#keys = keys;
    this.certificate = keys.certificate;
    this.#scale = scaleOf(options.timings ?? "fast");
    this.#hostname = options.hostname ?? "127.0.0.1";
    this.#device = options.device ?? "esp32s3";
    this.#refuses = this.#behaviour.refusedFor !== undefined;
    this.#running = { version: options.version ?? "0.1.0", image: undefined };
    if (this.#behaviour.alreadyUpdated) this.#running = this.#firmware(this.#expected());
    if (this.#behaviour.transfer !== undefined) this.#expected();
    this.#http = this.#listen(options.port ?? 0);
    this.#port = this.#http.port;
  }

  /** Where it answers HTTP now, as `ip:port`; it changes when the device returns at a new address. */
  get endpoint(): string {
    return `${this.#hostname}:${this.#port}`;
  }

  /** Whether it listens for HTTP now. */
  get isUp(): boolean {
    return this.#http !== undefined;
  }

  /** What it runs now. */
  get running(): RunningFirmware {
    return this.#running;
  }

  /** The bytes received in the inactive slot since it was last erased. */
  get flash(): Uint8Array {
    const bytes = new Uint8Array(this.#slotLength);
    let offset = 0;
    for (const piece of this.#slot) {
      bytes.set(piece, offset);
      offset += piece.length;
    }
    return bytes;
  }

  /** The events as lines for people. */
  get log(): string[] {
    return this.events.map(({ name, detail }) => detail === "" ? name : `${name}: ${detail}`);
  }

  /** The first event called `name`, as soon as there is one. Rejects when the signal is aborted. */
  async until(
    name: DeviceEventName,
    signal: AbortSignal = AbortSignal.timeout(30_000),
  ): Promise<DeviceEvent> {
    const aborted = Promise.withResolvers<never>();
    const onAbort = (): void =>
      aborted.reject(
        new Error(`Cannot see '${name}' on the device: it told ${this.log.join("; ") || "nothing"}`),
      );
    signal.addEventListener("abort", onAbort, { once: true });
    if (signal.aborted) onAbort();
    try {
      for (;;) {
        const event = this.events.find((candidate) => candidate.name === name);
        if (event !== undefined) return event;
        await Promise.race([this.#change.promise, aborted.promise]);
      }
    } finally {
      signal.removeEventListener("abort", onAbort);
      // Nobody waits any more, but a late abort must not be an unhandled rejection.
      aborted.promise.catch(() => undefined);
    }
  }

  /** Takes the device off the network and ends all it does. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort(new DOMException("the device is switched off", "AbortError"));
    while (this.#tasks.size > 0) await Promise.all(this.#tasks);
    for (const http of [...this.#before, this.#http]) await http?.close();
    this.#http = undefined;
  }

  #listen(port: number): DeviceHttp {
    return new DeviceHttp({
      hostname: this.#hostname,
      port,
      headerLimit: this.#options.headerLimit ?? 512,
      answer: (request) =>
        this.#answer(request).catch((error) => {
          if (!this.#stop.signal.aborted) throw error;
          return "close";
        }),
      resets: (method, path) => {
        const resets = (path === "/info" && this.#behaviour.info === "reset") ||
          (path === "/update" && this.#behaviour.update === "reset");
        if (resets) this.#note("request", `${method} ${path}, reset`);
        return resets;
      },
    });
  }

  async #answer(request: DeviceRequest): Promise<DeviceReply> {
    this.requests.push(request);
    this.#note("request", `${request.method} ${request.path}`);
    if (request.path === "/update") {
      return request.method === "POST" ? await this.#update(request) : errorReply(405);
    }
    const reply = await this.#get(request.path);
    if (request.method !== "GET" && reply !== "never") return errorReply(405);
    if (this.#refuses) this.#track(this.#refuseForAWhile());
    return reply;
  }

  async #get(path: string): Promise<DeviceReply> {
    const { info, onboard } = this.#behaviour;
    if (path === "/onboard") return onboardReply(this.certificate, this.#keys.other, onboard);
    if (path !== "/info") return errorReply(404);
    if (info === "slow") await this.#pause(DEVICE_TIMES.slowReply);
    const application = this.#options.application ?? "thermo";
    return infoReply({ device: this.#device, application, version: this.#running.version }, info);
  }

  async #update(request: DeviceRequest): Promise<DeviceReply> {
    const { update } = this.#behaviour;
    if (typeof update === "number") return errorReply(update);
    // Without a length the handler reads nothing, and its failure closes the socket.
    if (request.headers["content-length"] === undefined) return "close";
    const [, address] = /^ip: (\d{1,3}\.\d{1,3}\.\d{1,3}\.\d{1,3})$/.exec(request.body) ?? [];
    if (address === undefined) return errorReply(500);
    if (update !== "insecure") this.#track(this.#ota(address));
    if (update === "silent") return "never";
    if (update === "closed") return "close";
    if (update === "slow") await this.#pause(DEVICE_TIMES.slowReply);
    const kind = update === "insecure" ? "Insecure" : "Secure";
    return { status: 200, body: `Received update request: About to update (${kind})\n` };
  }

  async #ota(address: string): Promise<void> {
    this.#otasAlive++;
    // A second task shares static state with the first: neither can end well.
    const collides = this.#otasAlive > 1;
    this.#isSpoiled ||= collides;
    if (collides) this.#note("collision", "a second OTA task while the first lives");
    try {
      const whole = await receiveImage({
        dial: {
          hostname: address,
          port: this.#options.agentPort ?? 4433,
          pinned: this.#keys.pinned,
          signal: this.#stop.signal,
          ...(this.#behaviour.receiveWindow === undefined
            ? {}
            : { receiveWindow: this.#behaviour.receiveWindow }),
        },
        certificate: this.certificate.der,
        behaviour: this.#behaviour,
        expectedSize: this.#options.expectedImage?.length ?? 0,
        scale: this.#scale,
        isFirst: this.#otasSinceBoot++ === 0,
        attempts: this.attempts,
        erase: () => {
          this.#slot = [];
          this.#slotLength = 0;
        },
        append: (bytes) => {
          this.#slot.push(bytes.slice());
          return this.#slotLength += bytes.length;
        },
        note: (name, detail) => this.#note(name, detail),
      });
      if (whole) await this.#install();
    } finally {
      this.#otasAlive--;
      this.#isSpoiled &&= this.#otasAlive > 0;
      this.#note("ota ended");
    }
  }

  async #install(): Promise<void> {
    const image = this.flash;
    const accepts = this.#options.verify ?? isBootable;
    if (this.#behaviour.rejectsImage || this.#isSpoiled || !accepts(image)) {
      this.#note("rejected");
      const { awayFor } = this.#behaviour;
      if (awayFor === undefined) return;
      // After the earliest restart, and when the job looks already, however busy the machine is.
      await this.#pause(3 * DEVICE_TIMES.beforeRestart);
      return await this.#refuseFor(awayFor);
    }
    this.#note("verified");
    await this.#pause(DEVICE_TIMES.beforeRestart);
    await this.#restart(this.#firmware(image));
  }

  async #restart(next: RunningFirmware): Promise<void> {
    const { afterRestart } = this.#behaviour;
    this.#note("restarting");
    const http = this.#http;
    if (http !== undefined) this.#before.push(http);
    this.#http = undefined;
    await http?.losePower();
    if (afterRestart === "gone") return;
    await this.#pause(DEVICE_TIMES.boot);
    this.#otasSinceBoot = 0;
    if (afterRestart !== "rollback") this.#running = next;
    if (typeof afterRestart === "object") {
      this.#device = afterRestart.device ?? this.#device;
      this.#hostname = afterRestart.hostname ?? this.#hostname;
    }
    this.#http = this.#listen(this.#port);
    this.#note("restarted", `${this.#running.version} at ${this.endpoint}`);
  }

  /** Begins when the reply that led here has left. */
  async #refuseForAWhile(): Promise<void> {
    this.#refuses = false;
    await this.#refuseFor(this.#behaviour.refusedFor ?? 0);
  }

  /** What is connected stays so. */
  async #refuseFor(duration: number): Promise<void> {
    const http = this.#http;
    this.#refusals++;
    http?.stopListening();
    if (duration === Infinity) return;
    await this.#pause(duration);
    // Another outage may have begun meanwhile.
    if (--this.#refusals === 0 && this.#http === http) http?.listenAgain();
  }

  #expected(): Uint8Array {
    if (this.#options.expectedImage !== undefined) return this.#options.expectedImage;
    throw new TypeError("Cannot play this behaviour: it needs 'expectedImage'");
  }

  #firmware(image: Uint8Array): RunningFirmware {
    return { version: versionOf(image) ?? this.#options.imageVersion ?? "unknown", image };
  }

  #note(name: DeviceEventName, detail = ""): void {
    const event = { at: Date.now(), name, detail };
    this.events.push(event);
    this.#options.onEvent?.(event);
    this.#change.resolve();
    this.#change = Promise.withResolvers();
  }

  #pause(milliseconds: number): Promise<void> {
    return labClock.sleep(milliseconds * this.#scale, this.#stop.signal);
  }

  /** A task that is cut short by switching the device off has ended as it should. */
  #track(task: Promise<void>): void {
    const tracked = task.catch((error) => {
      if (!this.#stop.signal.aborted) throw error;
    }).finally(() => this.#tasks.delete(tracked));
    this.#tasks.add(tracked);
  }
}
