import { CodedError } from "../coded_error.ts";

/** `file-changed`: the file became shorter while it was read. `unusable-key`: a key file holds no key we know. */
export type ImageErrorCode = "file-changed" | "unusable-key";

/** What can go wrong around an image; what is wrong *in* one is data, see `ImageInspection`. */
export class ImageError extends CodedError<ImageErrorCode> {}
