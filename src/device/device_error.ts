import { CodedError } from "../coded_error.ts";

/**
 * Ways in which a device can deny an update: `unreachable`, it cannot have seen the request; `refused`, it answered
 * with an HTTP error; `insecure`, its firmware updates without the agent; `busy`, it is in an earlier attempt.
 */
export type DeviceErrorCode = "unreachable" | "refused" | "insecure" | "busy";

/** A device that will not be updated by this request. */
export class DeviceError extends CodedError<DeviceErrorCode> {}
