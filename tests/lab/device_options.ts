import type { DiceCertificate } from "../builders/certificates.ts";
import type { DeviceBehaviour } from "./device_behaviour.ts";
import type { OtaEventName } from "./device_ota.ts";
import type { Timings } from "./device_timings.ts";

/** What a device is and how it behaves. */
export interface DeviceOptions {
  /** Where it listens for HTTP; `127.0.0.1` by default. */
  readonly hostname?: string;
  /** Port of its HTTP server; by default it chooses one and keeps it over restarts. */
  readonly port?: number;
  /** Port it dials at the announced address; 4433 in the field and by default. */
  readonly agentPort?: number;
  /** PEM of the certificate it has compiled in; that of {@linkcode serverPair} by default. */
  readonly pinned?: string;
  /** Its own certificate; that of the device called `device` by default. */
  readonly certificate?: DiceCertificate;
  /** Its type in `/info`; `esp32s3` by default. */
  readonly device?: string;
  /** Its application in `/info`; `thermo` by default. */
  readonly application?: string;
  /** The version it runs at first; `0.1.0` by default. */
  readonly version?: string;
  /** The image a test is about to send: what fractions and `alreadyUpdated` mean. */
  readonly expectedImage?: Uint8Array;
  /** Version it reports for an image without an application descriptor; `unknown` by default. */
  readonly imageVersion?: string;
  /** Judges a received image; by default as the boot loader would. */
  readonly verify?: (image: Uint8Array) => boolean;
  /** Bytes of a request head it takes; 512 by default. */
  readonly headerLimit?: number;
  /** `fast` by default. */
  readonly timings?: Timings;
  /** What it does other than its duty. */
  readonly behaviour?: DeviceBehaviour;
  /** Told of every event as it happens. */
  readonly onEvent?: (event: DeviceEvent) => void;
}

/** What a device tells of itself. */
export type DeviceEventName =
  | OtaEventName
  | "request"
  | "verified"
  | "rejected"
  | "collision"
  | "restarting"
  | "restarted"
  | "ota ended";

/** Something that happened on a device. */
export interface DeviceEvent {
  /** Milliseconds since the Unix epoch. */
  readonly at: number;
  readonly name: DeviceEventName;
  /** More of it, for people. */
  readonly detail: string;
}

/** What a device runs. */
export interface RunningFirmware {
  /** As in `/info`. */
  readonly version: string;
  /** `undefined` for what it left the factory with. */
  readonly image: Uint8Array | undefined;
}
