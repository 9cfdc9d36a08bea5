import { CodedError } from "../coded_error.ts";

/**
 * What can go wrong between verified layers and one firmware file.
 *
 * - `none-found`, `several-found`: the image does not say by itself which file is the firmware
 * - `content-mismatch`: the uncompressed layer is not the one the image's config names (diffID)
 * - `limit`: more bytes, entries or metadata than allowed
 * - `corrupt-archive`: a layer is not what a decompressor or a tar reader can read without doubt
 * - `unsupported-link`: the firmware's path is a link that leads nowhere, in circles or out of its layer
 * - `io`: the temporary file could not be written
 */
export type FirmwareErrorCode =
  | "none-found"
  | "several-found"
  | "content-mismatch"
  | "limit"
  | "corrupt-archive"
  | "unsupported-link"
  | "io";

/** A failure of the firmware room. Failures of the layers' own streams pass through it unchanged. */
export class FirmwareError extends CodedError<FirmwareErrorCode> {}
