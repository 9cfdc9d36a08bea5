import type { AppDescriptor } from "./app_descriptor.ts";
import type { BootloaderDescriptor } from "./bootloader.ts";
import type { ImageChip } from "./chip.ts";
import type { MistakenFileKind } from "./file_kind.ts";
import type { ImageHeader } from "./image_header.ts";
import type { Integrity } from "./integrity.ts";
import type { SecureBootSignature } from "./secure_boot.ts";
import type { Segment } from "./segments.ts";

/** What a file turned out to be. Plain data throughout: numbers, strings, no bytes; all text is safe to print. */
export type ImageInspection = ApplicationImage | MistakenFile;

/** An image of an application, in whatever state. */
export interface ApplicationImage extends ImageFacts {
  /** Tells it from a mistaken file. */
  readonly kind: "application";
}

/** A file that no device can take as an update. */
export interface MistakenFile {
  /** Tells it from an application. */
  readonly kind: "mistaken";
  /** What it is instead; the refusal code has the same name. */
  readonly what: MistakenFileKind;
  /** What it is and by what this was recognised, as a clause that goes on from "it is". */
  readonly found: string;
  /** What to do instead. */
  readonly remedy: string;
  /** Bytes. */
  readonly size: number;
  /** Offset in this file at which an application image stands, in a merged image. */
  readonly applicationOffset?: number;
  /** What the image says, where the file is one, such as a bootloader. */
  readonly image?: ImageFacts;
}

/** Everything an image says about itself, and whether it is true. */
export interface ImageFacts {
  /** Bytes of the whole file. */
  readonly size: number;
  /** The chip it is built for. */
  readonly chip: ImageChip;
  /** The 24 bytes at its beginning. */
  readonly header: ImageHeader;
  /** Lowest chip revision it runs on, major * 100 + minor. */
  readonly minRevision: number;
  /** Highest chip revision it runs on; absent where none is set. */
  readonly maxRevision?: number;
  /** Its segments, in file order; those before the cut or the fault when there is one. */
  readonly segments: readonly Segment[];
  /** Whether the bytes are those that were built. */
  readonly integrity: Integrity;
  /** The application descriptor, when there is one. */
  readonly descriptor?: AppDescriptor;
  /** The bootloader's descriptor, when the image is a bootloader that has one. */
  readonly bootloader?: BootloaderDescriptor;
  /** Secure Boot signatures, in file order. */
  readonly signatures: readonly SecureBootSignature[];
  /** Bytes up to and with the checksum and the appended SHA-256; absent when the structure is cut or malformed. */
  readonly plainLength?: number;
  /** Bytes that must fit the partition: with the signature, where there is one. */
  readonly fullLength?: number;
  /** What follows after `fullLength`. */
  readonly trailing?: TrailingBytes;
  /** What is worth saying beyond the verdicts. */
  readonly findings: readonly ImageFinding[];
}

/** Bytes after the end of an image. */
export interface TrailingBytes {
  /** File offset of the first. */
  readonly offset: number;
  /** How many. */
  readonly length: number;
  /** Padding is all 0xFF or all 0x00. */
  readonly content: "padding" | "data";
}

/** Something worth saying about an image. */
export interface ImageFinding {
  /** `error`: every device refuses this. `warn`: it depends on the device. `info`: the rest. */
  readonly severity: "error" | "warn" | "info";
  /** Which finding it is. */
  readonly code: ImageFindingCode;
  /** One sentence. */
  readonly message: string;
}

/** The findings there are. */
export type ImageFindingCode =
  | "unknown-chip"
  | "pre-production-chip"
  | "preview-chip"
  | "hash-flag"
  | "reserved-bits"
  | "pin-setting"
  | "no-mapped-segment"
  | "misaligned-segment"
  | "overlapping-segments"
  | "entry-address"
  | "short-first-segment"
  | "no-descriptor"
  | "pad-bytes"
  | "trailing-data"
  | "padded-not-signed"
  | "unsupported-scheme"
  | "ignored-blocks"
  | "secure-version-field";
