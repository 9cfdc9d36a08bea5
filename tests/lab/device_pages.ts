import type { DiceCertificate } from "../builders/certificates.ts";
import type { DeviceBehaviour } from "./device_behaviour.ts";
import { type DeviceReply, errorReply } from "./device_http.ts";

/** The three values of `/info`, in its order. */
export interface InfoFields {
  readonly device: string;
  readonly application: string;
  readonly version: string;
}

/** `/info` is built in 100 bytes, the last of which is a NUL. */
const INFO_BYTES = 99;

/** What `GET /info` is answered; a slow device answers as any other. */
export function infoReply(fields: InfoFields, behaviour: DeviceBehaviour["info"]): DeviceReply {
  switch (behaviour) {
    case "absent":
      return errorReply(404);
    case "error":
      return errorReply(500);
    case "silent":
      return "never";
    case "html":
      return { status: 200, body: "<!doctype html><title>Router</title>" };
    case "cut":
      return json({ ...fields, application: fields.application.padEnd(60, "-sensor") });
    default:
      return json(fields);
  }
}

/** What `GET /onboard` is answered. */
export function onboardReply(
  own: DiceCertificate,
  other: DiceCertificate,
  behaviour: DeviceBehaviour["onboard"],
): DeviceReply {
  if (behaviour === "absent") return errorReply(404);
  if (behaviour === "error") return errorReply(500);
  const body = behaviour === "pem" ? own.pem : behaviour === "other" ? other.der : own.der;
  return { status: 200, type: "application/octet-stream", body };
}

function json({ device, application, version }: InfoFields): DeviceReply {
  const text = JSON.stringify({ device, application, version });
  return { status: 200, type: "application/json", body: text.slice(0, INFO_BYTES) };
}
